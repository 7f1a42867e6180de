import Bytes
import HybridTime
import Ledger
import SegmentLog

/// Closes batches of made payments one after the other, as a leader does.
struct BatchMaker: ~Copyable {
  static let cluster = ClusterID(name: "syncpay-bench")
  /// As the nodes' default.
  static let segmentByteCountMax: UInt64 = 64 << 20

  private var builder = BatchBuilder()
  private var payments: PaymentMaker
  private var index = LogIndex(1)
  private var sequence = EventSequence(1)
  private var hash = Digest256.zero

  init(accounts: Int, seed: UInt64) {
    payments = PaymentMaker(accounts: accounts, seed: seed)
  }

  /// The next payments, for ``close(_:startsSegment:)``.
  mutating func records(_ count: Int) throws -> MadeRecords { try payments.records(count) }

  /// Compresses and hashes a batch.
  mutating func close(_ made: consuming MadeRecords, startsSegment: Bool) throws -> Batch {
    let batch = try builder.build(
      BatchFields(
        startsSegment: startsSegment || index == LogIndex(1), index: index, term: Term(1),
        firstSequence: sequence, count: made.count, commit: index.previous, stamp: made.stamp,
        correctedMin: made.correctedMin, correctedMax: made.correctedMax,
        hybridMax: made.stamp.hybrid, previousHash: hash),
      records: made.bytes)
    index = index.next
    sequence = EventSequence(batch.header.lastSequence.rawValue + 1)
    hash = batch.header.hash
    return batch
  }
}

import Bytes
import HybridTime
import Ledger
import SegmentLog

/// Small whole values that the seeds are made of: the same in every run.
enum Samples {
  static let cluster = ClusterID(name: "fuzzing")

  static func stamp(
    _ number: Int64, status: ClockStatus = .synchronized, reference: ClockReference = .external
  ) -> Stamp {
    let time = 1_790_000_000_000_000_000 + number * 1_000_000
    return Stamp(
      reading: ClockReading(
        rawNanoseconds: time, correctionNanoseconds: -7, boundNanoseconds: 1_000, epoch: 3,
        status: status, reference: reference),
      hybrid: HybridTimestamp(wallNanoseconds: time, logical: 2),
      node: NodeID(UInt16(truncatingIfNeeded: number & 1) + 1))
  }

  /// A checked payment.
  static func draft(
    amount: String = "150.75", currency: String = "USD", sender: String = "alice",
    receiver: String = "bob", id: String? = nil, reference: String? = nil
  ) -> PaymentDraft {
    let request = PaymentRequest(
      amount: Array(amount.utf8), sender: Array(sender.utf8), receiver: Array(receiver.utf8),
      currency: Array(currency.utf8), transactionID: id.map { Array($0.utf8) },
      reference: reference.map { Array($0.utf8) })
    let made = TransactionID(high: 0x0199_4f3a_7c00_0001, low: 0x1234_5678_9abc_def0)
    do throws(PaymentProblem) {
      return try PaymentDraft(validating: request, rules: PaymentRules(), makeID: { made })
    } catch {
      preconditionFailure("a sample is a payment: \(error)")
    }
  }

  /// Events of every kind.
  static var events: [Event] {
    let drafts = [
      draft(), draft(amount: "5", currency: "JPY", id: "order-17"),
      draft(sender: "Zoë", receiver: "山田 太郎", reference: "rent, 3rd floor ☂"),
      draft(amount: "0.001", currency: "KWD", sender: "a", receiver: "b", id: "!", reference: "r"),
    ]
    let member = ClusterMember(
      id: NodeID(4), peerAddress: "10.0.0.4:6001", clientAddress: "[::1]:5001", store: 99)
    let report = ClockReport(
      stamp: stamp(5), driftPartsPerBillion: -1_234,
      sources: [
        ClockSourceReport(
          kind: .peer, id: 2, offsetNanoseconds: -99, errorNanoseconds: 5, delayNanoseconds: 7,
          verdict: .selected),
        ClockSourceReport(
          kind: .server, id: 0, offsetNanoseconds: 1 << 40, errorNanoseconds: 1 << 50,
          delayNanoseconds: 0, verdict: .falseticker),
      ])
    let change = MembershipChange(
      stamp: stamp(6), voters: [NodeID(1), NodeID(4)], outgoing: [NodeID(1)],
      learners: [NodeID(9)],
      members: [ClusterMember(id: NodeID(1)), member, ClusterMember(id: NodeID(9), store: 7)])
    let reading = stamp(8).reading
    let progress = LogProgress(
      node: NodeID(1),
      start: LogPosition(
        arrived: LogIndex(7), arrivedTerm: Term(2), durable: LogIndex(6), committed: LogIndex(6),
        applied: LogIndex(5)),
      marks: (1...3).map { step in
        var reading = reading
        reading.rawNanoseconds += Int64(step) * 1_000
        reading.boundNanoseconds += Int64(step)
        return ProgressMark(
          position: LogPosition(
            arrived: LogIndex(7 + UInt64(step)), arrivedTerm: Term(2),
            durable: LogIndex(6 + UInt64(step / 2)), committed: LogIndex(6),
            applied: LogIndex(6)),
          reading: reading, monotonicNanoseconds: 77_000_000_000 + Int64(step) * 1_001)
      })
    return drafts.enumerated().map {
      .payment(Payment(draft: $0.element, stamp: stamp(Int64($0.offset))))
    } + [
      .clockReport(report), .beacon(stamp(7, status: .holdover, reference: .cluster)),
      .clockMeasurement(
        ClockMeasurement(
          stamp: stamp(8), monotonicNanoseconds: 77_000_000_000, kind: .server, id: 3,
          offsetNanoseconds: -(1 << 41),
          delayNanoseconds: 160_000, errorNanoseconds: 1 << 20, stratum: 2)),
      .logProgress(progress),
      .occurrence(
        NodeOccurrence(
          stamp: stamp(9), topic: .paymentRefused, id: TransactionID(high: 3, low: 4),
          word: "no_leader")),
      .occurrence(
        NodeOccurrence(
          stamp: stamp(9), topic: .role, peer: NodeID(2), number: 17, word: "follower")),
      .membership(change),
      .policy(PolicyChange(stamp: stamp(8), key: .clockToleranceMicroseconds, value: 250_000)),
      .policy(PolicyChange(stamp: stamp(8), key: .overdraft, value: 0)),
      .leadership(LeadershipTransfer(stamp: stamp(9), target: NodeID(3))),
      .leadership(LeadershipTransfer(stamp: stamp(9), target: nil)),
    ]
  }

  static func records(_ events: [Event]) -> [UInt8] {
    var writer = ByteWriter()
    for event in events { event.encode(into: &writer) }
    return writer.bytes
  }

  /// Batches that follow each other: of these records, each with the number of its events.
  static func batches(
    _ contents: [(records: [UInt8], count: Int)], startsSegment: Bool = true,
    from first: UInt64 = 1, sequence: UInt64 = 1, previousHash: Digest256 = .zero
  ) -> [Batch] {
    var builder = BatchBuilder()
    var (index, sequence, hash) = (first, sequence, previousHash)
    return contents.map { content in
      let stamp = stamp(Int64(index))
      let fields = BatchFields(
        startsSegment: startsSegment && index == first, index: LogIndex(index),
        term: Term(1 + index / 3), firstSequence: EventSequence(sequence), count: content.count,
        commit: LogIndex(index - 1), stamp: stamp, correctedMin: stamp.correctedNanoseconds - 5,
        correctedMax: stamp.correctedNanoseconds + 5, hybridMax: stamp.hybrid, previousHash: hash)
      guard let batch = try? builder.build(fields, records: content.records) else {
        preconditionFailure("a sample is a batch")
      }
      (index, sequence, hash) = (index + 1, sequence + UInt64(content.count), batch.header.hash)
      return batch
    }
  }

  /// The batch with its records stored, not compressed.
  static func stored(_ batch: Batch) -> [UInt8] {
    guard !batch.records.isEmpty else { return batch.bytes }
    let frame = StoredFrame.frame(batch.records)
    var writer = ByteWriter()
    writer.append(contentsOf: batch.bytes[..<BatchHeader.byteCount])
    writer.patch(UInt32(frame.count), at: 200)
    let check = Digest256Hasher.digest(writer.bytes.span.bytes.extracting(8..<204)).bytes
    writer.bytes.replaceSubrange(204..<212, with: check[..<8])
    writer.append(contentsOf: frame)
    return writer.bytes
  }
}

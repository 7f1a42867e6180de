package import Bytes
import Evidence
import HybridTime
package import Ledger
package import Raft
package import SegmentLog

/// Where replaying a log had come to when a snapshot was taken: with the ledger as it was there,
/// all that a restart needs to go on with the next batch.
package struct RecoveryPoint: Sendable {
  /// The last batch applied: its header names the place, and the next one must chain to it.
  package let lastBatch: Batch
  /// The ledger's digest after it.
  package let ledgerDigest: Digest256
  /// Greatest hybrid time up to it.
  let hybridLast: HybridTimestamp
  /// The last batch that holds events; zero where none does.
  let lastEventful: LogIndex
  /// The batch that changed the members last; zero where none did. The change is in the ledger.
  let membershipIndex: LogIndex
  /// The first index of the segment that the last batch lies in.
  package let segmentFirst: LogIndex
  /// The ledger's digest before that segment.
  let segmentLedgerBefore: Digest256
  /// What that segment has added to the tree over all events, up to the last batch.
  let segmentTree: SegmentTree
  /// Bytes of that segment's batches, the last one included.
  let segmentByteCount: Int
  /// The terms of the log. Invariant: those of ``Raft/RaftLogTerms/runs``.
  package let termRuns: [RaftLogTerms.Run]

  /// The last batch's place.
  package var applied: EntryID { EntryID(index: lastBatch.index, term: lastBatch.term) }

  /// Whether a ledger is the one that was here.
  package func isOf(_ ledger: borrowing LedgerState) -> Bool {
    ledger.digest == ledgerDigest && ledger.lastSequence == lastBatch.header.lastSequence
      && (membershipIndex > .zero) == (ledger.cluster.membership != nil)
  }
}

extension RecoveryPoint {
  private static let version: UInt32 = 2
  /// Bytes before the term runs.
  private static let fixedByteCount = 136
  private static let runByteCount = 16

  /// Appends the point: fixed fields, the term runs, the tree, the last batch (<doc:Snapshots>).
  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.integer(Self.version)
    writer.integer(UInt32(termRuns.count))
    ledgerDigest.withBytes { writer.append(contentsOf: $0) }
    segmentLedgerBefore.withBytes { writer.append(contentsOf: $0) }
    writer.integer(segmentFirst.rawValue)
    writer.integer(UInt64(segmentByteCount))
    writer.integer(lastEventful.rawValue)
    writer.integer(membershipIndex.rawValue)
    writer.integer(hybridLast.wallNanoseconds)
    writer.integer(hybridLast.logical)
    writer.integer(UInt32(lastBatch.bytes.count))
    writer.integer(segmentTree.before.size)
    writer.append(contentsOf: repeatElement(0, count: Self.fixedByteCount - (writer.count - start)))
    for run in termRuns {
      writer.integer(run.term.rawValue)
      writer.integer(run.firstIndex.rawValue)
    }
    for hash in segmentTree.hashes {
      hash.withBytes { writer.append(contentsOf: $0) }
    }
    writer.append(contentsOf: lastBatch.bytes)
  }

  /// Reads a point, which must fill `bytes`, and checks everything in it against everything else.
  package init(_ bytes: borrowing RawSpan, opener: inout BatchOpener) throws(DecodeError) {
    var reader = ByteReader(bytes)
    guard try reader.integer(UInt32.self, in: bytes) == Self.version else {
      throw .invalidField("point.version", offset: 0)
    }
    let runCount = Int(try reader.integer(UInt32.self, in: bytes))
    ledgerDigest = Digest256(at: try reader.skip(Digest256.byteCount).lowerBound, in: bytes)
    segmentLedgerBefore = Digest256(at: try reader.skip(Digest256.byteCount).lowerBound, in: bytes)
    segmentFirst = LogIndex(try reader.integer(UInt64.self, in: bytes))
    let segmentByteCount = try reader.integer(UInt64.self, in: bytes)
    lastEventful = LogIndex(try reader.integer(UInt64.self, in: bytes))
    membershipIndex = LogIndex(try reader.integer(UInt64.self, in: bytes))
    hybridLast = HybridTimestamp(
      wallNanoseconds: try reader.integer(Int64.self, in: bytes),
      logical: try reader.integer(UInt32.self, in: bytes))
    let batchByteCount = Int(try reader.integer(UInt32.self, in: bytes))
    let sizeBefore = try reader.integer(UInt64.self, in: bytes)
    for offset in try reader.skip(Self.fixedByteCount - reader.offset)
    where bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) != 0 {
      throw .invalidField("point.reserved", offset: offset)
    }
    guard runCount <= reader.remaining / Self.runByteCount else {
      throw .invalidField("point.runCount", offset: 4)
    }
    var runs: [RaftLogTerms.Run] = []
    runs.reserveCapacity(runCount)
    for _ in 0..<runCount {
      runs.append(
        RaftLogTerms.Run(
          term: Term(try reader.integer(UInt64.self, in: bytes)),
          firstIndex: LogIndex(try reader.integer(UInt64.self, in: bytes))))
    }
    termRuns = runs
    guard batchByteCount <= reader.remaining, batchByteCount <= SegmentFormat.batchByteCountMax
    else { throw .invalidField("point.batch", offset: reader.offset) }
    let hashes = reader.remaining - batchByteCount
    var treeReader = ByteReader(try reader.skip(hashes))
    let batchBytes = try reader.array(batchByteCount, in: bytes)
    do throws(BatchError) {
      lastBatch = try opener.open(batchBytes)
    } catch {
      throw .invalidField("point.batch", offset: reader.offset)
    }
    segmentTree = try Self.tree(
      from: sizeBefore, to: lastBatch.header.lastSequence.rawValue, &treeReader, in: bytes)
    self.segmentByteCount = Int(clamping: segmentByteCount)
    guard isConsistent else { throw .invalidField("point", offset: 0) }
  }

  private static func tree(
    from before: UInt64, to after: UInt64, _ reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> SegmentTree {
    let offset = reader.offset
    guard reader.remaining.isMultiple(of: Digest256.byteCount) else {
      throw .invalidField("point.tree", offset: offset)
    }
    var hashes: [Digest256] = []
    while !reader.isAtEnd {
      hashes.append(Digest256(at: try reader.skip(Digest256.byteCount).lowerBound, in: bytes))
    }
    guard let tree = SegmentTree(from: before, to: after, hashes: hashes) else {
      throw .invalidField("point.tree", offset: offset)
    }
    return tree
  }

  /// Whether the parts can be of one log.
  private var isConsistent: Bool {
    let index = lastBatch.index
    guard let first = termRuns.first, let last = termRuns.last,
      first.firstIndex == LogIndex(1), first.term > .zero, last.term == lastBatch.term,
      last.firstIndex <= index
    else { return false }
    let ascend = zip(termRuns, termRuns.dropFirst()).allSatisfy {
      $0.term < $1.term && $0.firstIndex < $1.firstIndex
    }
    return ascend && segmentFirst > .zero && segmentFirst <= index && lastEventful <= index
      && membershipIndex <= lastEventful
      && segmentByteCount >= lastBatch.bytes.count && hybridLast >= lastBatch.header.hybridMax
      && (lastBatch.header.startsSegment ? segmentFirst == index : true)
  }
}

package import Bytes
package import Evidence
import HybridTime
package import Ledger
package import Raft
package import SegmentLog

/// The ledger and how far into the log it has come: what restart and running share.
package struct AppliedState: ~Copyable {
  /// The ledger after `last`.
  package var ledger: LedgerState
  /// The last batch applied.
  package private(set) var last: EntryID
  /// The chain hash of that batch.
  package private(set) var lastHash: Digest256
  /// The first index of the segment that `last` lies in.
  private(set) var segmentFirst: LogIndex
  /// The ledger's digest before that segment.
  private(set) var segmentLedgerBefore: Digest256
  /// The tree over all events applied, but for those of a segment of which it is known.
  private var tree: EventTree
  /// What sealed segments add to the tree, by their first index, where a footer has told it and the
  /// segment has not begun.
  private var knownTrees: [LogIndex: SegmentTree] = [:]
  /// What the segment under way adds, where that is known: its events are not hashed again.
  private var knownTree: SegmentTree?
  /// The second in which the last batch was stamped, since 1970 by hybrid time.
  private var second: Int64 = 0
  /// Whether the nodes sign a checkpoint after the last batch.
  private var endsInCheckpoint = false
  /// Whether a segment's keys are gathered while it is applied.
  private let collectsKeys: Bool
  /// Room for what applying a batch gives, one for each event. Reused.
  private var outcomes: [Outcome] = []

  /// An empty ledger before the first batch.
  package init(ledger: consuming LedgerState, collectsKeys: Bool = false) {
    self.collectsKeys = collectsKeys
    segmentLedgerBefore = ledger.digest
    self.ledger = ledger
    last = EntryID(index: .zero, term: .zero)
    lastHash = .zero
    segmentFirst = LogIndex(1)
    tree = EventTree()
  }

  /// The state at a point that a snapshot kept, with the ledger from there.
  init(point: RecoveryPoint, ledger: consuming LedgerState, collectsKeys: Bool) {
    self.collectsKeys = collectsKeys
    self.ledger = ledger
    last = point.applied
    lastHash = point.lastBatch.header.hash
    segmentFirst = point.segmentFirst
    segmentLedgerBefore = point.segmentLedgerBefore
    tree = EventTree(point.segmentTree)
    second = Self.second(of: point.lastBatch.header)
  }

  /// A footer tells what a segment adds to the tree.
  mutating func expect(_ tree: SegmentTree, of segment: LogIndex) { knownTrees[segment] = tree }

  /// What the segment under way has added to the tree so far; nil in the middle of one whose end is
  /// known and whose events are not hashed.
  package var segmentTree: SegmentTree? {
    guard let knownTree else { return tree.segment }
    return knownTree.after.size == ledger.lastSequence.rawValue ? knownTree : nil
  }

  /// Takes the keys of a batch that a snapshot holds already, of the segment that it was taken in.
  ///
  /// Without them, that segment's index is made from its file.
  mutating func passOver(_ batch: Batch) throws(LedgerError) {
    guard collectsKeys, batch.index >= segmentFirst else { return }
    if batch.index == segmentFirst { beginKeys(batch.header) }
    let records = batch.records
    try ledger.collectKeys(of: records.span.bytes, from: batch.header.firstSequence)
  }

  private mutating func beginKeys(_ header: BatchHeader) {
    ledger.collectKeys(from: header.firstSequence, under: SipHash(keyOf: header.previousHash))
  }

  /// Applies the next batch, and returns the seal of the segment before it if it starts one.
  ///
  /// Throws where the log holds what this version cannot apply: the node must stop; and
  /// ``LedgerError/pastUnreadable(segment:)``, after which it can be tried again.
  package mutating func apply(_ batch: Batch) throws(LedgerError) -> SegmentSeal? {
    let header = batch.header
    precondition(header.index == last.index.next, "batches are applied in order")
    let records = batch.records
    // What can fail comes first: nothing has been changed when this throws.
    try ledger.prepare(
      firstSequence: header.firstSequence, count: UInt64(header.count), records: records.span.bytes)
    var seal: SegmentSeal?
    if header.startsSegment && last.index > .zero {
      let segmentTree = knownTree ?? tree.segment
      seal = SegmentSeal(
        segment: segmentFirst, last: last, lastSequence: ledger.lastSequence,
        evidence: SegmentEvidence(
          ledgerBefore: segmentLedgerBefore, ledgerAfter: ledger.digest, tree: segmentTree),
        keys: ledger.takeKeys())
      tree = EventTree(segmentTree.after)
      knownTree = nil
      segmentFirst = header.index
      segmentLedgerBefore = ledger.digest
    }
    if header.index == segmentFirst, let known = knownTrees.removeValue(forKey: segmentFirst),
      known.before == tree.frontier
    {
      knownTree = known
    }
    // A segment whose end is known has its footer.
    if header.index == segmentFirst, collectsKeys, knownTree == nil { beginKeys(header) }
    outcomes.removeAll(keepingCapacity: true)
    ledger.applyPrepared(
      records: records.span.bytes, batchHash: header.hash, outcomes: &outcomes)
    if knownTree == nil {
      let isWhole = tree.append(records.span.bytes, count: Int(header.count))
      precondition(isWhole, "the ledger has read the same records")
    }
    last = EntryID(index: header.index, term: header.term)
    lastHash = header.hash
    endsInCheckpoint = header.count == 0 || Self.second(of: header) != second
    second = Self.second(of: header)
    return seal
  }

  private static func second(of header: BatchHeader) -> Int64 {
    header.stamp.hybrid.wallNanoseconds / 1_000_000_000
  }

  /// What the nodes sign after the last batch, if they sign there: after each batch without events,
  /// and the first of each second. Nil too in the middle of a segment of which only the end is known.
  package func checkpoint(of cluster: ClusterID) -> LogCheckpoint? {
    guard endsInCheckpoint, let segmentTree else { return nil }
    return LogCheckpoint(
      cluster: cluster, index: last.index, hash: lastHash, lastSequence: ledger.lastSequence,
      root: segmentTree.after.root, ledgerDigest: ledger.digest)
  }
}

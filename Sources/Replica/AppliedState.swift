package import Bytes
package import Evidence
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
  /// The tree over all events applied.
  package private(set) var tree: EventTree
  /// Room for what applying a batch gives, one for each event. Reused.
  private var outcomes: [Outcome] = []

  /// An empty ledger before the first batch.
  package init(ledger: consuming LedgerState) {
    segmentLedgerBefore = ledger.digest
    self.ledger = ledger
    last = EntryID(index: .zero, term: .zero)
    lastHash = .zero
    segmentFirst = LogIndex(1)
    tree = EventTree()
  }

  /// The state at a point that a snapshot kept, with the ledger from there.
  init(point: RecoveryPoint, ledger: consuming LedgerState) {
    self.ledger = ledger
    last = point.applied
    lastHash = point.lastBatch.header.hash
    segmentFirst = point.segmentFirst
    segmentLedgerBefore = point.segmentLedgerBefore
    tree = EventTree(point.segmentTree)
  }

  /// Applies the next batch, and returns the seal of the segment before it if it starts one.
  ///
  /// Throws where the log holds what this version cannot apply: the node must stop.
  package mutating func apply(_ batch: Batch) throws(LedgerError) -> SegmentSeal? {
    let header = batch.header
    precondition(header.index == last.index.next, "batches are applied in order")
    var seal: SegmentSeal?
    if header.startsSegment && last.index > .zero {
      seal = SegmentSeal(
        segment: segmentFirst, last: last, lastSequence: ledger.lastSequence,
        evidence: SegmentEvidence(
          ledgerBefore: segmentLedgerBefore, ledgerAfter: ledger.digest, tree: tree.segment))
      tree.beginSegment()
      segmentFirst = header.index
      segmentLedgerBefore = ledger.digest
    }
    outcomes.removeAll(keepingCapacity: true)
    let records = batch.records
    try ledger.apply(
      firstSequence: header.firstSequence, count: UInt64(header.count),
      records: records.span.bytes, batchHash: header.hash, outcomes: &outcomes)
    let isWhole = tree.append(records.span.bytes, count: Int(header.count))
    precondition(isWhole, "the ledger has read the same records")
    last = EntryID(index: header.index, term: header.term)
    lastHash = header.hash
    return seal
  }
}

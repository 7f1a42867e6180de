import Bytes
import Evidence
import Ledger
import SegmentLog

/// What a log's files say at a place of which a signed checkpoint tells.
struct CheckpointMark: Hashable, Sendable {
  /// The chain hash of the batch.
  let hash: Digest256
  /// The last event up to it.
  let lastSequence: EventSequence
  /// The root of the tree; nil where none was made.
  let root: Digest256?
}

/// What re-reading every byte of one segment found: all that does not need the segments before it.
struct SegmentCheck: Sendable {
  let segment: ScannedSegment
  /// What the whole batches before the first fault add up to.
  private(set) var summary: SegmentSummary
  /// The first batch's term.
  private(set) var firstTerm: Term?
  /// Each batch's hash.
  private(set) var hashes: [Digest256] = []
  /// How it ends; nil after a fault.
  private(set) var tail: SegmentTail?
  /// The first fault.
  private(set) var fault: LogFault?
  /// Why it could not be read.
  private(set) var failure: LogError?
  /// What it adds to the tree; nil where nobody knows what goes before it.
  private(set) var tree: SegmentTree?
  /// Whether its footer has another index than its records give.
  private(set) var hasOtherIndex = false
  /// By the index of their batches.
  private(set) var marks: [LogIndex: CheckpointMark] = [:]

  /// Re-reads a segment. `before` is the tree before its first event, if that is known; `marking` are
  /// the batches of which checkpoints tell. `isLedger`: its records are the replicated events, and a
  /// footer's index is made again from them.
  init(
    _ segment: ScannedSegment, directory: String, after before: MerkleFrontier?,
    marking: Set<LogIndex>, isLedger: Bool
  ) {
    self.segment = segment
    summary = SegmentSummary(header: segment.header, lastTerm: .zero)
    let isInTree = before?.size == segment.header.firstSequence.rawValue &- 1
    var tree = EventTree(before ?? .empty)
    // Records that cannot be read are for the ledger to name.
    var keys = isLedger ? segment.footer.map { _ in SegmentKeys(segment.header, .payments) } : nil
    do throws(LogError) {
      try walk(directory, marking) { header, iterator in
        if iterator.withRecords({ keys?.append($0, of: header) }) == false { keys = nil }
        guard isInTree else { return true }
        return iterator.withRecords { tree.append($0, count: Int(header.count)) }
      } root: {
        isInTree ? tree.frontier.root : nil
      }
    } catch {
      fault = LogFault(error, directory: directory)
      if fault == nil { failure = error }
    }
    if isInTree { self.tree = tree.segment }
    if case .sealed(let footer) = tail, let keys {
      hasOtherIndex = !footer.hasIndex(keys.index(through: summary.lastSequence))
    }
  }

  private mutating func walk(
    _ directory: String, _ marking: Set<LogIndex>,
    _ visit: (BatchHeader, borrowing SegmentIterator) -> Bool, root: () -> Digest256?
  ) throws(LogError) {
    var iterator = SegmentIterator(segment)
    while let header = try iterator.next() {
      guard visit(header, iterator) else {
        fault = LogFault(
          path: "\(directory)/\(segment.id.fileName)", offset: summary.byteCount,
          index: header.index, reason: "its records are not as many events as its header says")
        return
      }
      if firstTerm == nil { firstTerm = header.term }
      hashes.append(header.hash)
      if marking.contains(header.index) {
        marks[header.index] = CheckpointMark(
          hash: header.hash, lastSequence: header.lastSequence, root: root())
      }
      summary = iterator.summary
    }
    tail = iterator.tail
  }
}

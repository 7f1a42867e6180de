import Bytes
import Evidence
import Ledger
import SegmentLog

/// The ledger that a log's records give, beside what its footers say of it.
struct LedgerCheck: ~Copyable {
  private var state = LedgerState()
  /// Whether no ledger can be rebuilt: the log does not begin at the first event.
  private var isSkipped = false
  private var outcomes: [Outcome] = []
  private var hasBegun = false
  /// The digests at the places of which checkpoints tell.
  private(set) var marks: [LogIndex: Digest256] = [:]

  /// The ledger's digest, where there is a ledger.
  var digest: Digest256? { isSkipped ? nil : state.digest }

  /// The members by the last change in the log; nil where it has none.
  var members: [ClusterMember]? { state.cluster.membership?.members }

  /// Applies a segment that has been checked, up to where it is whole; the first fault, or nil.
  mutating func replay(
    _ check: SegmentCheck, directory: String, marking: Set<LogIndex>
  ) throws(LogError) -> LogFault? {
    let segment = check.segment
    if !hasBegun { isSkipped = segment.header.firstSequence != EventSequence(1) }
    hasBegun = true
    guard !isSkipped else { return nil }
    let path = "\(directory)/\(segment.id.fileName)"
    let before = state.digest
    var iterator = SegmentIterator(segment, isVerified: true)
    while iterator.summary.lastIndex < check.summary.lastIndex, let header = try iterator.next() {
      if let reason = iterator.withRecords({ apply(header, $0) }) {
        return LogFault(
          path: path, offset: iterator.summary.byteCount - UInt64(header.batchByteCount),
          index: header.index, reason: reason)
      }
      if marking.contains(header.index) { marks[header.index] = state.digest }
    }
    guard case .sealed(let footer)? = check.tail,
      let reason = contradiction(footer, before: before)
    else { return nil }
    return LogFault(
      path: path, offset: check.summary.byteCount, index: check.summary.lastIndex, reason: reason)
  }

  /// Applies a batch; why it cannot be, or nil.
  private mutating func apply(_ header: BatchHeader, _ records: borrowing RawSpan) -> String? {
    outcomes.removeAll(keepingCapacity: true)
    do throws(LedgerError) {
      try state.apply(
        firstSequence: header.firstSequence, count: UInt64(header.count), records: records,
        batchHash: header.hash, outcomes: &outcomes)
      return nil
    } catch {
      return error.sentence
    }
  }

  /// Why a footer does not tell of this ledger, or nil.
  private func contradiction(_ footer: SegmentFooter, before: Digest256) -> String? {
    if footer.evidence.ledgerBefore != before {
      return "the footer's ledger digest before the segment is not the ledger's"
    }
    if footer.evidence.ledgerAfter != state.digest {
      return "the footer's ledger digest after the segment is not the ledger's"
    }
    return nil
  }
}

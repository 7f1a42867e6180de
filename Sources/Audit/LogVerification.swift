package import Bytes
import Evidence
import Ledger
import SegmentLog

/// What re-reading every byte of one log found.
package struct LogVerification: Sendable {
  /// The directory of segments.
  package let directory: String
  /// Files.
  package private(set) var segmentCount = 0
  /// Files that end with a whole footer.
  package private(set) var sealedCount = 0
  /// Whole batches, up to the first fault.
  package private(set) var batchCount: UInt64 = 0
  /// Events in them.
  package private(set) var eventCount: UInt64 = 0
  /// Length of all files read, bytes.
  package private(set) var byteCount: UInt64 = 0
  /// Length of the records, uncompressed, bytes.
  package private(set) var recordsByteCount: UInt64 = 0
  /// The first batch.
  package private(set) var firstIndex = LogIndex(1)
  /// The last whole batch.
  package private(set) var lastIndex = LogIndex.zero
  /// Largest commit index that a batch carries.
  package private(set) var commit = LogIndex.zero
  /// The ledger's digest after ``lastIndex``; nil where no ledger was rebuilt.
  package private(set) var ledgerDigest: Digest256?
  /// The first fault.
  package private(set) var fault: LogFault?
  /// Why the log could not be read at all, or not to its end.
  package private(set) var failure: String?
  /// What is worth knowing and no fault.
  package private(set) var notes: [String] = []
  /// Each batch's hash, from ``firstIndex`` on.
  private(set) var hashes: [Digest256] = []
  /// The first segment that has no whole seal, and what is to be said of it if a later one has one:
  /// seals are written in order.
  private var unsealed: (segment: ScannedSegment, fault: LogFault)?
  /// The tree over the events read, checked against the footers on the way.
  private var tree = EventTree()
  private(set) var segments: [ScannedSegment] = []

  private init(directory: String) { self.directory = directory }

  /// Re-reads the log in `directory`. `isLedger` says that its records are the replicated events:
  /// then each is decoded, and the footers' digests are compared with a ledger rebuilt on the way.
  init(directory: String, isLedger: Bool, in files: some LogFileSystem, meter: ProgressMeter) {
    self.init(directory: directory)
    var ledger = isLedger ? LedgerCheck() : nil
    do throws(LogError) {
      try read(SegmentScanner(files, directory: directory), &ledger, meter)
    } catch {
      if let fault = LogFault(error, directory: directory) {
        self.fault = fault
      } else {
        failure = AuditError(error, directory: directory).description
      }
    }
    if fault == nil { ledgerDigest = ledger?.digest }
  }

  /// The hash of the batch at `index`, if the log has it whole.
  func hash(_ index: LogIndex) -> Digest256? {
    guard index >= firstIndex, index <= lastIndex else { return nil }
    return hashes[Int(index.rawValue - firstIndex.rawValue)]
  }

  func path(_ id: SegmentID) -> String { "\(directory)/\(id.fileName)" }

  private mutating func read(
    _ scanner: SegmentScanner<some LogFileSystem>, _ ledger: inout LedgerCheck?,
    _ meter: ProgressMeter
  ) throws(LogError) {
    let ids = try scanner.segments()
    var before: SegmentSummary?
    for (place, id) in ids.enumerated() where fault == nil {
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      guard let segment = try scanner.open(id, successor: successor) else {
        notes.append(
          "\(path(id)): the file header is not whole: a node was stopped while it made the file.")
        continue
      }
      segments.append(segment)
      segmentCount += 1
      byteCount += UInt64(segment.bytes.byteCount)
      if let before, !before.isContinued(by: segment.header) {
        fault = gap(between: before, and: segment.header)
        return
      }
      before = try read(segment, after: before, &ledger)
      if segment.footer != nil { try judgeUnsealed(scanner) }
      meter.advance(by: UInt64(segment.bytes.byteCount))
    }
  }

  /// What is wrong where a segment does not continue the one before it.
  private func gap(between before: SegmentSummary, and next: SegmentHeader) -> LogFault {
    let due = before.lastIndex.next
    guard next.firstIndex <= due else {
      return LogFault(
        path: path(before.id), offset: before.byteCount, index: due,
        reason:
          "the batches up to \(next.firstIndex.previous.rawValue), before the next segment, are"
          + " missing")
    }
    return LogFault(
      path: path(SegmentID(next.firstIndex)), offset: 0, index: due,
      reason: "the segment does not continue the one before it (cluster, index, event or hash)")
  }

  /// Goes through one segment, and returns what its batches add up to.
  private mutating func read(
    _ segment: ScannedSegment, after before: SegmentSummary?, _ ledger: inout LedgerCheck?
  ) throws(LogError) -> SegmentSummary {
    if hashes.isEmpty { firstIndex = segment.id.firstIndex }
    ledger?.beginSegment(segment.header)
    var iterator = SegmentIterator(segment, lastTerm: before?.lastTerm ?? .zero)
    let isInTree = beginTree(segment)
    while let header = try iterator.next() {
      let offset = iterator.summary.byteCount - UInt64(header.batchByteCount)
      var reason = iterator.withRecords { ledger?.apply(header, $0) }
      if reason == nil, isInTree,
        !iterator.withRecords({ tree.append($0, count: Int(header.count)) })
      {
        reason = "its records are not as many events as its header says"
      }
      if let reason {
        fault = LogFault(
          path: path(segment.id), offset: offset, index: header.index, reason: reason)
        return iterator.summary
      }
      take(header)
    }
    judge(iterator.tail, segment, iterator.summary, ledger, isInTree: isInTree)
    return iterator.summary
  }

  /// Goes on with the tree where the segment begins; false where only its footer could tell where
  /// that is, and it has none: the log does not begin with the first event.
  private mutating func beginTree(_ segment: ScannedSegment) -> Bool {
    tree.beginSegment()
    let due = segment.header.firstSequence.rawValue &- 1
    if tree.frontier.size == due { return true }
    guard segmentCount == 1, let before = segment.footer?.evidence.tree.before else { return false }
    tree = EventTree(before)
    return tree.frontier.size == due
  }

  private mutating func take(_ header: BatchHeader) {
    hashes.append(header.hash)
    batchCount += 1
    eventCount += UInt64(header.count)
    recordsByteCount += UInt64(header.recordsByteCount)
    lastIndex = header.index
    commit = max(commit, header.commit)
  }

  private mutating func judge(
    _ tail: SegmentTail?, _ segment: ScannedSegment, _ summary: SegmentSummary,
    _ ledger: borrowing LedgerCheck?, isInTree: Bool
  ) {
    switch tail {
    case .sealed(let footer):
      sealedCount += 1
      var reason = ledger?.contradiction(footer)
      if reason == nil, isInTree, footer.evidence.tree != tree.segment {
        reason = "the footer's Merkle tree is not that of the events"
      }
      guard let reason else { return }
      fault = LogFault(
        path: path(segment.id), offset: summary.byteCount, index: summary.lastIndex,
        reason: reason)
    case .torn(let offset, let byteCount, let reason):
      judgeTorn(segment, offset, byteCount, reason, summary)
      noteUnsealed(segment, summary)
    case .whole: noteUnsealed(segment, summary)
    case nil: break
    }
  }

  private mutating func noteUnsealed(_ segment: ScannedSegment, _ summary: SegmentSummary) {
    guard unsealed == nil else { return }
    unsealed = (
      segment,
      LogFault(
        path: path(segment.id), offset: summary.byteCount, index: summary.lastIndex.next,
        reason: "the seal is gone: a later segment has one, and they are written in order")
    )
  }

  /// A sealed segment comes after one that was not when it was read: a running node may have sealed
  /// that meanwhile.
  private mutating func judgeUnsealed(
    _ scanner: SegmentScanner<some LogFileSystem>
  ) throws(LogError) {
    guard fault == nil, let (segment, found) = unsealed else { return }
    let again = try scanner.open(segment.id, successor: segment.successor)
    if again?.footer == nil { fault = found }
    unsealed = nil
  }

  /// After the last batch of a segment that has a successor only its footer is missing: what a node
  /// leaves that is stopped while it seals. What is there in full and yet wrong is a fault.
  private mutating func judgeTorn(
    _ segment: ScannedSegment, _ offset: UInt64, _ byteCount: UInt64, _ reason: Damage,
    _ summary: SegmentSummary
  ) {
    let isSealing = segment.successor != nil
    if isSealing && (reason != .truncated || segment.endsWithSealMark) {
      fault = LogFault(
        path: path(segment.id), offset: offset, index: summary.lastIndex.next,
        reason: "the seal is not what was written (\(reason.sentence))")
      return
    }
    notes.append(
      "\(path(segment.id)) at offset \(offset): ends with \(ReportText.count(byteCount, "byte")) "
        + (isSealing
          ? "of an unfinished seal: the node was stopped while it sealed the segment."
          : "of an unfinished write (\(reason.sentence)): never acknowledged, or being written "
            + "now."))
  }
}

extension ScannedSegment {
  /// Whether the file ends with the mark of a sealed one (`Format.md`, "SPFE").
  fileprivate var endsWithSealMark: Bool {
    bytes.withBytes { span in
      span.byteCount >= 4
        && span.extracting(last: 4).withUnsafeBytes { $0.elementsEqual("SPFE".utf8) }
    }
  }
}

/// The ledger that a log's records give, beside what its footers say of it.
private struct LedgerCheck: ~Copyable {
  private var state = LedgerState()
  /// Whether no ledger can be rebuilt: the log does not begin at the first event.
  private var isSkipped = false
  private var digestBefore = Digest256.zero
  private var outcomes: [Outcome] = []
  private var hasBegun = false

  /// The ledger's digest, where there is a ledger.
  var digest: Digest256? { isSkipped ? nil : state.digest }

  mutating func beginSegment(_ header: SegmentHeader) {
    if !hasBegun { isSkipped = header.firstSequence != EventSequence(1) }
    hasBegun = true
    digestBefore = state.digest
  }

  /// Applies a batch; why it cannot be, or nil.
  mutating func apply(_ header: BatchHeader, _ records: borrowing RawSpan) -> String? {
    guard !isSkipped else { return nil }
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
  func contradiction(_ footer: SegmentFooter) -> String? {
    guard !isSkipped else { return nil }
    if footer.evidence.ledgerBefore != digestBefore {
      return "the footer's ledger digest before the segment is not the ledger's"
    }
    if footer.evidence.ledgerAfter != state.digest {
      return "the footer's ledger digest after the segment is not the ledger's"
    }
    return nil
  }
}

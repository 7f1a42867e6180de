package import Bytes
import Evidence
package import Ledger
package import SegmentLog

/// Carries out several jobs at once: calls its second argument with each number below the first, on as
/// many threads as there are cores, and returns when all are done.
package typealias Workers = (Int, @escaping @Sendable (Int) -> Void) -> Void

/// What a log is compared with, beside itself.
struct LogExpectation {
  /// Checkpoints that should tell of this log.
  var checkpoints: [FoundCheckpoint] = []
  /// Where to begin: what lies before is not read.
  var since: FoundCheckpoint?
  /// The files of those that the log may end before: its node may have been behind.
  var mayBeAhead: Set<String> = []
}

/// What re-reading every byte of one log found.
package struct LogVerification: Sendable {
  /// Segments that are checked at the same time.
  private static let windowCount = 8

  /// The directory of segments.
  package let directory: String
  /// Files.
  package private(set) var segmentCount = 0
  /// Files that end with a whole footer.
  package private(set) var sealedCount = 0
  /// Whole batches, up to the first fault of the files.
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
  /// The members by the ledger after ``lastIndex``; nil where no ledger was rebuilt, or the log names none.
  package private(set) var members: [ClusterMember]?
  /// Whose log it is; nil where it is empty.
  package var cluster: ClusterID? { segments.first?.header.clusterID }
  /// The term of the last whole batch.
  package var lastTerm: Term { before?.lastTerm ?? .zero }
  /// The first fault.
  package private(set) var fault: LogFault?
  /// Why the log could not be read at all, or not to its end.
  package private(set) var failure: String?
  /// What is worth knowing and no fault.
  package private(set) var notes: [String] = []
  /// The checkpoints that tell of this very log.
  package private(set) var confirmed: [FoundCheckpoint] = []
  /// Checkpoints that the log ends before, as it may.
  package private(set) var unreached: [FoundCheckpoint] = []
  /// Each batch's hash, from ``firstIndex`` on.
  private(set) var hashes: [Digest256] = []
  /// The first segment that has no whole seal, and what is to be said of it if a later one has one:
  /// seals are written in order.
  private var unsealed: (segment: ScannedSegment, fault: LogFault)?
  /// The tree after the events read, checked against the footers on the way; nil where nobody knows what
  /// goes before it.
  private var edge: MerkleFrontier? = .empty
  /// What the batches read so far add up to, of the last segment read.
  private var before: SegmentSummary?
  private var marks: [LogIndex: CheckpointMark] = [:]
  private(set) var segments: [ScannedSegment] = []

  private init(directory: String) { self.directory = directory }

  /// Re-reads the log in `directory`. `isLedger` says that its records are the replicated events:
  /// then each is decoded, and the footers' digests are compared with a ledger rebuilt on the way.
  init(
    directory: String, isLedger: Bool, expecting: LogExpectation = LogExpectation(),
    in files: some LogFileSystem, workers: Workers, meter: ProgressMeter
  ) {
    self.init(directory: directory)
    let ledger = LedgerJob(isLedger: isLedger)
    do throws(LogError) {
      try read(SegmentScanner(files, directory: directory), expecting, ledger, workers, meter)
    } catch {
      if let fault = LogFault(error, directory: directory) {
        self.fault = fault
      } else {
        failure = AuditError(error, directory: directory).description
      }
    }
    if fault == nil, failure == nil { judge(expecting, ledger) }
    if fault == nil { (ledgerDigest, members) = (ledger.digest, ledger.members) }
  }

  /// The hash of the batch at `index`, if the log has it whole.
  func hash(_ index: LogIndex) -> Digest256? {
    guard index >= firstIndex, index <= lastIndex else { return nil }
    return hashes[Int(index.rawValue - firstIndex.rawValue)]
  }

  func path(_ id: SegmentID) -> String { "\(directory)/\(id.fileName)" }

  private mutating func read(
    _ scanner: SegmentScanner<some LogFileSystem>, _ expecting: LogExpectation,
    _ ledger: LedgerJob, _ workers: Workers, _ meter: ProgressMeter
  ) throws(LogError) {
    var ids = try scanner.segments()
    if let since = expecting.since { try skip(through: since, &ids, scanner) }
    let marking = Set(
      (expecting.checkpoints + [expecting.since].compactMap { $0 }).map(\.checkpoint.index))
    var next = 0
    while next < ids.count, fault == nil {
      let window = try open(&next, ids, scanner)
      let checks = check(window, marking, ledger, workers)
      if let found = try ledger.takeFault() { fault = found }
      var merged: [SegmentCheck] = []
      for check in checks where fault == nil {
        guard try merge(check) else { break }
        merged.append(check)
        if check.segment.footer != nil { try judgeUnsealed(scanner) }
        meter.advance(by: UInt64(check.segment.bytes.byteCount))
      }
      ledger.waiting = merged
    }
    ledger.run(directory, marking)
    if let found = try ledger.takeFault() { fault = found }
  }

  /// Begins with the segment that holds a checkpoint's batch. The tree before it is what the footers
  /// say, which the checkpoint's root vouches for.
  private mutating func skip(
    through since: FoundCheckpoint, _ ids: inout [SegmentID],
    _ scanner: SegmentScanner<some LogFileSystem>
  ) throws(LogError) {
    guard let first = ids.lastIndex(where: { $0.firstIndex <= since.checkpoint.index }), first > 0
    else { return }
    let footer = try scanner.open(ids[first - 1], successor: ids[first])?.footer
    edge = footer?.evidence.tree.after
    notes.append(
      "\(directory): the \(ReportText.count(UInt64(first), "segment")) before the checkpoint's were not"
        + " read, and no ledger was rebuilt.")
    ids.removeFirst(first)
  }

  /// The next segments: as many sealed ones as are checked at once, or one that is not.
  private mutating func open(
    _ next: inout Int, _ ids: [SegmentID], _ scanner: SegmentScanner<some LogFileSystem>
  ) throws(LogError) -> [ScannedSegment] {
    var window: [ScannedSegment] = []
    while next < ids.count, window.count < Self.windowCount {
      let id = ids[next]
      let successor = next + 1 < ids.count ? ids[next + 1] : nil
      let opened: ScannedSegment?
      do throws(LogError) { opened = try scanner.open(id, successor: successor) } catch {
        // What lies before it is looked at first.
        guard window.isEmpty else { return window }
        throw error
      }
      guard let segment = opened else {
        notes.append(
          "\(path(id)): the file header is not whole: a node was stopped while it made the file.")
        next += 1
        continue
      }
      if segment.footer == nil {
        guard window.isEmpty else { return window }
        next += 1
        return [segment]
      }
      window.append(segment)
      next += 1
    }
    return window
  }

  /// Checks segments, each by itself, and replays those before them, all at once.
  private func check(
    _ window: [ScannedSegment], _ marking: Set<LogIndex>, _ ledger: LedgerJob, _ workers: Workers
  ) -> [SegmentCheck] {
    let (directory, edge) = (directory, edge)
    let results = CheckResults(count: window.count)
    workers(window.count + 1) { job in
      guard job > 0 else { return ledger.run(directory, marking) }
      let segment = window[job - 1]
      let known = segment.footer?.evidence.tree.before ?? edge
      results.set(
        SegmentCheck(
          segment, directory: directory, after: known, marking: marking, isLedger: ledger.isLedger),
        job - 1)
    }
    return results.all
  }

  /// Takes in what was found in the next segment, beside what is known of those before it. False where it
  /// does not continue them.
  private mutating func merge(_ check: SegmentCheck) throws(LogError) -> Bool {
    let segment = check.segment
    segments.append(segment)
    segmentCount += 1
    byteCount += UInt64(segment.bytes.byteCount)
    if let before, !before.isContinued(by: segment.header) {
      fault = gap(between: before, and: segment.header)
      return false
    }
    if let before, let term = check.firstTerm, term < before.lastTerm {
      fault = LogFault(
        path: path(segment.id), offset: UInt64(SegmentHeader.byteCount),
        index: segment.id.firstIndex, reason: Damage.termBelow(term).sentence)
      return false
    }
    if hashes.isEmpty { firstIndex = segment.id.firstIndex }
    hashes += check.hashes
    let summary = check.summary
    batchCount += summary.batchCount
    eventCount += summary.eventCount
    recordsByteCount += summary.recordsByteCount
    if summary.batchCount > 0 { lastIndex = summary.lastIndex }
    commit = max(commit, summary.commit)
    marks.merge(check.marks) { first, _ in first }
    before = summary
    if let failure = check.failure { throw failure }
    fault = check.fault
    if fault == nil { judge(check) }
    return true
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

  private mutating func judge(_ check: SegmentCheck) {
    switch check.tail {
    case .sealed(let footer):
      sealedCount += 1
      // A log that begins in the middle: only its first footer tells what goes before.
      let isContinued = edge == check.tree?.before || (segmentCount == 1 && edge == .empty)
      if check.tree != nil, edge != nil, !isContinued || footer.evidence.tree != check.tree {
        fault = LogFault(
          path: path(check.segment.id), offset: check.summary.byteCount,
          index: check.summary.lastIndex,
          reason: "the footer's Merkle tree is not that of the events")
      } else if check.hasOtherIndex {
        fault = LogFault(
          path: path(check.segment.id), offset: check.summary.byteCount,
          index: check.summary.lastIndex,
          reason: "the footer's index is not that of the events")
      }
    case .torn(let offset, let byteCount, let reason):
      judgeTorn(check.segment, offset, byteCount, reason, check.summary)
      noteUnsealed(check.segment, check.summary)
    case .whole: noteUnsealed(check.segment, check.summary)
    case nil: break
    }
    edge = check.tree?.after
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

// MARK: - Checkpoints

extension LogVerification {
  /// Compares the log with the checkpoints that should tell of it.
  private mutating func judge(_ expecting: LogExpectation, _ ledger: LedgerJob) {
    if let since = expecting.since, marks[since.checkpoint.index] == nil {
      fault = contradiction(since, "the log does not hold the batch that \(since.path) tells of")
      return
    }
    let all = expecting.checkpoints + [expecting.since].compactMap { $0 }
    for found in all.sorted(by: { $0.checkpoint.index < $1.checkpoint.index }) {
      let checkpoint = found.checkpoint
      if let distrust = found.distrust {
        fault = contradiction(found, "\(found.path): \(distrust.sentence)")
        return
      }
      guard checkpoint.index >= firstIndex else { continue }
      guard let mark = marks[checkpoint.index] else {
        if expecting.mayBeAhead.contains(found.path) {
          unreached.append(found)
          continue
        }
        fault = contradiction(
          found, "the log ends before the batch that \(found.path) tells of")
        return
      }
      if let part = difference(found.checkpoint, mark, ledger.mark(checkpoint.index)) {
        fault = contradiction(found, "the log is not the one that \(found.path) tells of: \(part)")
        return
      }
      confirmed.append(found)
    }
  }

  private func contradiction(_ found: FoundCheckpoint, _ reason: String) -> LogFault {
    let segment = segments.last { $0.id.firstIndex <= found.checkpoint.index }
    return LogFault(
      path: segment.map { path($0.id) } ?? directory, offset: 0, index: found.checkpoint.index,
      reason: reason)
  }

  private func difference(
    _ checkpoint: LogCheckpoint, _ mark: CheckpointMark, _ ledger: Digest256?
  ) -> String? {
    if checkpoint.lastSequence != mark.lastSequence { return "it has another number of events" }
    if checkpoint.hash != mark.hash { return "its chain of hashes is another" }
    if let root = mark.root, root != checkpoint.root { return "its Merkle tree is another" }
    if let ledger, ledger != checkpoint.ledgerDigest { return "its ledger is another" }
    return nil
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

package import Bytes
package import SegmentLog

/// Whether a pass over the log goes on.
package enum Pass {
  /// To the next batch.
  case proceed
  /// No further.
  case stop
}

/// The one log that several nodes' directories hold together.
///
/// The base is the log that a Raft vote would call the most recent (§5.4.1), as far as its headers
/// are whole. A batch whose records turn out to be damaged there is read from another node that has
/// the batch with the same hash. What is after the largest commit index in any header is the tail:
/// it may yet be replaced, unless more evidence than these files holds says otherwise.
package final class AgreedLog<Files: LogFileSystem> {
  let surveys: [LogSurvey]
  let base: LogSurvey
  /// Largest index that is certainly committed, by the batch headers of any of the logs.
  package let committed: LogIndex
  /// What people should know: damage, torn tails, divergence. Sentences.
  package private(set) var notes: [String] = []
  /// Batches that were read from another log than the base because it is damaged there.
  package private(set) var repairedCount: UInt64 = 0

  /// Told of every batch read.
  package var meter = ProgressMeter()
  let files: Files
  private var opener = BatchOpener()
  private var records: [UInt8] = []

  /// Opens the logs in `directories`.
  package init(_ directories: [String], in files: Files) throws(AuditError) {
    guard !directories.isEmpty else { throw .noSources }
    var surveys: [LogSurvey] = []
    for directory in directories {
      surveys.append(try LogSurvey(try LogSource(directory, in: files), in: files))
    }
    guard let base = surveys.filter({ !$0.isEmpty }).max(by: { $0.recency < $1.recency }) else {
      if let fault = surveys.lazy.compactMap(\.fault).first {
        throw .unreadable(index: fault.index, places: [fault.sentence])
      }
      throw .nothingLogged
    }
    self.files = files
    self.surveys = surveys
    self.base = base
    committed = min(surveys.map(\.commit).max() ?? .zero, base.lastIndex)
    for survey in surveys { note(survey) }
  }

  /// The last batch.
  package var lastIndex: LogIndex { base.lastIndex }
  /// The last event.
  package var lastSequence: EventSequence { base.lastSequence }
  /// How many logs were given.
  package var sourceCount: Int { surveys.count }
  /// How many batches come after ``committed``.
  package var tailCount: UInt64 { base.lastIndex.rawValue - committed.rawValue }

  private func note(_ survey: LogSurvey) {
    if let fault = survey.fault {
      notes.append(
        survey.isTornTail
          ? "\(survey.source.label): ends in a torn write (\(fault.sentence)); it was never "
            + "acknowledged and is left out."
          : "\(survey.source.label): damaged (\(fault.sentence)); what follows is read from the "
            + "other nodes, if they have it.")
    }
    guard !survey.isEmpty else {
      notes.append("\(survey.source.label): no batch in it.")
      return
    }
    let last = min(survey.lastIndex, base.lastIndex)
    guard let theirs = survey.place(last), let ours = base.place(last), theirs.hash != ours.hash
    else { return }
    let first = firstDivergence(survey, base)?.rawValue ?? last.rawValue
    notes.append(
      "\(survey.source.label): holds another history than \(base.source.label) from index \(first)"
        + (LogIndex(first) > committed ? ", in the uncommitted tail." : ": run verify."))
  }

  /// Adds a sentence to ``notes``.
  func note(_ sentence: String) { notes.append(sentence) }

  /// Calls `body` with one batch's header and records, verified.
  func withBatch(
    _ index: LogIndex, _ body: (BatchHeader, borrowing RawSpan) throws(AuditError) -> Void
  ) throws(AuditError) {
    let header = try load(index)
    let records = records
    meter.advance(by: UInt64(header.batchByteCount))
    try body(header, records.span.bytes)
  }

  /// Calls `body` with each batch's header and records in order, verified, up to `limit`.
  package func forEachBatch(
    through limit: LogIndex,
    _ body: (BatchHeader, borrowing RawSpan) throws(AuditError) -> Pass
  ) throws(AuditError) {
    var index = base.firstIndex
    while index <= min(limit, base.lastIndex) {
      let header = try load(index)
      let records = records
      meter.advance(by: UInt64(header.batchByteCount))
      guard case .proceed = try body(header, records.span.bytes) else { return }
      index = index.next
    }
  }

  /// Reads one batch into ``records``: from the base, or where it is damaged there, from another.
  private func load(_ index: LogIndex) throws(AuditError) -> BatchHeader {
    guard let expected = base.place(index) else {
      throw .beyondEnd(asked: index, last: base.lastIndex)
    }
    if let header = open(expected, of: base) { return header }
    var places = [base.describe(expected)]
    for survey in surveys {
      guard let place = survey.place(index), survey.source != base.source,
        place.hash == expected.hash
      else { continue }
      if let header = open(place, of: survey) {
        repairedCount += 1
        if repairedCount == 1 {
          notes.append(
            "\(places[0]) is damaged at index \(index.rawValue); read from "
              + "\(survey.source.label) instead.")
        }
        return header
      }
      places.append(survey.describe(place))
    }
    throw .unreadable(index: index, places: places)
  }

  private func open(_ place: BatchPlace, of survey: LogSurvey) -> BatchHeader? {
    let bytes = survey.segments[place.segment].bytes
    return bytes.withBytes { span in
      guard let header = try? BatchHeader.decode(at: place.offset, in: span),
        header.hash == place.hash
      else { return nil }
      let batch = span.extracting(place.offset..<place.offset + header.batchByteCount)
      do throws(BatchError) {
        try opener.openRecords(header, batch: batch, into: &records)
        return header
      } catch {
        return nil
      }
    }
  }
}

/// The first index at which two logs hold different batches; nil where one is the other's prefix.
///
/// Chained hashes: once different, always different; so a binary search finds it.
func firstDivergence(_ left: LogSurvey, _ right: LogSurvey) -> LogIndex? {
  guard !left.isEmpty, !right.isEmpty else { return nil }
  var low = max(left.firstIndex, right.firstIndex).rawValue
  var high = min(left.lastIndex, right.lastIndex).rawValue
  guard low <= high else { return nil }
  let differs = { (index: UInt64) in
    left.place(LogIndex(index))?.hash != right.place(LogIndex(index))?.hash
  }
  guard differs(high) else { return nil }
  while low < high {
    let middle = low + (high - low) / 2
    if differs(middle) { high = middle } else { low = middle + 1 }
  }
  return LogIndex(low)
}

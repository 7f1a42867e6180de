import Bytes
import HybridTime
import SegmentLog

/// Reads a node's journal, batch by batch, as far as it can be read.
///
/// A journal is evidence beside the log: what is damaged in it is told, and ends no audit.
final class JournalReader<Files: LogFileSystem> {
  /// The directory.
  let directory: String
  /// What people should know: sentences.
  private(set) var notes: [String] = []
  private var log: AgreedLog<Files>?
  private var next = LogIndex.zero
  private var newest: Stamp?

  init(_ directory: String, in files: Files) {
    self.directory = directory
    do throws(AuditError) {
      let log = try AgreedLog([directory], in: files)
      self.log = log
      next = log.base.firstIndex
      notes = log.notes
    } catch {
      switch error {
      case .nothingLogged, .emptyDirectory: break
      default: notes.append("\(directory): \(error)")
      }
    }
  }

  /// What tells this journal from any other: its first batch; nil where it has none.
  var origin: Digest256? { log.flatMap { $0.base.place($0.base.firstIndex)?.hash } }

  /// Its last batch; zero where it has none.
  var lastIndex: LogIndex { log?.lastIndex ?? .zero }

  /// Whether nothing is left to be read.
  var isAtEnd: Bool { log.map { next > $0.lastIndex } ?? true }

  /// The time of what was read last.
  func newestNanoseconds(_ order: TimelineOrder) -> Int64 { newest?.time(order) ?? .min }

  /// Calls `body` with the next batch; false at the end.
  func nextBatch(
    _ body: (BatchHeader, borrowing RawSpan) throws(AuditError) -> Void
  ) -> Bool {
    guard let log, next <= log.lastIndex else { return false }
    do throws(AuditError) {
      try log.withBatch(next) { header, records throws(AuditError) in
        newest = header.stamp
        try body(header, records)
      }
      next = next.next
      return true
    } catch {
      notes.append(
        "\(directory): what follows batch \(next.previous.rawValue) is left out: \(error)")
      self.log = nil
      return false
    }
  }
}

import Bytes
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

  /// Calls `body` with the next batch; false at the end.
  func nextBatch(
    _ body: (BatchHeader, borrowing RawSpan) throws(AuditError) -> Void
  ) -> Bool {
    guard let log, next <= log.lastIndex else { return false }
    do throws(AuditError) {
      try log.withBatch(next, body)
      next = next.next
      return true
    } catch {
      notes.append("\(directory): what follows batch \(next.previous.rawValue) is left out: \(error)")
      self.log = nil
      return false
    }
  }
}

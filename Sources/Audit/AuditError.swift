package import Bytes
package import Evidence
package import Ledger
package import SegmentLog

/// Why an audit could not be made. ``description`` is a sentence for people.
package enum AuditError: Error, Sendable, CustomStringConvertible {
  /// No directory was given.
  case noSources
  /// A file operation failed.
  case file(FileError)
  /// The directory has nothing in it.
  case emptyDirectory(String)
  /// The directory has files, but neither `log/` nor segments.
  case notALog(String)
  /// None of the directories holds a batch.
  case nothingLogged
  /// The log that all others agree with does not begin at its first batch.
  case incomplete(first: LogIndex)
  /// A batch is damaged in every copy that was given.
  case unreadable(index: LogIndex, places: [String])
  /// The ledger refused a batch: its records are not what a node writes.
  case ledger(index: LogIndex, LedgerError)
  /// A record cannot be read.
  case record(index: LogIndex, DecodeError)
  /// No batch has the index that was asked for.
  case beyondEnd(asked: LogIndex, last: LogIndex)
  /// The archive's file is not sealed, or tells another history than the log's.
  case archiveDiffers(String)
  /// The archive would be among the files of a node.
  case archiveIsNode(String)
  /// A segment in the middle of the log has lost its seal.
  case notSealed(String)
  /// A file of evidence is not what it should be.
  case evidence(String, EvidenceError)
  /// The report could not be written.
  case output(OutputError)

  /// What happened and what to do.
  package var description: String {
    switch self {
    case .noSources: "Give at least one node's data directory."
    case .file(let error): error.sentence
    case .emptyDirectory(let path):
      "\(path) is empty: give a node's data directory (it has log/ inside) or a directory of "
        + "segments (*.lz4)."
    case .notALog(let path):
      "\(path) holds neither log/ nor segments (twenty digits and .lz4): give a node's data "
        + "directory."
    case .nothingLogged: "The logs are empty: no batch has been written yet."
    case .incomplete(let first):
      "The log begins at index \(first.rawValue); ledgers can only be rebuilt from index 1. Give "
        + "a directory that has the segments before it too."
    case .unreadable(let index, let places):
      "Batch \(index.rawValue) is damaged in every copy given (\(places.joined(separator: "; "))). "
        + "Give another node's directory too, or run verify."
    case .ledger(let index, let error):
      "The ledger refused batch \(index.rawValue): \(error.sentence)"
    case .record(let index, let error):
      "A record of batch \(index.rawValue) cannot be read: \(error.sentence)"
    case .beyondEnd(let asked, let last):
      "There is no batch \(asked.rawValue): the log ends at \(last.rawValue)."
    case .archiveDiffers(let path):
      "\(path) is not this log's segment, or not whole: remove it, or give another archive."
    case .archiveIsNode(let path):
      "\(path) is a node's own directory: give the archive one of its own."
    case .notSealed(let path):
      "\(path) has lost its seal, and is not in the archive: verify the log, and let its node mend it."
    case .evidence(let path, let error): "\(path): \(error.sentence)."
    case .output(.closed): "The reader of the output has gone away."
    case .output(.failed(let errno)): "The output could not be written (\(errnoText(errno)))."
    }
  }
}

/// Runs a file operation, and wraps its error.
func filing<T>(_ body: () throws(FileError) -> T) throws(AuditError) -> T {
  do { return try body() } catch { throw .file(error) }
}

/// Runs something that writes, and wraps its error.
func writing<T>(_ body: () throws(OutputError) -> T) throws(AuditError) -> T {
  do { return try body() } catch { throw .output(error) }
}

/// Runs something that decodes records of the batch at `index`, and wraps its error.
func decoding<T>(
  _ index: LogIndex, _ body: () throws(DecodeError) -> T
) throws(AuditError) -> T {
  do { return try body() } catch { throw .record(index: index, error) }
}

/// The commonest error numbers in words (errno(3); they are the same on Linux and Darwin).
private func errnoText(_ number: Int32) -> String {
  switch number {
  case 1: "operation not permitted"
  case 2: "no such file or directory"
  case 5: "input/output error"
  case 13: "permission denied"
  case 20: "not a directory"
  case 21: "is a directory"
  case 28: "no space left"
  default: "error \(number)"
  }
}

extension FileError {
  /// What happened, in words.
  package var sentence: String {
    switch (operation, errno) {
    case (.list, 2): "\(path): there is no such directory."
    case (.list, 20): "\(path) is a file: give the node's data directory that holds it."
    default: "\(path): \(operation.rawValue) failed: \(errnoText(errno))."
    }
  }
}

extension DecodeError {
  /// What is wrong, in words.
  package var sentence: String {
    switch self {
    case .truncated(let offset): "it ends too early, at byte \(offset) of the records"
    case .malformedVarint(let offset): "malformed number at byte \(offset) of the records"
    case .invalidField(let field, let offset):
      "field \(field) at byte \(offset) of the records holds what no node writes"
    }
  }
}

extension LedgerError {
  /// What is wrong, in words.
  package var sentence: String {
    switch self {
    case .sequenceGap(let expected, let found):
      "event \(expected.rawValue) is due, event \(found.rawValue) stands there"
    case .sequenceBeyondLimit(let sequence): "event number \(sequence.rawValue) is over the limit"
    case .damagedRecord(let sequence, let error):
      "event \(sequence.rawValue): \(error.sentence)"
    case .unknownKind(let kind, let sequence):
      "event \(sequence.rawValue) is of kind \(kind), which a newer version wrote"
    case .countMismatch(let expected, let found):
      "it should hold \(expected) events and holds \(found) or more"
    case .pastUnreadable(let segment):
      "\(SegmentID(segment).fileName) cannot be searched for an old transaction id"
    case .broken: "an earlier batch failed"
    }
  }
}

extension BatchError {
  /// What is wrong, in words.
  package var sentence: String {
    switch self {
    case .recordsTooLarge(let byteCount): "its records are too large (\(byteCount) bytes)"
    case .truncated: "the file ends inside it"
    case .trailingBytes(let byteCount): "\(byteCount) bytes follow it"
    case .notABatch: "no batch begins here"
    case .unsupportedVersion(let version): "format version \(version) is not known"
    case .invalidField(let field): "its \(field) holds what no node writes"
    case .checkMismatch: "its header is not what was written (check differs)"
    case .invalidFrame: "its LZ4 frame does not decode to the announced length"
    case .hashMismatch: "its bytes are not those that were hashed"
    }
  }
}

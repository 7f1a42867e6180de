import Bytes
package import Evidence
import Ledger
package import SegmentLog

/// Why a backup could not be made, or cannot be used.
package enum BackupProblem: Error, Sendable {
  /// The directory for it, or for what is restored, is there and not empty.
  case taken(String)
  /// It was not finished: its list of files is missing.
  case unfinished(String)
  /// A file is not the one that the list tells of.
  case changed(String)
  /// The files are not the log that the checkpoint tells of; why, in words.
  case unproven(String)
  /// The log has no such member.
  case notAMember(UInt16)
  /// A file, or what is in it.
  case audit(AuditError)
  /// The hard state could not be made.
  case log(LogError)

  /// What happened and what to do.
  package var sentence: String {
    switch self {
    case .taken(let path): "\(path) is there already and not empty: give another directory."
    case .unfinished(let path):
      "\(path) is no finished backup (\(BackupLayout.listName) is missing): it was interrupted, and must"
        + " not be used. Make it again."
    case .changed(let path): "\(path) is not the file that the backup was made with."
    case .unproven(let reason): "the log is not what its signed checkpoint tells of: \(reason)"
    case .notAMember(let number):
      "by the log, \(number) is no member's number: a node under a new one is added to a cluster, and gets"
        + " the log from it."
    case .audit(let error): error.description
    case .log(let error): error.sentence
    }
  }
}

/// The names of a backup's files.
package enum BackupLayout {
  /// The list of all files with their SHA-256, as sha256sum(1) writes it.
  package static let listName = "SHA256SUMS"
  /// What an unfinished one's name ends with.
  package static let partialSuffix = ".partial"
  static let checkpointName = "checkpoint"
  static let policyName = "trust-policy"
  static let logName = "log"
}

/// A copy of a log up to a signed checkpoint: `log/` with its segments, `checkpoint`, `trust-policy`, and
/// `SHA256SUMS`, which is written last. Under its own name only when it is complete.
package struct BackupDirectory<Files: LogFileSystem> {
  /// Where it will be.
  package let path: String
  private let files: Files

  /// A backup at `path`, to be begun or gone on with. Errors: a finished one, or anything else, is there.
  package init(making path: String, in files: Files) throws(BackupProblem) {
    self.path = path
    self.files = files
    if let names = try? files.list(path), !names.isEmpty { throw .taken(path) }
    let log = log
    try backing { () throws(FileError) in try files.createDirectory(log) }
  }

  /// Where it is while it is made.
  package var partial: String { path + BackupLayout.partialSuffix }

  private var log: String { "\(partial)/\(BackupLayout.logName)" }

  private func name(_ segment: SegmentID) -> String { "\(log)/\(segment.fileName)" }

  /// How many bytes of a segment an interrupted run has left. They count only once the whole is verified.
  package func byteCount(of segment: SegmentID) -> UInt64 {
    (try? files.open(name(segment), .read).size()) ?? 0
  }

  /// Writes a piece of a segment at `offset`, the end of what is there.
  package func write(
    _ bytes: [UInt8], to segment: SegmentID, at offset: UInt64
  ) throws(BackupProblem) {
    let (files, name) = (files, name(segment))
    try backing { () throws(FileError) in
      let file = try files.open(name, offset == 0 ? .create : .update)
      try file.write(bytes.span.bytes, at: offset)
    }
  }

  /// Forgets what is there of a segment, to begin it anew.
  package func remove(_ segment: SegmentID) { try? files.remove(name(segment)) }

  /// Cuts what lies after the checkpoint, verifies everything before it, and gives the backup its name.
  package func finish(
    _ note: SignedNote, policy: String, workers: @escaping Workers, meter: ProgressMeter
  ) throws(BackupProblem) {
    let checkpoint: LogCheckpoint
    do throws(EvidenceError) { checkpoint = try LogCheckpoint(note) } catch {
      throw .audit(.evidence(BackupLayout.checkpointName, error))
    }
    try files.cut(log, after: checkpoint.index)
    let (files, partial, path, log) = (files, partial, path, log)
    let checkpointPath = "\(partial)/\(BackupLayout.checkpointName)"
    let policyPath = "\(partial)/\(BackupLayout.policyName)"
    try backing { () throws(FileError) in
      try files.replace(checkpointPath, Array(note.description.utf8))
      try files.replace(policyPath, Array(policy.utf8))
    }
    _ = try files.prove(
      log, checkpoint: checkpointPath, policy: policyPath, workers: workers, meter: meter)
    try backing { () throws(FileError) in
      var lines: [String] = []
      let segments = try files.list(log)
      for name in [BackupLayout.checkpointName, BackupLayout.policyName]
        + segments.map({ "\(BackupLayout.logName)/\($0)" })
      {
        try files.open("\(partial)/\(name)", .update).sync()
        lines.append("\(try files.digest("\(partial)/\(name)").hexadecimal)  \(name)\n")
      }
      try files.syncDirectory(log)
      try files.replace("\(partial)/\(BackupLayout.listName)", Array(lines.joined().utf8))
      try files.syncDirectory(partial)
      try files.rename(partial, to: path)
      try files.syncDirectory(LogSource.parent(of: path))
    }
  }
}

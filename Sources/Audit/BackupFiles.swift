import Bytes
import Evidence
import SegmentLog

extension LogFileSystem {
  /// Puts a file's bytes in place of what has the name, durably.
  func replace(_ path: String, _ bytes: [UInt8]) throws(FileError) {
    try? remove(path)
    let file = try open(path, .create)
    try file.write(bytes.span.bytes, at: 0)
    try file.sync()
  }

  /// A file's SHA-256.
  func digest(_ path: String) throws(FileError) -> Digest256 {
    var hasher = Digest256Hasher()
    try forEachPiece(of: path) { piece, _ in
      hasher.update(piece.span.bytes)
      return true
    }
    return hasher.finalize()
  }

  /// Cuts a log after a batch: later segments go, and of its own what follows it.
  func cut(_ log: String, after index: LogIndex) throws(BackupProblem) {
    let scanner = SegmentScanner(self, directory: log)
    let ids = try reading(log) { () throws(LogError) in try scanner.segments() }
    for id in ids where id.firstIndex > index { try? remove("\(log)/\(id.fileName)") }
    guard let last = ids.last(where: { $0.firstIndex <= index }),
      let segment = try reading(
        log,
        { () throws(LogError) in
          try scanner.open(last, successor: nil)
        })
    else { throw .unproven("it has no batch up to \(index.rawValue)") }
    let end = try reading(log) { () throws(LogError) -> (index: LogIndex, byteCount: UInt64) in
      var iterator = SegmentIterator(segment)
      while iterator.summary.lastIndex < index, try iterator.next() != nil {}
      return (iterator.summary.lastIndex, iterator.summary.byteCount)
    }
    guard end.index == index else {
      throw .unproven("it ends with batch \(end.index.rawValue), before \(index.rawValue)")
    }
    // A seal goes too: a log goes on in its last segment, and nothing is ever added to a sealed one.
    try backing { () throws(FileError) in
      try open("\(log)/\(last.fileName)", .update).truncate(to: end.byteCount)
    }
  }

  /// Verifies a log up to a signed checkpoint by replay, and returns what was found.
  func prove(
    _ log: String, checkpoint: String, policy: String, workers: @escaping Workers,
    meter: ProgressMeter
  ) throws(BackupProblem) -> LogVerification {
    var options = VerifyOptions()
    options.checkpointPaths = [checkpoint]
    options.policyPath = policy
    options.workers = workers
    let report: VerifyReport
    do throws(AuditError) {
      report = try VerifyReport([log], options, in: self, meter: meter)
    } catch {
      throw .audit(error)
    }
    guard let verified = report.nodes.first?.log else {
      throw .unproven(report.nodes.first?.failure ?? "it cannot be read")
    }
    if let fault = report.nodes.first?.fault { throw .unproven(fault.sentence) }
    if let failure = report.nodes.first?.failures.first { throw .unproven(failure) }
    guard verified.confirmed.contains(where: { $0.path == checkpoint }),
      verified.ledgerDigest != nil
    else { throw .unproven(report.checkpoints.problems.first ?? "no ledger could be rebuilt") }
    return verified
  }
}

/// Runs file operations, and wraps their error.
func backing<T>(_ body: () throws(FileError) -> T) throws(BackupProblem) -> T {
  do { return try body() } catch { throw .audit(.file(error)) }
}

/// Runs what reads a log, and wraps its error.
private func reading<T>(
  _ log: String, _ body: () throws(LogError) -> T
) throws(BackupProblem) -> T {
  do { return try body() } catch { throw .audit(AuditError(error, directory: log)) }
}

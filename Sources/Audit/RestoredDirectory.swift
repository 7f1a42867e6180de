import Bytes
import Evidence
import Ledger
package import SegmentLog

/// A node's data directory, made from a backup.
package struct RestoredDirectory: Sendable {
  /// The data directory.
  package let path: String
  /// What the log tells of it, verified by replay.
  package let log: LogVerification

  /// Copies the backup at `backup` into a new data directory for the node with `number`, and gives it its
  /// name only when every byte and every hash has been verified and the ledger replayed to the signed
  /// checkpoint. `policyPath`: whose signatures count; by default those that the backup was made with.
  ///
  /// The node abstains from votes until it holds an entry of a later leader: others may have
  /// acknowledged what came after the backup. `newStore` names its data directory where the log does not.
  package init(
    _ backup: String, at path: String, number: UInt16, policyPath: String?, newStore: UInt64,
    in files: some LogFileSystem, workers: @escaping Workers, meter: ProgressMeter
  ) throws(BackupProblem) {
    if let names = try? files.list(path), !names.isEmpty { throw .taken(path) }
    let names = try Self.requireWhole(backup, files)
    let partial = path + BackupLayout.partialSuffix
    let log = "\(partial)/\(BackupLayout.logName)"
    try backing { () throws(FileError) in
      try files.createDirectory(log)
      for old in try files.list(log) { try files.remove("\(log)/\(old)") }
      for name in names where name.hasPrefix(BackupLayout.logName + "/") {
        try files.copy("\(backup)/\(name)", to: "\(partial)/\(name)")
      }
      try files.syncDirectory(log)
    }
    let verified = try files.prove(
      log, checkpoint: "\(backup)/\(BackupLayout.checkpointName)",
      policy: policyPath ?? "\(backup)/\(BackupLayout.policyName)", workers: workers, meter: meter)
    try Self.writeHardState(verified, partial, number: number, newStore: newStore, files)
    try backing { () throws(FileError) in
      try? files.remove(path)
      try files.rename(partial, to: path)
      try files.syncDirectory(LogSource.parent(of: path))
    }
    self.path = path
    self.log = verified
  }

  /// Whether a backup was finished and nothing in it has changed since; returns its files.
  private static func requireWhole(
    _ backup: String, _ files: some LogFileSystem
  ) throws(BackupProblem) -> [String] {
    let list = "\(backup)/\(BackupLayout.listName)"
    let present = try backing { () throws(FileError) in try files.list(backup) }
    guard present.contains(BackupLayout.listName) else { throw .unfinished(backup) }
    let text = try backing { () throws(FileError) -> String in
      let file = try files.open(list, .read)
      let size = min(try file.size(), listByteCountMax)
      return String(decoding: try file.read(at: 0, count: Int(size)), as: UTF8.self)
    }
    var names: [String] = []
    for line in text.split(separator: "\n") {
      guard let gap = line.firstRange(of: "  "),
        let digest = Digest256(hexadecimal: String(line[..<gap.lowerBound]))
      else { throw .changed(list) }
      let name = String(line[gap.upperBound...])
      guard isName(name) else { throw .changed(list) }
      let found = try? files.digest("\(backup)/\(name)")
      guard found == digest else { throw .changed("\(backup)/\(name)") }
      names.append(name)
    }
    let segments = try backing { () throws(FileError) in
      try files.list("\(backup)/\(BackupLayout.logName)")
    }
    for name in segments where !names.contains("\(BackupLayout.logName)/\(name)") {
      throw .changed("\(backup)/\(BackupLayout.logName)/\(name)")
    }
    return names
  }

  /// Most bytes of the list of files.
  private static let listByteCountMax: UInt64 = 16 << 20

  /// Whether a list names what a backup has, and nothing outside of it.
  private static func isName(_ name: String) -> Bool {
    if [BackupLayout.checkpointName, BackupLayout.policyName].contains(name) { return true }
    let prefix = BackupLayout.logName + "/"
    return name.hasPrefix(prefix)
      && SegmentID(fileName: String(name.dropFirst(prefix.count))) != nil
  }

  private static func writeHardState(
    _ log: LogVerification, _ directory: String, number: UInt16, newStore: UInt64,
    _ files: some LogFileSystem
  ) throws(BackupProblem) {
    var store = newStore
    if let members = log.members {
      guard let member = members.first(where: { $0.id == NodeID(number) }) else {
        throw .notAMember(number)
      }
      if member.store != 0 { store = member.store }
    }
    guard let cluster = log.cluster else { throw .unproven("the log is empty") }
    try? files.remove("\(directory)/\(hardStateName)")
    do throws(LogError) {
      var file = try HardStateFile(
        files, directory: directory, clusterID: cluster, logIsEmpty: true, newStore: store)
      try file.write(
        HardState(
          term: log.lastTerm, knownDurable: log.lastIndex, isTailSuspect: true, store: store))
    } catch {
      throw .log(error)
    }
  }

  private static let hardStateName = "hardstate"
}

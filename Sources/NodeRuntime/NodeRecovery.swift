package import Ledger
package import Raft
package import Replica
package import SegmentLog

/// A node's data directory, read: its replica, and the storage to go on with.
///
/// A server and a simulator start a node by this same code; they differ in the file system.
package struct NodeRecovery<FileSystem: LogFileSystem>: ~Copyable {
  /// Where batches lie, for readers beside the writer.
  package let positions: LogPositions
  /// Where the replicated log lies.
  package let logDirectory: String
  /// The members with their addresses, by the log, or by the configuration until the log says.
  package let members: [ClusterMember]
  /// What opening the log found and cut.
  package let report: RecoveryReport
  /// The term and vote that the disk remembered.
  package let hardState: Raft.HardState
  /// The last entry that was applied, from what the disk vouches for.
  package let applied: EntryID
  private var replica: Replica?
  private var worker: StorageWorker<FileSystem>?

  /// Reads the whole log, applies what is known to be committed to `ledger`, which is empty, and
  /// seals what a crash left unsealed. `seed` is for the replica's own chances.
  ///
  /// Errors: the files', damage, and a log that the ledger cannot apply (`stopped`).
  package init(
    _ files: FileSystem, directory: String, configuration: ReplicaConfiguration,
    ledger: consuming LedgerState, seed: UInt64
  ) throws(LogError) {
    let logDirectory = directory + "/log"
    let isEmpty = try Self.isEmpty(files, logDirectory)
    let hardStateFile = try HardStateFile(
      files, directory: directory, clusterID: configuration.cluster, logIsEmpty: isEmpty)
    let remembered = hardStateFile.state
    var recovery = ReplicaRecovery(
      configuration: configuration, knownCommitted: remembered.knownDurable, ledger: ledger)
    var store = try SegmentStore.open(
      files, directory: logDirectory, clusterID: configuration.cluster,
      recovery: RecoveryOptions(knownDurable: remembered.knownDurable),
      visiting: { try recovery.restore($0) })
    let unsealed = store.unsealedSegments.map(\.id.firstIndex)
    for seal in recovery.seals where unsealed.contains(seal.segment) {
      try store.seal(
        segment: seal.segment, ledgerBefore: seal.ledgerBefore, ledgerAfter: seal.ledgerAfter)
    }
    self.logDirectory = logDirectory
    positions = store.positions
    report = store.recoveryReport
    hardState = Raft.HardState(term: remembered.term, vote: remembered.vote)
    applied = recovery.applied
    worker = StorageWorker(store: store, hardState: hardStateFile)
    let replica = Replica(
      configuration: configuration, recovery: recovery, hardState: hardState, seed: seed)
    members = replica.members
    self.replica = consume replica
  }

  private static func isEmpty(
    _ files: FileSystem, _ logDirectory: String
  ) throws(LogError) -> Bool {
    do throws(FileError) {
      try files.createDirectory(logDirectory)
      return try !files.list(logDirectory).contains { SegmentID(fileName: $0) != nil }
    } catch {
      throw .file(error)
    }
  }

  /// The replica, once.
  package mutating func takeReplica() -> Replica {
    guard let replica = replica.take() else { preconditionFailure("taken once") }
    return replica
  }

  /// The storage, once.
  package mutating func takeWorker() -> StorageWorker<FileSystem> {
    guard let worker = worker.take() else { preconditionFailure("taken once") }
    return worker
  }
}

package import Bytes
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
  /// The random number that this data directory was made with.
  package let store: UInt64
  /// What opening the log found and cut.
  package let report: RecoveryReport
  /// The term and vote that the disk remembered.
  package let hardState: Raft.HardState
  /// Whether this node may have lost what it acknowledged, and abstains from votes for a while.
  package let isTailSuspect: Bool
  /// Whether it would abstain, but for the operator's word.
  package let wasVouchedFor: Bool
  /// The last entry that was applied, from what the disk vouches for.
  package let applied: EntryID
  /// The snapshot from which this began, or nil where the whole log was replayed.
  package let snapshot: SnapshotID?
  /// The last event in that snapshot; zero where there is none.
  package let snapshotSequence: EventSequence
  /// Snapshots that could not be used, and why.
  package let snapshotNotes: [SnapshotNote]
  private var replica: Replica?
  private var worker: StorageWorker<FileSystem>?

  /// Reads the newest snapshot that fits the log, and the log after it, or all of the log where no
  /// snapshot does; applies what is known to be committed, and seals what a crash left unsealed.
  ///
  /// `seed` is for the replica's own chances, `ledgerSeed` places things in the tables of a ledger
  /// that begins empty. `isVouchedFor`: the operator says that nothing committed is missing from this
  /// log although the disk has lost some of it: the node votes as if it had not. Errors: the files',
  /// damage, a log that the ledger cannot apply (`stopped`),
  /// and one that ends before a snapshot does (`lost`): what was applied was durable.
  package init(
    _ files: FileSystem, directory: String, configuration: ReplicaConfiguration,
    ledgerSeed: UInt64, seed: UInt64, isVouchedFor: Bool = false
  ) throws(LogError) {
    let logDirectory = directory + "/log"
    let isEmpty = try Self.isEmpty(files, logDirectory)
    var hardStateFile = try HardStateFile(
      files, directory: directory, clusterID: configuration.cluster, logIsEmpty: isEmpty,
      newStore: Self.newStore(seed: seed))
    var configuration = configuration
    configuration.store = hardStateFile.state.store
    var remembered = hardStateFile.state
    let start = RecoveryStart(
      files: files, logDirectory: logDirectory, configuration: configuration,
      knownDurable: remembered.knownDurable, ledgerSeed: ledgerSeed)
    let snapshots = SnapshotDirectory(
      files, dataDirectory: directory, clusterID: configuration.cluster)
    // They take room, and a node without room makes no snapshot that would remove them.
    try? snapshots.removeLeftovers()
    let opened = try start.open(snapshots)
    var distrusted: Term?
    let isSuspect = remembered.isTailSuspect
    if isSuspect {
      // A term of its own: leaders of earlier terms count acknowledgements that are lost here.
      distrusted = isVouchedFor ? nil : remembered.term
      remembered.isTailSuspect = !isVouchedFor
      remembered.term = max(remembered.term.next, opened.store.lastTerm)
      remembered.vote = nil
      try hardStateFile.write(remembered)
    }
    guard remembered.term >= opened.store.lastTerm else {
      // A term is durable before its entries: the hard state is not this log's.
      throw .hardStateDamaged(path: directory + "/" + HardStateFile<FileSystem>.fileName)
    }
    store = configuration.store
    self.logDirectory = logDirectory
    positions = opened.store.positions
    report = opened.store.recoveryReport
    hardState = Raft.HardState(term: remembered.term, vote: remembered.vote)
    applied = opened.recovery.applied
    isTailSuspect = distrusted != nil
    wasVouchedFor = isSuspect && isVouchedFor
    snapshot = opened.recovery.began.map { SnapshotID($0.index) }
    snapshotSequence = opened.recovery.began?.lastSequence ?? .zero
    snapshotNotes = opened.notes
    worker = StorageWorker(store: opened.store, hardState: hardStateFile)
    let replica = Replica(
      configuration: configuration, recovery: opened.recovery, hardState: hardState,
      distrusted: distrusted, seed: seed)
    members = replica.members
    self.replica = consume replica
  }

  private static func newStore(seed: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: seed)
    return UInt64.random(in: 1 ... .max, using: &generator)
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

import Bytes
import HostFiles
import Ledger
import Logging
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// What a node's data directory gives back: its replica and the storage to go on with.
struct RecoveredNode: ~Copyable {
  private var replica: Replica?
  private var worker: StorageWorker<PosixFileSystem>?
  /// Where batches lie, for readers beside the writer.
  let positions: LogPositions

  /// Reads the whole log, applies what is known to be committed, and seals what a crash left
  /// unsealed.
  init(_ settings: NodeSettings, logger: Logger) throws {
    let configuration = settings.replica
    let directory = Self.logDirectory(settings)
    let files = PosixFileSystem()
    let start = ContinuousClock.now
    try files.createDirectory(directory)
    let isEmpty = try !files.list(directory).contains { SegmentID(fileName: $0) != nil }
    do {
      let hardStateFile = try HardStateFile(
        files, directory: settings.dataDirectory, clusterID: configuration.cluster,
        logIsEmpty: isEmpty)
      let hardState = hardStateFile.state
      var recovery = ReplicaRecovery(
        configuration: configuration, knownCommitted: hardState.knownDurable,
        ledger: LedgerState(seed: UInt64.random(in: 0 ... .max)))
      var store = try SegmentStore.open(
        files, directory: directory, clusterID: configuration.cluster,
        recovery: RecoveryOptions(knownDurable: hardState.knownDurable),
        visiting: { try recovery.restore($0) })
      for cut in store.recoveryReport.cuts {
        logger.warning(
          "torn bytes at the end of the log were cut",
          metadata: [
            "segment": "\(cut.segment)", "offset": "\(cut.offset)", "bytes": "\(cut.byteCount)",
          ])
      }
      let unsealed = store.unsealedSegments.map(\.id.firstIndex)
      for seal in recovery.seals where unsealed.contains(seal.segment) {
        try store.seal(
          segment: seal.segment, ledgerBefore: seal.ledgerBefore, ledgerAfter: seal.ledgerAfter)
      }
      positions = store.positions
      let report = store.recoveryReport
      logger.notice(
        "log recovered",
        metadata: [
          "events": "\(report.eventCount)", "batches": "\(report.batchCount)",
          "segments": "\(report.segmentCount)", "applied": "\(recovery.applied.index.rawValue)",
          "term": "\(hardState.term.rawValue)", "took": "\(ContinuousClock.now - start)",
        ])
      worker = StorageWorker(store: store, hardState: hardStateFile)
      replica = Replica(
        configuration: configuration, recovery: recovery,
        hardState: Raft.HardState(term: hardState.term, vote: hardState.vote),
        seed: UInt64.random(in: 0 ... .max))
    } catch {
      throw StartProblem.log(error)
    }
  }

  /// Where a node's replicated log lies.
  static func logDirectory(_ settings: NodeSettings) -> String {
    settings.dataDirectory + "/log"
  }

  /// The replica, once.
  mutating func takeReplica() -> Replica {
    guard let replica = replica.take() else { preconditionFailure("taken once") }
    return replica
  }

  /// The storage, once.
  mutating func takeWorker() -> StorageWorker<PosixFileSystem> {
    guard let worker = worker.take() else { preconditionFailure("taken once") }
    return worker
  }
}

/// Holds the lock on the data directory for as long as it lives.
final class LockBox: Sendable {
  private let lock: DirectoryLock

  init(_ directory: String) throws(StartProblem) {
    do { lock = try DirectoryLock(directory) } catch {
      throw DirectoryLock.isTaken(error) ? .directoryTaken(directory) : .file(error)
    }
  }
}

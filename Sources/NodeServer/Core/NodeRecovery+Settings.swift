import Bytes
import HostFiles
import Ledger
import Logging
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension NodeRecovery<PosixFileSystem> {
  /// Recovers the node of these settings from its data directory, and tells the operator.
  init(_ settings: NodeSettings, logger: Logger) throws(StartProblem) {
    let start = ContinuousClock.now
    do {
      try self.init(
        PosixFileSystem(), directory: settings.dataDirectory, configuration: settings.replica,
        ledgerSeed: UInt64.random(in: 0 ... .max),
        seed: UInt64.random(in: 0 ... .max), isVouchedFor: settings.isLogVouchedFor)
    } catch {
      throw .log(error)
    }
    for note in snapshotNotes { logger.snapshotPassedOver(note) }
    for cut in report.cuts {
      logger.warning(
        "torn bytes at the end of the log were cut",
        metadata: [
          "segment": "\(cut.segment)", "offset": "\(cut.offset)", "bytes": "\(cut.byteCount)",
        ])
    }
    if wasVouchedFor {
      logger.warning(
        "the disk lost what this node had acknowledged; it votes again because the operator vouches for its log"
      )
    }
    if isTailSuspect {
      logger.warning(
        "the disk lost what this node had acknowledged; it abstains until it holds a later leader's entry"
      )
    }
    logger.notice(
      "log recovered",
      metadata: [
        "events": "\(report.eventCount)", "batches": "\(report.batchCount)",
        "segments": "\(report.segmentCount)", "applied": "\(applied.index.rawValue)",
        "term": "\(hardState.term.rawValue)",
        "snapshot": "\(snapshot.map { "\($0)" } ?? "none")",
        "took": "\(ContinuousClock.now - start)",
      ])
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

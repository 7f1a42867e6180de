import Bytes
import HostFiles
import Ledger
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Makes a node's ledger snapshots on a thread of its own, one at a time, beside the running node.
///
/// `@unchecked Sendable`: `schedule` and `waiters` are touched on `loop` only; the rest is immutable.
final class SnapshotQueue: @unchecked Sendable {
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let builder: SnapshotBuilder<PosixFileSystem>
  private let logger: Logger
  private let halt: @Sendable (String) -> Void
  private var schedule: SnapshotSchedule
  private var isBusy = false
  private var waiters: [EventLoopPromise<Void>] = []

  /// A queue over a thread pool of one thread, which must be started.
  init(
    loop: any EventLoop, pool: NIOThreadPool, builder: SnapshotBuilder<PosixFileSystem>,
    schedule: SnapshotSchedule, logger: Logger, halt: @escaping @Sendable (String) -> Void
  ) {
    self.loop = loop
    self.pool = pool
    self.builder = builder
    self.schedule = schedule
    self.logger = logger
    self.halt = halt
  }

  /// Whether none are made, for want of room. On the loop.
  var isHeld = false

  /// Segments have been sealed and are durable. On the loop.
  func sealed(_ seals: [SegmentSeal]) {
    for seal in seals where !isHeld {
      if let order = schedule.sealed(seal) { carryOut(order) }
    }
  }

  /// Waits for what is being made, then makes a last snapshot of the node as it stopped, if that
  /// saves its next start enough. On the loop.
  func stop(_ node: NodeSnapshot) -> EventLoopFuture<Void> {
    idle().flatMap { [self] in
      let order = schedule.stopping(
        through: node.applied.index, EventSequence(node.counts.events),
        ledgerDigest: node.ledgerDigest)
      if let order, !isHeld { carryOut(order) }
      return idle()
    }
  }

  private func idle() -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    if isBusy { waiters.append(promise) } else { promise.succeed() }
    return promise.futureResult
  }

  private func carryOut(_ order: SnapshotOrder) {
    isBusy = true
    pool.submit { [self] state in
      guard case .active = state else { return }
      HostThread.giveWay()
      let start = ContinuousClock.now
      let result: Result<SnapshotReport, SnapshotProblem>
      do throws(SnapshotProblem) {
        result = .success(try builder.build(order, seed: UInt64.random(in: 0 ... .max)))
      } catch {
        result = .failure(error)
      }
      let took = ContinuousClock.now - start
      loop.execute { self.finish(result, took) }
    }
  }

  private func finish(_ result: Result<SnapshotReport, SnapshotProblem>, _ took: Duration) {
    isBusy = false
    switch result {
    case .success(let report):
      schedule.built(report.written)
      for note in report.notes { logger.snapshotPassedOver(note) }
      if let written = report.written {
        logger.info(
          "ledger snapshot written",
          metadata: [
            "snapshot": "\(written.id)", "events": "\(written.lastSequence.rawValue)",
            "bytes": "\(written.byteCount)", "took": "\(took)",
          ])
      }
    case .failure(.diverged(let index)):
      halt(
        "the ledger in memory is not what the log gives at batch \(index.rawValue): the memory of"
          + " this host, or a defect, has changed it; a start replays it from the log")
    case .failure(let problem):
      schedule.built(nil)
      logger.warning("no ledger snapshot could be written", metadata: ["reason": "\(problem)"])
    }
    for waiter in waiters { waiter.succeed() }
    waiters.removeAll()
  }
}

extension Logger {
  /// Tells that a snapshot was not used, and why.
  func snapshotPassedOver(_ note: SnapshotNote) {
    warning(
      "a ledger snapshot was passed over",
      metadata: ["snapshot": "\(note.id)", "reason": "\(note.problem)"])
  }
}

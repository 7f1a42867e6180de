import HostFiles
import HybridTime
import Ledger
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import SegmentLog

/// Moves old segments to the archive, as the cluster's rules say.
///
/// `@unchecked Sendable`: `task`, `isMoving` and `hasTold` are touched on `loop` only; the rest is
/// immutable.
final class ArchiveService: @unchecked Sendable {
  private static let intervalSeconds: Int64 = 60
  private static let firstMilliseconds: Int64 = 2000
  private static let dayNanoseconds: Int64 = 86_400_000_000_000

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let mover: SegmentMover<PosixFileSystem>?
  private let environment: LoopEnvironment
  private let logger: Logger
  private var task: RepeatedTask?
  private var isMoving = false
  private var hasTold = false

  /// A service over a thread pool, which must be started. `archive`: where to; empty: nothing is moved.
  init(
    loop: any EventLoop, pool: NIOThreadPool, log: String, archive: String,
    environment: LoopEnvironment, logger: Logger
  ) {
    self.loop = loop
    self.pool = pool
    mover = archive.isEmpty ? nil : SegmentMover(PosixFileSystem(), log: log, archive: archive)
    self.environment = environment
    self.logger = logger
  }

  /// Begins to look, again and again. On the loop.
  func start() {
    task = loop.scheduleRepeatedTask(
      initialDelay: .milliseconds(Self.firstMilliseconds), delay: .seconds(Self.intervalSeconds)
    ) { _ in self.look() }
  }

  /// Looks no more. On the loop.
  func stop() { task?.cancel() }

  private func look() {
    let policy = environment.currentSnapshot().policy
    let days = Int64(policy[.archiveAfterDays])
    guard days > 0, !isMoving else { return }
    guard let mover else {
      if !hasTold {
        logger.warning(
          "old segments are to be archived by the cluster's rules, without an archive.directory here"
        )
      }
      hasTold = true
      return
    }
    isMoving = true
    let retained = Int64(policy[.retainDays])
    let now = environment.readClock().correctedNanoseconds
    let time = now - days * Self.dayNanoseconds
    let expiry = retained > 0 ? time - retained * Self.dayNanoseconds : nil
    pool.submit { [loop] state in
      guard case .active = state else { return }
      HostThread.giveWay()
      let result: Result<[MovedSegment], LogError>
      do throws(LogError) {
        result = .success(try mover.move(before: time, expiry: expiry))
      } catch {
        result = .failure(error)
      }
      loop.execute { self.moved(result) }
    }
  }

  private func moved(_ result: Result<[MovedSegment], LogError>) {
    isMoving = false
    switch result {
    case .success(let moved):
      for segment in moved {
        logger.notice(
          "a segment was moved to the archive",
          metadata: ["segment": "\(segment.segment)", "path": "\(segment.path)"])
      }
    case .failure(let error):
      logger.warning(
        "a segment could not be moved to the archive", metadata: ["error": "\(error.sentence)"])
      environment.scrub.met(error)
    }
  }
}

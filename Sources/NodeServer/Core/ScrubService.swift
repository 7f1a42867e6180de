import Bytes
import HostFiles
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Replica
package import SegmentLog
import Synchronization

/// What the scrub has come to, for status pages.
package struct ScrubProgress: Hashable, Sendable {
  /// Segments of which something is damaged now, as far as is known.
  package var damaged: [SegmentID] = []
  /// Segments checked since the start.
  package var checkedCount = 0
  /// Segments mended since the start.
  package var mendedCount = 0
  /// How often the end of the log was reached since the start.
  package var passCount = 0

  /// Nothing has been checked.
  package init() {}
}

/// Looks through a running node's sealed segments, and mends what has changed on disk with the other
/// nodes' batches.
///
/// `@unchecked Sendable`: `plan`, `segment` and `task` are touched on `loop` only, `scrubber` by one job of
/// `pool` at a time; the rest is immutable or under a lock.
final class ScrubService: @unchecked Sendable {
  private static let tickMilliseconds: Int64 = 100

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let storage: StorageQueue<PosixFileSystem>
  private let transport: PeerTransport
  private let clock: HostClock
  private let logger: Logger
  private let scrubber: ScrubberBox
  private var plan: ScrubPlan
  private var task: RepeatedTask?
  /// The segment that was checked last.
  private var segment: SealedSegment?
  private let published = Mutex(ScrubProgress())

  /// A scrub over a started thread pool.
  init(
    loop: any EventLoop, pool: NIOThreadPool, storage: StorageQueue<PosixFileSystem>,
    transport: PeerTransport, clock: HostClock, logDirectory: String, plan: ScrubPlan,
    logger: Logger
  ) {
    self.loop = loop
    self.pool = pool
    self.storage = storage
    self.transport = transport
    self.clock = clock
    self.logger = logger
    self.plan = plan
    scrubber = ScrubberBox(SegmentScrubber(PosixFileSystem(), logDirectory: logDirectory))
  }

  /// What it has come to, from any thread.
  var progress: ScrubProgress { published.withLock { $0 } }

  /// Begins. On the loop.
  func start() {
    let tick = TimeAmount.milliseconds(Self.tickMilliseconds)
    task = loop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in
      self.carryOut(self.plan.tick(at: self.now))
    }
  }

  /// Begins nothing more. On the loop.
  func stop() { task?.cancel() }

  /// A connection to the peer is up, or broke. On the loop.
  func setConnected(_ peer: NodeID, _ isConnected: Bool) {
    plan.setConnected(peer, isConnected)
  }

  /// A node has answered. On the loop.
  func received(_ answer: BatchesAnswer, from peer: NodeID) {
    carryOut(plan.received(answer, from: peer, at: now))
  }

  /// A reader has met an error, on any thread: where it is damage, the segment is looked at soon.
  func met(_ error: LogError) {
    guard let segment = error.damagedSegment else { return }
    suspect(segment)
  }

  /// The segment is looked at soon.
  func suspect(_ segment: SegmentID) { loop.execute { self.plan.suspect(segment) } }

  private var now: Int64 { clock.now().monotonicNanoseconds }

  private func carryOut(_ order: ScrubPlan.Order?) {
    switch order {
    case nil: break
    case .check(let target):
      storage.sealedSegment(target) { segment in
        guard let segment else { return self.checked(nil) }
        self.segment = segment
        self.run({ scrubber throws(LogError) in try scrubber.check(segment) }, self.checked)
      }
    case .ask(let request, let peer):
      transport.send(.batchesRequest(request), to: peer)
      transport.flush()
    case .mend(let batches):
      run({ scrubber throws(LogError) in try scrubber.mend(batches) }) { finding in
        self.plan.mended(finding, at: self.now)
      }
    }
    tell()
  }

  private func checked(_ finding: ScrubFinding?) {
    plan.checked(finding, at: now)
    tell()
  }

  /// Does something with files on the pool, and goes on with what came of it on the loop.
  private func run(
    _ body: @escaping @Sendable (ScrubberBox) throws(LogError) -> ScrubFinding,
    _ then: @escaping @Sendable (ScrubFinding) -> Void
  ) {
    pool.submit { [scrubber, loop] state in
      guard case .active = state else { return }
      HostThread.giveWay()
      let result: Result<ScrubFinding, LogError>
      do throws(LogError) { result = .success(try body(scrubber)) } catch {
        result = .failure(error)
      }
      loop.execute {
        switch result {
        case .success(let finding): then(finding)
        case .failure(let error):
          guard let segment = self.segment else { preconditionFailure("it was checked first") }
          self.plan.failed(error, in: segment, at: self.now)
        }
        self.tell()
      }
    }
  }

  private func tell() {
    published.withLock { progress in
      progress.damaged = plan.damaged
      progress.checkedCount = plan.checkedCount
      progress.mendedCount = plan.mendedCount
      progress.passCount = plan.passCount
    }
    for note in plan.takeNotes() { log(note) }
  }

  private func log(_ note: ScrubPlan.Note) {
    switch note {
    case .damaged(let stretch):
      logger.error(
        "a part of a sealed segment is damaged", metadata: stretch.metadata)
    case .mended(let segment):
      logger.notice("a sealed segment is whole again", metadata: ["segment": "\(segment)"])
    case .noCopy(let index, let segment):
      logger.error(
        "no connected node has a damaged batch whole; they are asked again",
        metadata: ["segment": "\(segment)", "batch": "\(index.rawValue)"])
    case .failed(let error):
      logger.error(
        "a sealed segment cannot be checked", metadata: ["error": "\(error.sentence)"])
    }
  }
}

extension DamagedStretch {
  /// Where it is, for the operator's log.
  var metadata: Logger.Metadata {
    let missing = missing.map { "\($0.lowerBound.rawValue)–\($0.upperBound.rawValue)" }
    return [
      "segment": "\(segment)", "bytes": "\(bytes)", "batches": "\(missing ?? "none")",
      "reason": "\(reason)",
    ]
  }
}

/// `@unchecked Sendable`: used by one job at a time (see ``ScrubService``).
private final class ScrubberBox: @unchecked Sendable {
  private var scrubber: SegmentScrubber<PosixFileSystem>

  init(_ scrubber: consuming SegmentScrubber<PosixFileSystem>) { self.scrubber = scrubber }

  func check(_ segment: SealedSegment) throws(LogError) -> ScrubFinding {
    try scrubber.check(segment)
  }

  func mend(_ batches: [Batch]) throws(LogError) -> ScrubFinding { try scrubber.mend(batches) }
}

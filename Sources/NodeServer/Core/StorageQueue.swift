import NIOCore
import NIOPosix
import NodeRuntime
import SegmentLog

/// The node's storage thread. While one group of work is being made durable the next one gathers:
/// that is the group commit.
///
/// `@unchecked Sendable`: `waiting` and `isBusy` are touched on `loop` only; `worker` on the one
/// thread of `pool` only, one job at a time.
final class StorageQueue<FileSystem: LogFileSystem>: @unchecked Sendable {
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let worker: WorkerBox<FileSystem>
  private var waiting: [StorageWork] = []
  private var isBusy = false
  /// Whether nothing is to be written: there is no room for it.
  private var isHeld = false
  private var idleWaiters: [EventLoopPromise<Void>] = []
  /// Called on `loop`, once for each group, in order.
  var report: ((Result<StorageReport, LogError>) -> Void)?

  /// A queue over a thread pool of one thread, which must be started.
  init(
    loop: any EventLoop, pool: NIOThreadPool, worker: consuming StorageWorker<FileSystem>
  ) {
    self.loop = loop
    self.pool = pool
    self.worker = WorkerBox(worker)
  }

  func append(_ work: [StorageWork]) {
    waiting.append(contentsOf: work)
    runNext()
  }

  /// Looks up a sealed segment between two groups, and calls `body` with it on the loop; not at all
  /// where the queue has been closed.
  func sealedSegment(
    _ target: ScrubTarget, _ body: @escaping @Sendable (SealedSegment?) -> Void
  ) {
    pool.submit { [worker, loop] state in
      guard case .active = state else { return }
      let segment = worker.sealedSegment(target)
      loop.execute { body(segment) }
    }
  }

  /// Succeeds when everything appended so far is durable, but for what is held back.
  func drained() -> EventLoopFuture<Void> {
    let promise = loop.makePromise(of: Void.self)
    if isBusy { idleWaiters.append(promise) } else { promise.succeed() }
    return promise.futureResult
  }

  /// Holds everything back, or goes on with it. On the loop.
  func hold(_ isHeld: Bool) {
    self.isHeld = isHeld
    runNext()
  }

  private func runNext() {
    guard !isBusy, !isHeld, !waiting.isEmpty else { return }
    isBusy = true
    let group = waiting
    waiting.removeAll(keepingCapacity: true)
    pool.submit { [worker, loop] state in
      let result: Result<StorageReport, LogError>
      switch state {
      case .active: result = worker.perform(group)
      case .cancelled: return
      }
      loop.execute { self.finish(result) }
    }
  }

  private func finish(_ result: Result<StorageReport, LogError>) {
    isBusy = false
    report?(result)
    guard case .success = result else { return }
    runNext()
    if !isBusy {
      for waiter in idleWaiters { waiter.succeed() }
      idleWaiters.removeAll()
    }
  }
}

/// `@unchecked Sendable`: used by one job at a time (see ``StorageQueue``).
private final class WorkerBox<FileSystem: LogFileSystem>: @unchecked Sendable {
  private var worker: StorageWorker<FileSystem>

  init(_ worker: consuming StorageWorker<FileSystem>) { self.worker = worker }

  func sealedSegment(_ target: ScrubTarget) -> SealedSegment? { worker.sealedSegment(target) }

  func perform(_ group: [StorageWork]) -> Result<StorageReport, LogError> {
    do throws(LogError) { return .success(try worker.perform(group)) } catch {
      return .failure(error)
    }
  }
}

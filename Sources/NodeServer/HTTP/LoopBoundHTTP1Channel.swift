import HummingbirdCore
import Logging
import NIOCore

/// Hummingbird's HTTP/1 connection, whose task runs on the connection's own event loop: reading,
/// parsing and writing then need no change of thread.
struct LoopBoundHTTP1Channel: ServerChildChannel {
  typealias Value = HTTP1Channel.Value

  let base: HTTP1Channel

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    base.setup(channel: channel, logger: logger)
  }

  func handle(value: Value, logger: Logger) async {
    let executor = LoopTaskExecutor(loop: value.channel.eventLoop)
    await withTaskExecutorPreference(executor) { await base.handle(value: value, logger: logger) }
  }
}

/// Runs a task's jobs on an event loop.
final class LoopTaskExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    // The closure keeps the executor alive until the job has run.
    loop.execute { [self] in
      withExtendedLifetime(self) { job.runSynchronously(on: executor) }
    }
  }
}

import Glibc
import Synchronization

/// What a thread asks of the host.
package enum HostThread {
  private static let niceness: Int32 = 10
  /// Most threads that work at once.
  private static let workerCountMax = 64

  /// Lets other threads go first from now on (setpriority(2); on Linux for this thread alone). A
  /// wish: where it is refused, nothing changes.
  package static func giveWay() {
    // Number 0 is the calling thread.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
  }

  /// Carries out jobs on all cores: calls `job` with each number below `count`, and returns when all
  /// are done. Where the host gives no thread, this one does more.
  package static func concurrently(_ count: Int, _ job: @escaping @Sendable (Int) -> Void) {
    let work = SharedWork(count: count, job)
    let cores = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let threads = (1..<max(1, min(cores, count, workerCountMax))).compactMap { _ in
      thread { work.run() }
    }
    work.run()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Starts a thread, which must be joined; nil where the host refuses.
  private static func thread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    let context = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, context.toOpaque())
    guard result == 0 else {
      context.release()
      return nil
    }
    return thread
  }
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Numbered jobs that several threads take from.
private final class SharedWork: Sendable {
  private let next = Atomic(0)
  private let count: Int
  private let job: @Sendable (Int) -> Void

  init(count: Int, _ job: @escaping @Sendable (Int) -> Void) {
    self.count = count
    self.job = job
  }

  func run() {
    while true {
      let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard number < count else { return }
      job(number)
    }
  }
}

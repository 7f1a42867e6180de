import Dispatch
import Glibc
import Synchronization

/// Starts programs with `posix_spawn`, which is safe in a process with threads, unlike `fork`.
enum ChildProcess {
  /// Starts a program with no input and its output in a descriptor.
  static func spawn(
    _ program: String, _ arguments: [String], output: Int32
  ) throws(BenchFailure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    resetSignals(&attributes)
    let copies = ([program] + arguments).map { strdup($0) }
    defer { copies.forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, program, &actions, &attributes, copies + [nil], environ)
    guard code == 0 else {
      throw BenchFailure("\(program) cannot be started: \(String(cString: strerror(code)))")
    }
    return pid
  }

  /// No signal stays blocked or ignored in the child.
  private static func resetSignals(_ attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
  }

  /// What a program prints, at most 64 KiB; nil where it cannot be run or fails.
  static func output(_ program: String, _ arguments: [String]) -> String? {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let pid = try? spawn(program, arguments, output: ends[1])
    close(ends[1])
    let bytes = Files.all(of: ends[0], byteCountMax: 65_536)
    close(ends[0])
    guard let pid else { return nil }
    var status: Int32 = 0
    guard waitpid(pid, &status, 0) == pid, status == 0 else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Waits for a child's end, as long as `isAwaited` says: its raw status, and the most it had resident, bytes.
  ///
  /// That is asked of proc(5) again and again: what wait4(2) tells begins with the memory of the process that
  /// started the child.
  static func wait(
    _ pid: pid_t, while isAwaited: () throws(BenchFailure) -> Void = {}
  ) throws(BenchFailure) -> (status: Int32, residentByteCountMax: Int) {
    var most = 0
    while true {
      most = max(most, Files.statusNumber("VmHWM:", of: "\(pid)") * 1024)
      var status: Int32 = 0
      if waitpid(pid, &status, WNOHANG) != 0 { return (status, most) }
      try isAwaited()
      usleep(2_000)
    }
  }

  /// Whether a child has ended; it is then no longer there.
  static func hasEnded(_ pid: pid_t) -> Bool {
    var status: Int32 = 0
    return waitpid(pid, &status, WNOHANG) != 0
  }

  /// Asks children to end, all at once; those that have not within 10 seconds are killed.
  static func end(_ pids: [pid_t]) {
    for pid in pids { kill(pid, SIGTERM) }
    let deadline = ContinuousClock.now + .seconds(10)
    for pid in pids {
      while !hasEnded(pid) {
        if ContinuousClock.now > deadline { kill(pid, SIGKILL) }
        usleep(5_000)
      }
    }
  }
}

/// What must be undone when the command ends, even by a signal.
enum Interruption {
  private struct State {
    var actions: [(token: Int, perform: @Sendable () -> Void)] = []
    var tokenNext = 0
  }

  private static let state = Mutex(State())

  /// Sees to it that SIGINT, SIGTERM and SIGHUP undo everything before they end the command.
  static func install() { _ = sources }

  /// `nonisolated(unsafe)`: made once, under the lock of a lazy global, and never used after; it is
  /// held only so that it stays.
  private nonisolated(unsafe) static let sources: [any DispatchSourceSignal] = [
    SIGINT, SIGTERM, SIGHUP,
  ].map { number in
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      performAll()
      exit(128 + number)
    }
    source.resume()
    return source
  }

  /// Notes something to be undone; ``perform(_:)`` takes the token.
  static func onEnd(_ action: @escaping @Sendable () -> Void) -> Int {
    state.withLock { state in
      state.tokenNext += 1
      state.actions.append((state.tokenNext, action))
      return state.tokenNext
    }
  }

  /// Undoes one thing now, once.
  static func perform(_ token: Int) {
    let action = state.withLock { state in
      state.actions.firstIndex { $0.token == token }.map { state.actions.remove(at: $0).perform }
    }
    action?()
  }

  private static func performAll() {
    while let token = state.withLock({ $0.actions.last?.token }) { perform(token) }
  }
}

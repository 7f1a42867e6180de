import Foundation
import Glibc
import Synchronization

/// Where the commands under test lie: beside the test bundle, or where `SYNCPAY_BIN` says.
enum Binaries {
  static let directory: String = {
    if let given = ProcessInfo.processInfo.environment["SYNCPAY_BIN"], !given.isEmpty {
      return given
    }
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let places = [own] + CommandLine.arguments.filter { $0.contains(".xctest") }
    for place in places {
      var directory = URL(fileURLWithPath: place).deletingLastPathComponent()
      // A bundle may be a directory with the executable inside.
      for _ in 0..<4 {
        let path = directory.appendingPathComponent("syncpayd").path
        if FileManager.default.isExecutableFile(atPath: path) { return directory.path }
        directory.deleteLastPathComponent()
      }
    }
    return "."
  }()

  static func path(_ name: String) throws -> String {
    let path = directory + "/" + name
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw HarnessProblem("\(path) is missing: build it, or set SYNCPAY_BIN to where it is")
    }
    return path
  }
}

/// The harness itself could not go on, or a node did not do in time what it must.
struct HarnessProblem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// A process of ours, known by its id only.
final class ChildProcess: Sendable {
  let id: pid_t
  private let status = Mutex<Int32?>(nil)

  /// Starts `path`; both its outputs are appended to the file `log`.
  init(
    _ path: String, _ arguments: [String], log: String, errorLog: String? = nil,
    environment: [String: String] = [:]
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let mode = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, mode, 0o644)
    if let errorLog {
      posix_spawn_file_actions_addopen(&actions, 2, errorLog, mode, 0o644)
    } else {
      posix_spawn_file_actions_adddup2(&actions, 1, 2)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // Settings of whoever runs the tests must not reach the nodes.
    var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SYNCPAY_") }
    variables.merge(environment) { $1 }
    var argv = ([path] + arguments).map { strdup($0) } + [nil]
    var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var child: pid_t = 0
    let result = posix_spawn(&child, path, &actions, &attributes, &argv, &envp)
    guard result == 0 else { throw HarnessProblem("cannot start \(path): error \(result)") }
    id = child
    Self.register(child)
  }

  /// The exit status, or 128 and the signal that ended it; nil while it runs.
  func poll() -> Int32? {
    status.withLock { status in
      if let status { return status }
      var raw: Int32 = 0
      guard waitpid(id, &raw, WNOHANG) == id else { return nil }
      status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
      Self.unregister(id)
      return status
    }
  }

  func signal(_ signal: Int32) { if poll() == nil { kill(id, signal) } }

  /// Waits for its end.
  func wait(seconds: Double = 20) throws -> Int32 {
    try eventually("process \(id) ends", seconds: seconds) { self.poll() }
  }

  /// Ends it now, whatever it does.
  func end() {
    signal(SIGKILL)
    while poll() == nil { usleep(1000) }
    // What a killed process under libfaketime leaves behind.
    unlink("/dev/shm/faketime_shm_\(id)")
    unlink("/dev/shm/sem.faketime_sem_\(id)")
  }

  // What still runs when the tests' own process exits is ended then.
  private static let running = Mutex<Set<pid_t>>([])
  private static let atExit: Void = {
    _ = atexit { ChildProcess.running.withLock { for id in $0 { kill(id, SIGKILL) } } }
  }()

  private static func register(_ id: pid_t) {
    _ = atExit
    running.withLock { _ = $0.insert(id) }
  }

  private static func unregister(_ id: pid_t) { running.withLock { _ = $0.remove(id) } }
}

/// What a command printed and how it ended.
struct CommandResult: CustomStringConvertible {
  var status: Int32
  var output: String
  var errors: String

  var json: JSON { (try? JSON(output)) ?? .null }
  var lines: [Substring] { output.split(separator: "\n") }
  var description: String { "status \(status)\n\(output)\n\(errors)" }
}

/// Runs a command of ours, or another one by its whole path, to its end.
func run(
  _ command: String, _ arguments: [String], seconds: Double = 60
) throws -> CommandResult {
  let path = command.hasPrefix("/") ? command : try Binaries.path(command)
  let base = FileManager.default.temporaryDirectory.path + "/syncpay-run-\(UUID().uuidString)"
  defer {
    try? FileManager.default.removeItem(atPath: base + ".out")
    try? FileManager.default.removeItem(atPath: base + ".err")
  }
  let child = try ChildProcess(path, arguments, log: base + ".out", errorLog: base + ".err")
  defer { child.end() }
  let status = try child.wait(seconds: seconds)
  let output = FileManager.default.contents(atPath: base + ".out") ?? Data()
  let errors = FileManager.default.contents(atPath: base + ".err") ?? Data()
  return CommandResult(
    status: status, output: String(decoding: output, as: UTF8.self),
    errors: String(decoding: errors, as: UTF8.self))
}

/// Asks until there is an answer; the bound is generous and only proves that nothing hangs.
func eventually<T>(
  _ what: String, seconds: Double = 20, _ ask: () throws -> T?
) throws -> T {
  let end = ContinuousClock.now + .seconds(seconds)
  while true {
    if let answer = try ask() { return answer }
    guard ContinuousClock.now < end else {
      throw HarnessProblem("not within \(seconds) s: \(what)")
    }
    usleep(20_000)
  }
}

/// The same where the answer is yes or no.
func eventually(
  _ what: String, seconds: Double = 20, _ ask: () throws -> Bool
) throws {
  try eventually(what, seconds: seconds) { try ask() ? () : nil }
}

/// Runs every job on a thread of its own, so that a test may block where others share threads.
final class BlockingExecutor: TaskExecutor {
  static let shared = BlockingExecutor()

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

import FoundationEssentials
import Glibc

/// A process as `/proc` shows it.
struct ProcessState: Equatable, Sendable {
  /// The kernel's name of the program, at most 15 characters.
  let command: String
  /// It has ended and only waits for its parent to notice.
  let isEnded: Bool

  /// `nil` when there is no such process. A child of ours that has ended is taken note of first.
  static func of(_ pid: pid_t) -> ProcessState? {
    var status: Int32 = 0
    _ = waitpid(pid, &status, WNOHANG)
    guard pid > 0, let text = Files.small("/proc/\(pid)/stat") else { return nil }
    return parse(text)
  }

  /// Reads `PID (command) STATE …`; the command may itself hold spaces and parentheses.
  static func parse(_ text: String) -> ProcessState? {
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close
    else { return nil }
    let state = text[text.index(after: close)...].first { $0 != " " }
    guard let state else { return nil }
    return ProcessState(
      command: String(text[text.index(after: open)..<close]), isEnded: state == "Z" || state == "X")
  }
}

/// Small files read and written whole.
enum Files {
  /// The first 64 KiB of a file, `/proc` included, where a file's size is not known before.
  static func small(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count)
      }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { break }
      count += got
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// The last lines of a file.
  static func lastLines(_ count: Int, of path: String) -> [String] {
    guard let handle = FileManager.default.contents(atPath: path) else { return [] }
    let text = String(decoding: handle.suffix(65_536), as: UTF8.self)
    return text.split(separator: "\n").suffix(count).map { String($0).printable }
  }

  /// Writes a file so that readers see all of it or nothing of it.
  static func write(_ text: String, to path: String) throws(CommandFailure) {
    do {
      try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw CommandFailure(.refused, "\(path) cannot be written.")
    }
  }

  static func makeDirectory(_ path: String) throws(CommandFailure) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw CommandFailure(.refused, "the directory \(path) cannot be made.")
    }
  }

  static func remove(_ path: String) { unlink(path) }

  /// The path from the root; as it is when it starts there.
  static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  /// The path of a program beside this one.
  static func sibling(_ name: String) -> String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/" + name
  }
}

/// Starts programs with `posix_spawn`, which is safe in a process with threads, unlike `fork`.
enum ChildProcess {
  /// `POSIX_SPAWN_SETSID` of glibc (since 2.26), which Swift's Glibc module does not show.
  private static let spawnSetSID: Int32 = 0x80

  /// Starts a program with standard input empty and its output appended to a file.
  ///
  /// - Parameter detached: in a session of its own, so that it outlives this command and its
  ///   terminal.
  static func spawn(
    _ program: String, _ arguments: [String], outputTo log: String, detached: Bool
  ) throws(CommandFailure) -> pid_t {
    guard access(program, X_OK) == 0 else {
      throw CommandFailure(.usage, "\(program) is not there or cannot be run.")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    let flags = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, flags, 0o644)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    for descriptor in openDescriptors() where descriptor > STDERR_FILENO {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    setSignals(of: &attributes, sessionFlag: detached ? spawnSetSID : 0)
    var pid: pid_t = 0
    let copies = ([program] + arguments).map { strdup($0) }
    defer { copies.forEach { free($0) } }
    let code = posix_spawn(&pid, program, &actions, &attributes, copies + [nil], environ)
    guard code == 0 else {
      throw CommandFailure(
        .refused,
        "\(program) cannot be started: \(String(cString: strerror(code))) (output: \(log))")
    }
    return pid
  }

  /// Waits for a child; its exit code, or 128 and the number of the signal that ended it.
  static func exitCode(of pid: pid_t, within timeout: Duration) async -> Int32? {
    let deadline = ContinuousClock.now + timeout
    while true {
      var status: Int32 = 0
      let ended = waitpid(pid, &status, WNOHANG)
      if ended == pid {
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
      }
      guard ended == 0 || errno == EINTR, ContinuousClock.now < deadline else { return nil }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  /// No signal stays blocked or ignored in the child, whatever a shell left us with.
  private static func setSignals(of attributes: inout posix_spawnattr_t, sessionFlag: Int32) {
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | sessionFlag
    posix_spawnattr_setflags(&attributes, Int16(flags))
  }

  private static func openDescriptors() -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { Int32($0) }
  }
}

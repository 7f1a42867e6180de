import FoundationEssentials
import Glibc

/// A cluster of processes on this machine: configuration files, pid files, logs.
struct LoopbackCluster: Sendable {
  /// The kernel's name of the node's program; a pid whose process has another name is not ours.
  static let daemonName = "syncpayd"

  /// Invariant: not empty, by id.
  let files: [NodeFile]
  /// Holds `NODE.pid` and `NODE.log`.
  let directory: String
  /// The path of `syncpayd`.
  let daemon: String

  init(configs: String, directory: String, daemon: String?) throws(CommandFailure) {
    files = try NodeFile.all(in: configs)
    self.directory = directory
    self.daemon = daemon ?? Files.sibling(Self.daemonName)
  }

  var addresses: [NodeAddress] { files.map(\.address) }

  func pidPath(_ file: NodeFile) -> String { "\(directory)/\(file.name).pid" }
  func logPath(_ file: NodeFile) -> String { "\(directory)/\(file.name).log" }

  /// The node's process: named by its pid file, alive, and really a node.
  func pid(_ file: NodeFile) -> pid_t? {
    guard let text = Files.small(pidPath(file)),
      let pid = pid_t(text.prefix { $0.isNumber }), pid > 1,
      let state = ProcessState.of(pid), !state.isEnded, state.command == Self.daemonName
    else { return nil }
    return pid
  }

  /// Starts a node's process and writes its pid file.
  ///
  /// - Throws: `CommandFailure` when it runs already, or when it cannot be started.
  func launch(_ file: NodeFile) throws(CommandFailure) -> pid_t {
    if let pid = pid(file) {
      throw CommandFailure(
        .refused, "\(file.name) runs already (pid \(pid)); stop it with 'syncpay cluster stop'.")
    }
    try Files.makeDirectory(directory)
    let pid = try ChildProcess.spawn(
      daemon, ["--config", Files.absolute(file.path)], outputTo: logPath(file), detached: true)
    try Files.write("\(pid)\n", to: pidPath(file))
    return pid
  }

  /// Sends a signal to the node's process, if there is one.
  @discardableResult
  func send(_ signal: Int32, to file: NodeFile) -> pid_t? {
    guard let pid = pid(file), Glibc.kill(pid, signal) == 0 else { return nil }
    return pid
  }

  /// Ends a node at once, as a power cut would, and waits until it is gone.
  func kill(_ file: NodeFile) async -> pid_t? {
    guard let pid = send(SIGKILL, to: file) else { return nil }
    _ = await isGone(file, within: .seconds(5))
    Files.remove(pidPath(file))
    return pid
  }

  /// Asks the nodes to end (SIGTERM), all at once; those that have not after `grace` are killed.
  ///
  /// - Returns: the names of the killed ones.
  func stop(_ files: [NodeFile], grace: Duration) async -> [String] {
    for file in files { send(SIGTERM, to: file) }
    let deadline = ContinuousClock.now + grace
    var killed: [String] = []
    for file in files {
      let left = ContinuousClock.now.duration(to: deadline)
      if await !isGone(file, within: max(left, .zero)), await kill(file) != nil {
        killed.append(file.name)
      }
      if pid(file) == nil { Files.remove(pidPath(file)) }
    }
    return killed
  }

  private func isGone(_ file: NodeFile, within timeout: Duration) async -> Bool {
    let deadline = ContinuousClock.now + timeout
    while pid(file) != nil {
      guard ContinuousClock.now < deadline else { return false }
      try? await Task.sleep(for: .milliseconds(20))
    }
    return true
  }

  /// Waits until every one of the nodes answers and, if asked for, one of them leads and the others
  /// know it.
  ///
  /// - Throws: `CommandFailure` when a process ends meanwhile, with the end of its log, or when the
  ///   time is up.
  func waitUntilReady(
    _ files: [NodeFile], needsLeader: Bool, client: NodeClient, within timeout: Duration
  ) async throws(CommandFailure) -> [NodeReport] {
    let start = ContinuousClock.now
    while true {
      let reports = await NodeReport.all(
        of: files.map(\.address), client: client, within: .seconds(1))
      let answering = reports.filter(\.isReachable).count
      let leads = reports.contains(where: \.isLeader) && reports.allSatisfy(\.isServing)
      if answering == files.count, leads || !needsLeader {
        Terminal.endProgress()
        return reports
      }
      for file in files where pid(file) == nil { throw ended(file) }
      guard ContinuousClock.now - start < timeout else {
        let missing = answering < files.count ? "not all nodes answer" : "no leader is elected"
        throw CommandFailure(
          .unreachable,
          "\(missing) after \(fixed(timeout.secondsDouble, decimals: 0)) s; see \(directory)/*.log."
        )
      }
      Terminal.progress("\(answering) of \(files.count) nodes answer, waiting for a leader …")
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  private func ended(_ file: NodeFile) -> CommandFailure {
    let lines = Files.lastLines(10, of: logPath(file)).map { "\n  " + $0 }.joined()
    return CommandFailure(
      .refused, "\(file.name) ended while it started; the end of \(logPath(file)):\(lines)")
  }
}

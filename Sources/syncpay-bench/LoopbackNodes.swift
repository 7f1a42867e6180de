import Glibc
import NIOCore
import Synchronization

/// A cluster of `syncpayd` processes on this machine, with data of its own.
final class LoopbackNodes: Sendable {
  let addresses: [HTTPAddress]
  /// Program and arguments of each node.
  private let commands: [[String]]
  private let processes: ProcessTable
  private let directory: ScratchDirectory
  private let token: Int

  /// The program that runs a node, beside this one.
  static var defaultDaemon: String { Files.ownDirectory + "/syncpayd" }

  /// What the nodes are.
  struct Plan: Sendable {
    var count = 3
    var daemon: String?
    /// A directory with `node1.json` and so on, whose other settings the nodes take over.
    var configs: String?
    /// Settings as `key=value`, over all others.
    var overrides: [String] = []
    /// Puts files into the directory of the nodes' data directories (`node1` and so on) before they
    /// start.
    var prepare: @Sendable (_ directory: String) throws -> Void = { _ in }
  }

  /// Starts the nodes; ``waitUntilReady(on:)`` before they are used, ``stop()`` when done.
  init(_ plan: Plan) throws {
    let daemon = plan.daemon ?? Self.defaultDaemon
    guard access(daemon, X_OK) == 0 else {
      throw BenchFailure("\(daemon) is not there; build it, or name another with --daemon.")
    }
    let ports = try Self.freePorts(2 * plan.count)
    let directory = try ScratchDirectory()
    self.directory = directory
    let http = Array(ports.prefix(plan.count))
    addresses = http.map { HTTPAddress(host: "127.0.0.1", port: $0) }
    commands = (1...plan.count).map { number in
      let file = plan.configs.map { ["--config", "\($0)/node\(number).json"] } ?? []
      let own = Self.settings(
        number, directory.path, http: http[number - 1], peers: ports.suffix(plan.count))
      return [daemon] + file + (own + plan.overrides).flatMap { ["--set", $0] }
    }
    let processes = ProcessTable()
    self.processes = processes
    token = Interruption.onEnd { processes.end() }
    do {
      try plan.prepare(directory.path)
      for place in commands.indices { try start(place) }
    } catch {
      stop()
      throw error
    }
  }

  /// Starts a node that does not run.
  func start(_ place: Int) throws(BenchFailure) {
    let log = Self.log(place + 1, directory.path)
    processes[place] = try Self.launch(
      commands[place][0], Array(commands[place].dropFirst()), log)
  }

  /// Ends a node at once, as a power cut would, and waits until it is gone.
  func kill(_ place: Int) {
    guard let pid = processes[place] else { return }
    Glibc.kill(pid, SIGKILL)
    while !ChildProcess.hasEnded(pid) { usleep(100) }
    processes[place] = nil
  }

  /// Asks a node to end, and waits until it is gone: it may have a large ledger's snapshot to write. Returns
  /// the most that it has had resident from its start to its end, bytes.
  @discardableResult
  func end(_ place: Int) throws(BenchFailure) -> Int {
    guard let pid = processes[place] else { return 0 }
    Glibc.kill(pid, SIGTERM)
    let deadline = ContinuousClock.now + .seconds(600)
    let end = try ChildProcess.wait(pid) { () throws(BenchFailure) in
      guard ContinuousClock.now < deadline else {
        throw BenchFailure("Node \(place + 1) does not end; its log ends:\n\(logEnd(place + 1))")
      }
    }
    processes[place] = nil
    return end.residentByteCountMax
  }

  /// The most that a node has had resident, bytes (proc(5), `VmHWM`); 0 where it cannot be read.
  func residentByteCountMax(_ place: Int) -> Int {
    guard let pid = processes[place] else { return 0 }
    return Files.statusNumber("VmHWM:", of: "\(pid)") * 1024
  }

  /// The processes that should run.
  var pids: [pid_t] { commands.indices.compactMap { processes[$0] } }

  /// Ends the processes and removes their data.
  func stop() {
    Interruption.perform(token)
    directory.remove()
  }

  /// Bytes in all files of all nodes' data directories.
  var storedByteCount: Int {
    commands.indices.reduce(0) { $0 + Files.byteCount(under: "\(directory.path)/node\($1 + 1)") }
  }

  /// Waits until all nodes answer and know one leader.
  func waitUntilReady(on group: any EventLoopGroup, seconds: Int = 30) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      var states: [NodeState] = []
      for address in addresses {
        if let state = try? await NodeState.ask(address, on: group) { states.append(state) }
      }
      if states.count == addresses.count, states.allSatisfy(\.hasLeader),
        states.count(where: \.isLeader) == 1
      {
        return
      }
      try requireRunning()
      guard ContinuousClock.now < deadline else {
        throw BenchFailure("No leader after \(seconds) s; a node's log ends:\n\(logEnd(1))")
      }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Waits until a node that was started again has applied what the others have by now.
  func waitUntilCaughtUp(_ place: Int, on group: any EventLoopGroup) async throws {
    let others = addresses.indices.filter { $0 != place }.map { addresses[$0] }
    let goal = try await NodeState.ask(others, on: group).map(\.transactionCount).max() ?? 0
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      let state = try? await NodeState.ask(addresses[place], on: group)
      if let state, state.hasLeader, state.transactionCount >= goal { return }
      try requireRunning()
      guard ContinuousClock.now < deadline else {
        throw BenchFailure(
          "Node \(place + 1) is behind after 30 s; its log ends:\n\(logEnd(place + 1))")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// Throws where a node has ended on its own.
  func requireRunning() throws(BenchFailure) {
    for place in commands.indices {
      guard let pid = processes[place], Glibc.kill(pid, 0) == 0, !isZombie(pid) else {
        throw BenchFailure("Node \(place + 1) has ended; its log ends:\n\(logEnd(place + 1))")
      }
    }
  }

  private func isZombie(_ pid: pid_t) -> Bool {
    Files.small("/proc/\(pid)/stat")?.split(separator: ")").last?.hasPrefix(" Z") ?? true
  }

  private func logEnd(_ number: Int) -> String {
    Files.lastLines(10, of: Self.log(number, directory.path))
  }

  private static func log(_ number: Int, _ directory: String) -> String {
    "\(directory)/node\(number).log"
  }

  private static func launch(
    _ daemon: String, _ arguments: [String], _ log: String
  ) throws(BenchFailure) -> pid_t {
    let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw BenchFailure("\(log) cannot be written.") }
    defer { close(descriptor) }
    return try ChildProcess.spawn(daemon, arguments, output: descriptor)
  }

  /// What only this cluster can say: who a node is, and where.
  private static func settings(
    _ number: Int, _ directory: String, http: Int, peers: ArraySlice<Int>
  ) -> [String] {
    let members = peers.enumerated().map { "\($0.offset + 1)=127.0.0.1:\($0.element)" }
    return [
      "node.id=\(number)", "node.name=node\(number)",
      "node.data_directory=\(directory)/node\(number)", "cluster.name=syncpay-bench",
      "cluster.members=\(members.joined(separator: ","))", "http.host=127.0.0.1",
      "http.port=\(http)",
    ]
  }

  /// Ports of the loopback interface that no one listens on, all different.
  private static func freePorts(_ count: Int) throws(BenchFailure) -> [Int] {
    var held: [Int32] = []
    defer { held.forEach { close($0) } }
    var ports: [Int] = []
    for _ in 0..<count {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      guard descriptor >= 0 else { throw BenchFailure("No socket can be opened.") }
      held.append(descriptor)
      guard let port = boundPort(descriptor) else { throw BenchFailure("No port is free.") }
      ports.append(port)
    }
    return ports
  }

  private static func boundPort(_ descriptor: Int32) -> Int? {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
      }
    }
    return code == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
  }
}

/// The nodes' processes, by place.
private final class ProcessTable: Sendable {
  private let pids = Mutex<[Int: pid_t]>([:])

  subscript(place: Int) -> pid_t? {
    get { pids.withLock { $0[place] } }
    set { pids.withLock { $0[place] = newValue } }
  }

  /// Ends all of them.
  func end() {
    ChildProcess.end(
      pids.withLock { pids in
        defer { pids = [:] }
        return Array(pids.values)
      })
  }
}

import Glibc
import JSONText
import NIOCore

/// A cluster of `syncpayd` processes on this machine, with data of its own.
struct LoopbackNodes: Sendable {
  let addresses: [HTTPAddress]
  let pids: [pid_t]
  private let directory: ScratchDirectory
  private let token: Int

  /// The program that runs a node, beside this one.
  static var defaultDaemon: String { Files.ownDirectory + "/syncpayd" }

  /// Starts the nodes; ``waitUntilReady(on:)`` before they are used, ``stop()`` when done.
  static func start(
    count: Int, daemon: String, overrides: [String]
  ) throws(BenchFailure) -> LoopbackNodes {
    guard access(daemon, X_OK) == 0 else {
      throw BenchFailure("\(daemon) is not there; build it, or name another with --daemon.")
    }
    let directory = try ScratchDirectory()
    var pids: [pid_t] = []
    do {
      let ports = try freePorts(2 * count)
      let (http, peers) = (Array(ports.prefix(count)), Array(ports.suffix(count)))
      let flags = overrides.flatMap { ["--set", $0] }
      for number in 1...count {
        let file = "\(directory.path)/node\(number).json"
        try Files.write(
          configuration(number, directory.path, http: http[number - 1], peers: peers), to: file)
        pids.append(try launch(daemon, ["--config", file] + flags, log(number, directory.path)))
      }
      return LoopbackNodes(http: http, pids: pids, directory: directory)
    } catch {
      ChildProcess.end(pids)
      directory.remove()
      throw error
    }
  }

  private init(http: [Int], pids: [pid_t], directory: ScratchDirectory) {
    addresses = http.map { HTTPAddress(host: "127.0.0.1", port: $0) }
    self.pids = pids
    self.directory = directory
    token = Interruption.onEnd { ChildProcess.end(pids) }
  }

  /// Ends the processes and removes their data.
  func stop() {
    Interruption.perform(token)
    directory.remove()
  }

  /// Waits until all nodes answer and know one leader.
  func waitUntilReady(on group: any EventLoopGroup) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
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
        throw BenchFailure("No leader after 30 s; a node's log ends:\n\(logEnd(1))")
      }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Throws where a node has ended on its own.
  func requireRunning() throws(BenchFailure) {
    for (place, pid) in pids.enumerated() where kill(pid, 0) != 0 || isZombie(pid) {
      throw BenchFailure("Node \(place + 1) has ended; its log ends:\n\(logEnd(place + 1))")
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

  private static func configuration(
    _ number: Int, _ directory: String, http: Int, peers: [Int]
  ) -> [UInt8] {
    var json = JSONWriter(capacity: 512)
    json.beginObject()
    json.key("node")
    json.beginObject()
    json.key("id")
    json.integer(number)
    json.key("data_directory")
    json.string("\(directory)/node\(number)")
    json.endObject()
    json.key("cluster")
    json.beginObject()
    json.key("name")
    json.string("syncpay-bench")
    json.key("members")
    json.beginArray()
    for (place, port) in peers.enumerated() { json.string("\(place + 1)=127.0.0.1:\(port)") }
    json.endArray()
    json.endObject()
    json.key("http")
    json.beginObject()
    json.key("host")
    json.string("127.0.0.1")
    json.key("port")
    json.integer(http)
    json.endObject()
    json.endObject()
    return json.bytes
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

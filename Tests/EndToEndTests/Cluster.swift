import Foundation
import Glibc
import Synchronization
import Testing

/// Tests that start processes: one after the other, for two processors are few.
@Suite(.serialized) struct EndToEnd {}

/// Settings by key, as they stand in a node's file.
typealias Settings = [String: Int]

/// A node of a cluster under test: its files, its ports, and its process while it runs.
final class TestNode: Sendable {
  let number: Int
  let endpoint: Endpoint
  /// Where the other nodes find it.
  let peer: Endpoint
  let directory: String
  /// What stands in front of its command.
  private let launcher: Mutex<[String]>
  private let process = Mutex<ChildProcess?>(nil)
  private let environment = Mutex<[String: String]>([:])

  init(
    _ number: Int, endpoint: Endpoint, peerPort: Int, directory: String, launcher: [String] = []
  ) {
    self.number = number
    self.endpoint = endpoint
    peer = Endpoint(host: endpoint.host, port: peerPort)
    self.directory = directory
    self.launcher = Mutex(launcher)
  }

  var name: String { "node\(number)" }
  var httpPort: Int { endpoint.port }
  var data: String { directory + "/\(name)" }
  var configuration: String { directory + "/\(name).json" }
  var log: String { directory + "/\(name).log" }
  var logText: String {
    String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
  }
  var isRunning: Bool { process.withLock { $0.map { $0.poll() == nil } ?? false } }

  func setEnvironment(_ variables: [String: String]) {
    environment.withLock { $0 = variables }
  }

  func setLauncher(_ command: [String]) { launcher.withLock { $0 = command } }

  /// Starts the process; it is not ready yet.
  func start(_ flags: [String] = []) throws {
    let command = [try Binaries.path("syncpayd"), "--config", configuration] + flags
    let variables = environment.withLock { $0 }
    // HAZARD: Swift finds its arguments in front of the environment, and a preloaded library that
    // adds a variable moves that away. Under `env` the library has added it before.
    let whole = launcher.withLock { $0 } + (variables.isEmpty ? [] : ["/usr/bin/env"]) + command
    let child = try ChildProcess(
      whole[0], Array(whole.dropFirst()), log: log, environment: variables)
    process.withLock { $0 = child }
  }

  func signal(_ signal: Int32) { process.withLock { $0 }?.signal(signal) }

  /// SIGSTOP, and waits until every thread stands still: on a busy machine one may run on for a while.
  func pause() throws {
    guard let child = process.withLock({ $0 }) else { throw HarnessProblem("\(name) never ran") }
    child.signal(SIGSTOP)
    try eventually("\(name) stands still") {
      let tasks =
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(child.id)/task")) ?? []
      return tasks.allSatisfy { task in
        let path = "/proc/\(child.id)/task/\(task)/stat"
        let text = String(
          decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        return text.split(separator: ")").last?.hasPrefix(" T") ?? true
      }
    }
  }

  /// SIGKILL, and its end.
  func kill() { process.withLock { $0 }?.end() }

  /// Waits for the end; the exit status.
  func wait(seconds: Double = 20) throws -> Int32 {
    guard let child = process.withLock({ $0 }) else { throw HarnessProblem("\(name) never ran") }
    return try child.wait(seconds: seconds)
  }

  /// One request over a connection of its own.
  func get(_ target: String, timeoutMilliseconds: Int = 8000) throws -> HTTPReply {
    try HTTPConnection(endpoint, timeoutMilliseconds: timeoutMilliseconds)
      .request("GET", target)
  }

  func post(
    _ body: String, to path: String = "/payment", timeoutMilliseconds: Int = 8000
  ) throws -> HTTPReply {
    try HTTPConnection(endpoint, timeoutMilliseconds: timeoutMilliseconds)
      .request("POST", path, body: Array(body.utf8))
  }

  /// `GET /status`, or nil while the node does not answer.
  func status(timeoutMilliseconds: Int = 2000) -> JSON? {
    guard isRunning,
      let reply = try? get("/status", timeoutMilliseconds: timeoutMilliseconds),
      reply.status == 200
    else { return nil }
    return reply.json
  }

  /// All payments, read page by page, oldest first.
  func transactions(_ query: String = "", pageLimit: Int = 1000) throws -> [JSON] {
    var all: [JSON] = []
    var cursor: String?
    let connection = try HTTPConnection(endpoint)
    repeat {
      var target = "/transactions?order=asc&limit=\(pageLimit)" + query
      if let cursor { target += "&cursor=\(cursor)" }
      let reply = try connection.request("GET", target)
      guard reply.status == 200 else { throw HarnessProblem("\(name): \(reply)") }
      let page = reply.json["transactions"].array
      guard page.count <= pageLimit else { throw HarnessProblem("\(name): a page over its limit") }
      all += page
      cursor = reply.json["next_cursor"].string
    } while cursor != nil
    return all
  }

  /// The balances of the node's own ledger by account, USD, page by page.
  func balances() throws -> [String: String] {
    var all: [String: String] = [:]
    var cursor: String?
    repeat {
      let reply = try get(
        "/get_ledger?consistency=local&limit=1000" + (cursor.map { "&cursor=\($0)" } ?? ""))
      guard reply.status == 200 else { throw HarnessProblem("\(name): \(reply)") }
      for member in reply.json["balances"].members { all[member.key] = member.value.digits }
      cursor = reply.json["next_cursor"].string
    } while cursor != nil
    return all
  }

  /// The names of its segment files, in order.
  func segments() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: data + "/log").filter {
      $0.hasSuffix(".lz4")
    }.sorted()
  }

  func segmentBytes(_ name: String) -> [UInt8] {
    Array(FileManager.default.contents(atPath: data + "/log/" + name) ?? Data())
  }

  /// Segments that end as a sealed one does (the trailer's tag).
  func sealedSegments() throws -> [String] {
    try segments().filter { segmentBytes($0).suffix(4).elementsEqual("SPFE".utf8) }
  }
}

/// Real `syncpayd` processes over a fresh directory, on free ports or in a network of their own.
final class Cluster: Sendable {
  let nodes: [TestNode]
  /// How many of them, the first, begin the cluster; the others may be added to it.
  let founderCount: Int
  let directory: String
  /// The network, where it is the cluster's own.
  let lab: NetworkLab?

  /// Writes the nodes' files; starts nothing.
  init(
    nodes count: Int = 3, joining: Int = 0, _ settings: Settings = [:],
    perNode: [Int: Settings] = [:], in lab: NetworkLab? = nil
  ) throws {
    self.lab = lab
    founderCount = count
    let directory =
      FileManager.default.temporaryDirectory.path + "/syncpay-e2e-"
      + UUID().uuidString.prefix(8).lowercased()
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    self.directory = directory
    let ports = try freePorts(2 * (count + joining))
    nodes = (1...count + joining).map {
      TestNode(
        $0,
        endpoint: Endpoint(host: lab?.address($0) ?? "127.0.0.1", port: ports[$0 - 1]),
        peerPort: ports[count + joining + $0 - 1], directory: directory,
        launcher: lab?.launcher($0) ?? [])
    }
    for node in nodes {
      let isJoining = node.number > count
      let members = nodes.filter { $0.number <= count || $0.number == node.number }.map {
        "\"\($0.number)=\($0.peer.host):\($0.peer.port)\""
      }
      var sections: [String: [String]] = [
        "node": ["\"id\": \(node.number)", "\"data_directory\": \"\(node.data)\""],
        "cluster": [
          "\"name\": \"e2e\"", "\"members\": [\(members.joined(separator: ", "))]",
          "\"join\": \(isJoining)",
        ],
        "http": ["\"host\": \"\(node.endpoint.host)\"", "\"port\": \(node.httpPort)"],
        // What disciplines this host's own clock must not decide what a test sees.
        "time": ["\"kernel\": false"],
      ]
      var all = Self.usual.merging(settings) { $1 }
      all.merge(perNode[node.number] ?? [:]) { $1 }
      for (key, value) in all.sorted(by: { $0.key < $1.key }) {
        let parts = key.split(separator: ".")
        sections[String(parts[0]), default: []].append("\"\(parts[1])\": \(value)")
      }
      let text = sections.sorted { $0.key < $1.key }.map {
        "  \"\($0.key)\": {\($0.value.joined(separator: ", "))}"
      }
      try "{\n\(text.joined(separator: ",\n"))\n}\n".write(
        toFile: node.configuration, atomically: true, encoding: .utf8)
    }
  }

  /// Segments that roll and clock reports that come often, unless a test says otherwise. A later
  /// batch carries the commit index of an earlier one, so reports make the end of the log certain.
  private static let usual: Settings = [
    "segment.bytes_max": 65_536, "time.report_seconds": 1, "time.peer_poll_milliseconds": 300,
  ]

  var running: [TestNode] { nodes.filter(\.isRunning) }

  /// Starts those that begin the cluster.
  func start() throws {
    let founders = nodes.prefix(founderCount)
    for node in founders { try node.start() }
    for node in founders { try waitUntilReady(node) }
    _ = try waitForLeader()
  }

  /// Restarts nodes that have ended, and waits until they follow or lead.
  func restart(_ nodes: TestNode...) throws {
    for node in nodes { try node.start() }
    for node in nodes { try waitUntilReady(node) }
  }

  func waitUntilReady(_ node: TestNode, seconds: Double = 20) throws {
    try eventually("\(node.name) is ready\n" + logTails(), seconds: seconds) {
      guard node.isRunning else { throw HarnessProblem("\(node.name) ended\n\(node.logText)") }
      return try isReady(node) ? () : nil
    }
  }

  private func isReady(_ node: TestNode) throws -> Bool {
    (try? node.get("/readyz", timeoutMilliseconds: 2000).status) == 200
  }

  /// Waits until every running node is ready and they agree on who leads.
  func waitForLeader(seconds: Double = 30) throws -> TestNode {
    try eventually("all running nodes agree on a leader", seconds: seconds) {
      let statuses = running.compactMap { $0.status() }
      guard statuses.count == running.count, let leader = statuses.first?["leader"].string,
        statuses.allSatisfy({ $0["leader"].string == leader }),
        let node = running.first(where: { $0.name == leader }),
        node.status()?["is_leader"].bool == true,
        try running.allSatisfy({ try isReady($0) })
      else { return nil }
      return node
    }
  }

  /// Waits until every running node has applied the same index, and requires one digest of them.
  @discardableResult
  func waitForAgreement(seconds: Double = 30) throws -> (index: Int, digest: String) {
    try eventually("all running nodes have applied the same index", seconds: seconds) {
      let statuses = running.compactMap { $0.status() }
      guard statuses.count == running.count, let first = statuses.first,
        let index = first["applied_index"].integer, index > 0,
        statuses.allSatisfy({ $0["applied_index"].integer == index })
      else { return nil }
      let digests = Set(statuses.map { $0["ledger_digest"].string ?? "none" })
      guard digests.count == 1, let digest = digests.first else {
        throw HarnessProblem("nodes differ at index \(index): \(digests.sorted())")
      }
      return (index, digest)
    }
  }

  /// Copies of the data directories, as an auditor would get them: what is signed before the log, which goes on
  /// meanwhile and must have all of that.
  func copies() throws -> [String] {
    let base = directory + "/copy-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    return try nodes.map { node in
      let target = base + "/\(node.name)"
      // A running node replaces small files by renaming: one may go while the directory is copied.
      try eventually("\(node.data) is copied") {
        try? FileManager.default.removeItem(atPath: target)
        let files = FileManager.default
        try? files.createDirectory(atPath: target, withIntermediateDirectories: true)
        let names = (try? files.contentsOfDirectory(atPath: node.data)) ?? []
        for name in names.sorted(by: {
          ($0 != "evidence" ? 1 : 0, $0) < ($1 != "evidence" ? 1 : 0, $1)
        }) {
          do {
            try files.copyItem(atPath: node.data + "/" + name, toPath: target + "/" + name)
          } catch {
            return false
          }
        }
        return !names.isEmpty
      }
      return target
    }
  }

  func logTails() -> String {
    nodes.map { node in
      "--- \(node.name)'s log ends:\n"
        + node.logText.split(separator: "\n").suffix(12).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// Ends every process and removes the files.
  func stop() {
    for node in nodes { node.kill() }
    if ProcessInfo.processInfo.environment["SYNCPAY_KEEP"] == nil {
      try? FileManager.default.removeItem(atPath: directory)
    }
  }
}

/// Runs a test's body over a fresh cluster on threads that may block, and attaches the nodes' logs
/// where it fails.
func withCluster(
  nodes count: Int = 3, joining: Int = 0, _ settings: Settings = [:],
  perNode: [Int: Settings] = [:], in network: TestNetwork = .loopback, isStarted: Bool = true,
  _ body: @Sendable (Cluster) async throws -> Void
) async throws {
  try await withTaskExecutorPreference(BlockingExecutor.shared) {
    let lab = try network.makeLab(nodes: count + joining)
    defer { lab?.remove() }
    let cluster = try Cluster(
      nodes: count, joining: joining, settings, perNode: perNode, in: lab)
    defer { cluster.stop() }
    do {
      if isStarted { try cluster.start() }
      try await body(cluster)
    } catch {
      for node in cluster.nodes { Attachment.record(node.logText, named: "\(node.name).log") }
      Issue.record("\(error)\n\(cluster.logTails())")
      throw error
    }
  }
}

/// One cluster for the tests that leave a cluster as they found it. Its nodes' system clocks are
/// wrong by 0, +300 and −200 ms, which nothing but the tests of clocks may notice.
enum SharedCluster {
  private static let cluster = Mutex<Cluster?>(nil)

  static func use(_ body: @Sendable (Cluster) async throws -> Void) async throws {
    try await withTaskExecutorPreference(BlockingExecutor.shared) {
      let shared = try cluster.withLock { cluster in
        if let cluster { return cluster }
        let fresh = try Cluster(
          perNode: [
            2: ["time.test_raw_offset_milliseconds": 300],
            3: ["time.test_raw_offset_milliseconds": -200],
          ])
        cluster = fresh
        atexit { SharedCluster.cluster.withLock { $0?.stop() } }
        try fresh.start()
        return fresh
      }
      do { try await body(shared) } catch {
        Issue.record("\(error)\n\(shared.logTails())")
        throw error
      }
    }
  }
}

/// Ports outside the range that the system gives to outgoing connections, so that a node that is
/// down finds its port free when it comes back.
func freePorts(_ count: Int) throws -> [Int] {
  var ports: [Int] = []
  var sockets: [Int32] = []
  defer { for descriptor in sockets { close(descriptor) } }
  for _ in 0..<1000 where ports.count < count {
    let port = Int.random(in: 11_000..<32_000)
    let descriptor = streamSocket()
    sockets.append(descriptor)
    var address = socketAddress(Endpoint(host: "127.0.0.1", port: port))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { ports.append(port) }
  }
  guard ports.count == count else { throw HarnessProblem("no free ports") }
  return ports
}

import ArgumentParser

/// `syncpay status`: every node in a table.
struct StatusCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the state of all nodes.",
    discussion: """
      One row per node: its role and term, who it believes leads, how far its log is committed and \
      applied, its clock's status, correction and error bound, and its peers. A node that does not \
      answer is shown with the reason.

      Exit codes: 0 a majority of the nodes answers and knows a leader; 1 fewer do; 2 none answers.
      """)

  @OptionGroup var nodes: NodeOptions

  func perform() async throws {
    let addresses = try nodes.addresses()
    let timeout = min(nodes.timeoutDuration, .seconds(5))
    let reports = try await NodeClient.with { client in
      await NodeReport.all(of: addresses, client: client, within: timeout)
    }
    switch nodes.format {
    case .table: NodeReport.table(reports).show()
    case .json: for report in reports { Terminal.line(report.json.description) }
    }
    try Self.judge(reports)
  }

  static func judge(_ reports: [NodeReport]) throws(CommandFailure) {
    let serving = reports.filter(\.isServing).count
    guard reports.contains(where: \.isReachable) else {
      throw CommandFailure(.unreachable, "no node answers.")
    }
    guard serving * 2 > reports.count else {
      throw CommandFailure(
        .refused, "only \(serving) of \(reports.count) nodes serve; payments need a majority.")
    }
  }
}

/// What a node says about itself, or why it says nothing.
struct NodeReport: Sendable {
  let address: NodeAddress
  /// `GET /status`; `nil` when there was no usable answer.
  let status: JSONValue?
  /// `GET /health`.
  let health: JSONValue?
  /// Why `status` is missing.
  let reason: String

  init(address: NodeAddress, status: JSONValue?, health: JSONValue?, reason: String = "") {
    self.address = address
    self.status = status
    self.health = health
    self.reason = reason
  }

  var name: String { status?["node_id"]?.text ?? address.name }
  var isReachable: Bool { status != nil }
  var isLeader: Bool { status?["is_leader"]?.bool == true }
  var leader: String? { status?["leader"]?.text }
  var term: Int { status?["term"]?.integer ?? 0 }
  var applied: Int? { status?["applied_index"]?.integer }
  /// Answers and knows a leader, so that it can take payments.
  var isServing: Bool { isReachable && (isLeader || leader != nil) }

  var role: String {
    guard isReachable else { return "unreachable" }
    return status?["role"]?.text ?? (isLeader ? "leader" : "follower")
  }

  /// Asks all nodes at once; the reports are in the order of the addresses.
  static func all(
    of addresses: [NodeAddress], client: NodeClient, within timeout: Duration
  ) async -> [NodeReport] {
    await withTaskGroup { group in
      for (place, address) in addresses.enumerated() {
        group.addTask { (place, await one(of: address, client: client, within: timeout)) }
      }
      var reports: [Int: NodeReport] = [:]
      for await (place, report) in group { reports[place] = report }
      return addresses.indices.compactMap { reports[$0] }
    }
  }

  static func one(
    of address: NodeAddress, client: NodeClient, within timeout: Duration
  ) async -> NodeReport {
    do throws(NoAnswer) {
      async let health = try? client.send(.get("/health"), to: address, within: timeout)
      let answer = try await client.send(.get("/status"), to: address, within: timeout)
      guard answer.isSuccess, let body = answer.body else {
        return NodeReport(
          address: address, status: nil, health: nil, reason: "status \(answer.status)")
      }
      return NodeReport(address: address, status: body, health: await health?.body)
    } catch {
      return NodeReport(address: address, status: nil, health: nil, reason: error.reason)
    }
  }

  static func table(_ reports: [NodeReport]) -> Table {
    var table = Table([
      .init("node"), .init("role"), .init("term", .right), .init("leader"),
      .init("commit", .right), .init("applied", .right), .init("transactions", .right),
      .init("clock"), .init("correction", .right), .init("bound", .right), .init("peers"),
    ])
    for report in reports { table.add(report.row) }
    return table
  }

  private var row: [String] {
    guard let status else {
      return [address.name, "unreachable"] + Array(repeating: "-", count: 8) + [reason]
    }
    let clock = status["clock"]
    let count = status["transaction_count"] ?? health?["transaction_count"]
    let correction = clock?["correction"]?.double ?? status["time_offset"]?.double
    return [
      name, role, status["term"]?.text ?? "-", leader ?? "none",
      status["commit_index"]?.text ?? "-", status["applied_index"]?.text ?? "-",
      count?.text ?? "-", clock?["status"]?.text ?? "-",
      correction.map(milliseconds) ?? "-",
      clock?["bound"]?.double.map { "±" + milliseconds($0) } ?? "-", peers,
    ]
  }

  /// `2 up`, or `1 up, node3 down`.
  private var peers: String {
    let members = status?["peer_health"]?.members ?? []
    let states = members.map { ($0.name, $0.value["status"]?.text ?? $0.value.text ?? "unknown") }
    let others = states.filter { !["healthy", "up", "ok"].contains($0.1) }
    let up = "\(members.count - others.count) up"
    return ([up] + others.map { "\($0.0) \($0.1)" }).joined(separator: ", ")
  }

  fileprivate var json: JSONValue {
    .object([
      .init(name: "node", value: .string(name)),
      .init(name: "url", value: .string(address.url)),
      .init(name: "reachable", value: .bool(isReachable)),
      .init(name: "reason", value: reason.isEmpty ? .null : .string(reason)),
      .init(name: "status", value: status ?? .null),
      .init(name: "health", value: health ?? .null),
    ])
  }
}

import Glibc
import Histogram
import NIOCore
import NIOPosix

/// Which nodes are paid through.
enum LoadTarget: String, CaseIterable, Sendable {
  case all, leader, followers
}

/// What the HTTP benchmark is asked to do.
struct HTTPSettings: Sendable {
  var connections = [1, 64, 1_000]
  /// Running nodes; none: a cluster of its own.
  var addresses: [HTTPAddress] = []
  var nodeCount = 3
  var daemon: String?
  var overrides: [String] = []
  var target = LoadTarget.all
  var accounts = 1_000
  var warmupSeconds = 2.0
  var runSeconds = 5.0
  var runs = 3
  var threads = 1
  var seed: UInt64 = 1

  static var toy: HTTPSettings {
    var settings = HTTPSettings()
    settings.connections = [1, 4]
    settings.accounts = 10
    settings.warmupSeconds = 0.05
    settings.runSeconds = 0.2
    settings.runs = 2
    return settings
  }
}

/// Payments per second and latency over HTTP.
struct HTTPBenchmark: Sendable {
  private let settings: HTTPSettings

  init(_ settings: HTTPSettings) { self.settings = settings }

  func run() async throws -> BenchSection {
    try await withEventLoops(settings.threads) { try await run(on: $0) }
  }

  private func run(on group: MultiThreadedEventLoopGroup) async throws -> BenchSection {
    guard settings.addresses.isEmpty else {
      return try await measure(settings.addresses, pids: [], on: group)
    }
    let nodes = try LoopbackNodes(
      LoopbackNodes.Plan(
        count: settings.nodeCount, daemon: settings.daemon, overrides: settings.overrides))
    defer { nodes.stop() }
    try await nodes.waitUntilReady(on: group)
    let result: Result<BenchSection, any Error>
    do {
      result = .success(try await measure(nodes.addresses, pids: nodes.pids, on: group))
    } catch {
      result = .failure(error)
    }
    // A node that has ended says more than the error that followed from it.
    try nodes.requireRunning()
    return try result.get()
  }

  private func measure(
    _ addresses: [HTTPAddress], pids: [pid_t], on group: MultiThreadedEventLoopGroup
  ) async throws -> BenchSection {
    var section = BenchSection(name: "http", settings: fields(nodeCount: addresses.count))
    let before = try await NodeState.ask(addresses, on: group)
    let targets = try chosen(addresses, before)
    let generator = LoadGenerator(
      group: group, warmupSeconds: settings.warmupSeconds, runSeconds: settings.runSeconds,
      runs: settings.runs, pids: pids)
    var counts = LoadCounts()
    for connections in settings.connections {
      let result = try await generator.run(
        LoadPlan(
          targets: targets, connections: connections, accounts: settings.accounts,
          seed: settings.seed, unixMilliseconds: UInt64(time(nil)) * 1_000 + UInt64(connections)))
      section.results.append(row(result))
      counts.add(result.counts)
    }
    let after = try await NodeState.settled(addresses, on: group)
    section.check(before: before, after: after, counts: counts)
    return section
  }

  private func fields(nodeCount: Int) -> [Field] {
    [
      .count("nodes", nodeCount), .flag("own_cluster", settings.addresses.isEmpty),
      .text("target", settings.target.rawValue), .count("accounts", settings.accounts),
      .count("runs", settings.runs), .real("run_seconds", settings.runSeconds, decimals: 2),
      .real("warmup_seconds", settings.warmupSeconds, decimals: 2),
      .count("client_threads", settings.threads),
      .text(
        "overrides", settings.overrides.isEmpty ? "none" : settings.overrides.joined(separator: " ")
      ),
    ]
  }

  /// The nodes to pay through, the leader first: a single connection is the leader's.
  private func chosen(
    _ addresses: [HTTPAddress], _ states: [NodeState]
  ) throws(BenchFailure) -> [HTTPAddress] {
    let paired = zip(addresses, states)
    let leaders = paired.filter { $0.1.isLeader }.map(\.0)
    let others = paired.filter { !$0.1.isLeader }.map(\.0)
    let targets =
      switch settings.target {
      case .all: leaders + others
      case .leader: leaders
      case .followers: others
      }
    guard !targets.isEmpty else {
      throw BenchFailure("None of the nodes is a target of --target \(settings.target.rawValue).")
    }
    return targets
  }

  private func row(_ result: LoadResult) -> [Field] {
    let rate = Spread(result.rates)
    var fields: [Field] = [
      .count("connections", result.connections), .real("payments_per_second", rate.median),
      .real("min", rate.min), .real("max", rate.max),
    ]
    for (name, percentile) in [
      ("p50_us", 50.0), ("p90_us", 90), ("p99_us", 99), ("p99.9_us", 99.9), ("max_us", 100),
    ] {
      let values = result.latencies.map { Double($0.valueAtPercentile(percentile)) / 1_000 }
      let spread = Spread(values)
      fields.append(.real(name, percentile == 100 ? spread.max : spread.median))
    }
    fields += [
      .count("acknowledged", result.counts.acknowledged),
      .text("other_statuses", result.counts.otherStatusesText),
      .count("connection_errors", result.counts.connectionErrors),
      .real("client_cores", result.clientCores, decimals: 2),
    ]
    if let cores = result.nodeCores { fields.append(.real("node_cores", cores, decimals: 2)) }
    return fields
  }
}

extension BenchSection {
  /// Compares what all nodes have with what clients were told.
  fileprivate mutating func check(
    before: [NodeState], after: [NodeState], counts: LoadCounts
  ) {
    for (place, states) in zip(before, after).enumerated() {
      let added = Int(states.1.transactionCount) - Int(states.0.transactionCount)
      let possible = counts.acknowledged...counts.acknowledged + counts.inDoubt
      guard !possible.contains(added) else { continue }
      failures.append(
        "node \(place + 1) has \(added) new payments; \(counts.acknowledged) were acknowledged "
          + "and \(counts.inDoubt) are in doubt.")
    }
    if failures.isEmpty {
      notes.append(
        "All \(after.count) nodes have the \(counts.acknowledged) payments that were acknowledged"
          + (counts.inDoubt > 0 ? ", and some of the \(counts.inDoubt) in doubt." : "."))
    }
    if let before = before.map(\.term).max(), let after = after.map(\.term).max(), before != after {
      notes.append("The leader changed meanwhile: term \(before) to \(after).")
    }
    notes.append("Medians of the runs; max us is the longest of all. A closed loop: see --help.")
  }
}

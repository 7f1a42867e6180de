import Glibc
import Histogram
import NIOCore
import NIOPosix

/// What the redundancy benchmark is asked to do.
struct RedundancySettings: Sendable {
  var nodeCounts = [1, 3, 5]
  /// Few for latency, many for throughput.
  var connections = [1, 64]
  var daemon: String?
  var overrides: [String] = []
  var warmupSeconds = 1.0
  var runSeconds = 3.0
  var runs = 3
  var seed: UInt64 = 1

  static var toy: RedundancySettings {
    var settings = RedundancySettings()
    settings.nodeCounts = [1, 3]
    settings.connections = [1, 4]
    settings.warmupSeconds = 0.05
    settings.runSeconds = 0.2
    settings.runs = 1
    return settings
  }
}

/// What each further copy costs: throughput, latency and bytes stored by the number of nodes.
struct RedundancyBenchmark: Sendable {
  private static let accounts = 1_000

  private let settings: RedundancySettings

  init(_ settings: RedundancySettings) { self.settings = settings }

  func run() async throws -> RedundancyResult {
    try await withEventLoops { group in
      var all = RedundancyResult(settings)
      for count in settings.nodeCounts { try await measure(count, into: &all, on: group) }
      return all
    }
  }

  private func measure(
    _ nodeCount: Int, into all: inout RedundancyResult, on group: MultiThreadedEventLoopGroup
  ) async throws {
    let nodes = try LoopbackNodes(
      LoopbackNodes.Plan(
        count: nodeCount, daemon: settings.daemon, overrides: settings.overrides))
    defer { nodes.stop() }
    try await nodes.waitUntilReady(on: group)
    let generator = LoadGenerator(
      group: group, warmupSeconds: settings.warmupSeconds, runSeconds: settings.runSeconds,
      runs: settings.runs, pids: nodes.pids)
    var acknowledged = 0
    for connections in settings.connections {
      let states = try await NodeState.ask(nodes.addresses, on: group)
      let leaderFirst =
        zip(nodes.addresses, states).filter { $0.1.isLeader }.map(\.0)
        + zip(nodes.addresses, states).filter { !$0.1.isLeader }.map(\.0)
      let before = nodes.storedByteCount
      let result = try await generator.run(
        LoadPlan(
          targets: leaderFirst, connections: connections, accounts: Self.accounts,
          seed: settings.seed, unixMilliseconds: UInt64(time(nil)) * 1_000 + UInt64(connections)))
      acknowledged += result.counts.acknowledged
      let after = try await NodeState.settled(nodes.addresses, on: group)
      all.add(
        RedundancyCase(
          nodeCount: nodeCount, result, storedByteCount: nodes.storedByteCount - before))
      all.check(after, acknowledged: acknowledged, counts: result.counts)
    }
    try nodes.requireRunning()
  }
}

/// One level of load on one size of cluster.
struct RedundancyCase: Sendable {
  let nodeCount: Int
  let connections: Int
  let rate: Spread
  /// Milliseconds, medians of the runs.
  let p50, p99: Double
  let acknowledged: Int
  /// On all nodes together.
  let storedByteCount: Int

  init(nodeCount: Int, _ result: LoadResult, storedByteCount: Int) {
    self.nodeCount = nodeCount
    connections = result.connections
    rate = Spread(result.rates)
    func median(_ percentile: Double) -> Double {
      Spread(result.latencies.map { Double($0.valueAtPercentile(percentile)) / 1e6 }).median
    }
    (p50, p99) = (median(50), median(99))
    acknowledged = result.counts.acknowledged
    self.storedByteCount = storedByteCount
  }

  /// On all nodes together.
  var bytesPerPayment: Double { Double(storedByteCount) / Double(max(acknowledged, 1)) }

  var fields: [Field] {
    [
      .count("nodes", nodeCount), .count("connections", connections),
      .real("payments_per_second", rate.median), .real("min", rate.min), .real("max", rate.max),
      .real("p50_ms", p50, decimals: 2), .real("p99_ms", p99, decimals: 2),
      .count("acknowledged", acknowledged), .count("stored_bytes", storedByteCount),
      .real("bytes_per_payment", bytesPerPayment, decimals: 1),
      .real("bytes_per_payment_and_node", bytesPerPayment / Double(nodeCount), decimals: 1),
    ]
  }
}

/// All cases, as a table and as a picture.
struct RedundancyResult: Sendable {
  private(set) var section: BenchSection
  private var cases: [RedundancyCase] = []

  init(_ settings: RedundancySettings) {
    section = BenchSection(
      name: "redundancy",
      settings: [
        .count("runs", settings.runs), .real("run_seconds", settings.runSeconds, decimals: 2),
        .real("warmup_seconds", settings.warmupSeconds, decimals: 2),
        .text("overrides", settings.overrides.joined(separator: " ")),
      ],
      notes: [
        "Medians of the runs. Every payment is durable on a majority before it is answered. All "
          + "nodes and the clients share this machine, so each node also takes processor time "
          + "from the others; on hosts of their own they would not."
      ])
  }

  mutating func add(_ result: RedundancyCase) {
    cases.append(result)
    section.results.append(result.fields)
  }

  /// Compares what the nodes have with what clients were told.
  mutating func check(_ states: [NodeState], acknowledged: Int, counts: LoadCounts) {
    for (place, state) in states.enumerated()
    where !(acknowledged...acknowledged + counts.inDoubt).contains(Int(state.transactionCount)) {
      section.failures.append(
        "node \(place + 1) of \(states.count) has \(state.transactionCount) payments; "
          + "\(acknowledged) were acknowledged.")
    }
  }

  /// Throughput, latency and bytes by the number of nodes.
  func chart(machine: String) -> BarChart {
    BarChart(
      title: "What redundancy costs: \(machine)",
      panels: [
        panel("Payments a second, \(connectionsMax) connections", connectionsMax) {
          [("payments a second", $0.rate.median)]
        },
        panel("Bytes stored for a payment, all nodes together", connectionsMax) {
          [("bytes", $0.bytesPerPayment)]
        },
        panel("Latency in ms, \(connectionsMax) connections", connectionsMax, latencies),
        panel(
          "Latency in ms, \(connectionsMin) connection\(connectionsMin == 1 ? "" : "s")",
          connectionsMin, latencies),
      ])
  }

  private var connectionsMin: Int { cases.map(\.connections).min() ?? 0 }
  private var connectionsMax: Int { cases.map(\.connections).max() ?? 0 }

  private func latencies(_ result: RedundancyCase) -> [(String, Double)] {
    [("p50", result.p50), ("p99", result.p99)]
  }

  private func panel(
    _ title: String, _ connections: Int, _ values: (RedundancyCase) -> [(String, Double)]
  ) -> BarPanel {
    let chosen = cases.filter { $0.connections == connections }
    let named = chosen.map(values)
    let names = named.first?.map(\.0) ?? []
    return BarPanel(
      title: title, caseTitle: "nodes", cases: chosen.map { "\($0.nodeCount)" },
      series: names.enumerated().map { place, name in
        BarPanel.Series(name: name, values: named.map { $0[place].1 })
      })
  }
}

import Bytes
import Glibc
import NIOCore
import NIOPosix

/// What the failover benchmark is asked to do.
struct FailoverSettings: Sendable {
  var nodes = LoopbackNodes.Plan()
  /// How often a leader is killed.
  var kills = 20
  /// Clients that pay all the time.
  var clients = 6
  var seed: UInt64 = 1

  static var toy: FailoverSettings {
    var settings = FailoverSettings()
    settings.kills = 2
    settings.clients = 3
    return settings
  }
}

/// From SIGKILL of the leader to the next acknowledged payment.
struct FailoverBenchmark: Sendable {
  /// A client's pause after each payment: a load that leaves the processors to the nodes.
  private static let pauseMilliseconds = 5
  /// A leader is killed after so long a rest, at any moment between two heartbeats.
  private static let restMilliseconds = 200...400

  private let settings: FailoverSettings

  init(_ settings: FailoverSettings) { self.settings = settings }

  func run() async throws -> BenchSection { try await withEventLoops { try await run(on: $0) } }

  private func run(on group: MultiThreadedEventLoopGroup) async throws -> BenchSection {
    let nodes = try LoopbackNodes(settings.nodes)
    defer { nodes.stop() }
    try await nodes.waitUntilReady(on: group)
    let load = SteadyLoad()
    let start = UInt64(time(nil)) * 1_000
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
      for number in 0..<settings.clients {
        tasks.addTask {
          try await pay(
            client(of: nodes, number, from: start, on: group), number: number, into: load)
        }
      }
      defer { load.stop() }
      let kills = try await killLeaders(of: nodes, load, from: start, on: group)
      load.stop()
      try await tasks.waitForAll()
      let states = try await NodeState.settled(nodes.addresses, on: group)
      return section(kills, acknowledged: load.count, states)
    }
  }

  private func client(
    of nodes: LoopbackNodes, _ stream: Int, from start: UInt64, on group: any EventLoopGroup
  ) -> RetryingClient {
    RetryingClient(
      of: nodes.addresses, place: stream % nodes.addresses.count, stream: UInt16(stream),
      seed: settings.seed, unixMilliseconds: start, on: group.next())
  }

  private func pay(
    _ client: consuming RetryingClient, number: Int, into load: SteadyLoad
  ) async throws {
    while !load.isOver {
      try await client.pay()
      load.acknowledged(by: number, at: .now)
      try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
    }
    client.close()
  }

  /// One after the other: kill, measure, start the node again, wait until it has caught up.
  private func killLeaders(
    of nodes: LoopbackNodes, _ load: SteadyLoad, from start: UInt64,
    on group: MultiThreadedEventLoopGroup
  ) async throws -> [FailoverTimes] {
    var random = SeededGenerator(seed: settings.seed)
    var times: [FailoverTimes] = []
    for number in 0..<settings.kills {
      Terminal.progress("failover: kill \(number + 1) of \(settings.kills) …")
      try await nodes.waitUntilReady(on: group)
      try await Task.sleep(
        for: .milliseconds(Int.random(in: Self.restMilliseconds, using: &random)))
      let states = try await NodeState.ask(nodes.addresses, on: group)
      guard let leader = states.firstIndex(where: \.isLeader) else {
        throw BenchFailure("The cluster lost its leader before it was killed.")
      }
      _ = load.takePauseMax(at: .now)
      let killed = ContinuousClock.now
      nodes.kill(leader)
      let next = try await firstPayment(
        nodes, without: leader, stream: settings.clients + number * nodes.addresses.count, load,
        from: start, on: group)
      try nodes.start(leader)
      try await nodes.waitUntilCaughtUp(leader, on: group)
      times.append(
        FailoverTimes(nextPayment: next - killed, clientPauseMax: load.takePauseMax(at: .now)))
    }
    return times
  }

  /// When the first of new payments, sent to each survivor after the leader's end, was acknowledged.
  private func firstPayment(
    _ nodes: LoopbackNodes, without leader: Int, stream: Int, _ load: SteadyLoad,
    from start: UInt64, on group: MultiThreadedEventLoopGroup
  ) async throws -> ContinuousClock.Instant {
    try await withThrowingTaskGroup(of: ContinuousClock.Instant.self) { tasks in
      for place in nodes.addresses.indices where place != leader {
        tasks.addTask {
          var client = RetryingClient(
            of: nodes.addresses, place: place, stream: UInt16(stream + place),
            seed: settings.seed, unixMilliseconds: start, on: group.next())
          try await client.pay()
          client.close()
          load.acknowledgedOnce()
          return .now
        }
      }
      var first: ContinuousClock.Instant?
      for try await instant in tasks { first = min(first ?? instant, instant) }
      guard let first else { throw BenchFailure("A cluster of one node has no failover.") }
      return first
    }
  }

  private func section(
    _ times: [FailoverTimes], acknowledged: Int, _ states: [NodeState]
  ) -> BenchSection {
    var section = BenchSection(
      name: "failover",
      settings: [
        .count("nodes", settings.nodes.count), .count("kills", times.count),
        .count("clients", settings.clients), .text("configs", settings.nodes.configs ?? "defaults"),
        .text("overrides", settings.nodes.overrides.joined(separator: " ")),
      ])
    section.results = [
      row("to the next payment", times.map(\.nextPayment)),
      row("longest wait of a client", times.map(\.clientPauseMax)),
    ]
    section.notes = [
      "From SIGKILL of the leader until a payment that was sent after its end was acknowledged; and "
        + "the longest that any client of the load, the dead node's too, had no acknowledgement.",
      "Each time to the next payment, ms: "
        + times.map { "\(scaled($0.nextPayment.seconds * 1e3, decimals: 0))" }
        .joined(separator: " "),
    ]
    for (place, state) in states.enumerated() where state.transactionCount != acknowledged {
      section.failures.append(
        "node \(place + 1) has \(state.transactionCount) payments; \(acknowledged) were "
          + "acknowledged, each after as many attempts as it took.")
    }
    return section
  }

  private func row(_ name: String, _ durations: [Duration]) -> [Field] {
    let values = durations.map { $0.seconds * 1e3 }
    let spread = Spread(values)
    return [
      .text("time", name), .real("min_ms", spread.min), .real("median_ms", spread.median),
      .real("p90_ms", nearestRank(90, of: values)), .real("max_ms", spread.max),
    ]
  }
}

/// What one kill gave.
struct FailoverTimes: Sendable {
  /// Until the next payment was acknowledged.
  var nextPayment: Duration
  /// The longest that a client was without an acknowledgement until the node was back.
  var clientPauseMax: Duration
}

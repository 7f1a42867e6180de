import Bytes
import FoundationEssentials
import HostFiles
import NIOCore
import NIOPosix
import SegmentLog

/// What the restart benchmark is asked to do.
struct RestartSettings: Sendable {
  var log = {
    var log = ReplaySettings()
    log.events = 10_000_000
    return log
  }()
  var nodes = LoopbackNodes.Plan()
  /// Starts after each kind of end.
  var runs = 5

  /// The log as nodes leave it: sealed but for its last segment.
  var sealed: EvidenceSettings {
    var sealed = EvidenceSettings()
    sealed.events = log.events
    sealed.accounts = log.accounts
    sealed.batch = log.batch
    sealed.segmentByteCount = BatchMaker.segmentByteCountMax
    sealed.seed = log.seed
    return sealed
  }

  static var toy: RestartSettings {
    var settings = RestartSettings()
    settings.log = .toy
    settings.runs = 2
    // Even a small log is worth a snapshot.
    settings.nodes.overrides = ["snapshot.events_min=1000"]
    return settings
  }
}

/// From the start of a node with a long history until it takes payments.
struct RestartBenchmark: Sendable {
  private let settings: RestartSettings

  init(_ settings: RestartSettings) { self.settings = settings }

  func run() async throws -> BenchSection { try await withEventLoops { try await run(on: $0) } }

  private func run(on group: MultiThreadedEventLoopGroup) async throws -> BenchSection {
    var plan = settings.nodes
    plan.prepare = { [settings] in try Self.makeData(settings, in: $0) }
    let nodes = try LoopbackNodes(plan)
    defer { nodes.stop() }
    Terminal.progress("restart: the nodes replay their logs …")
    try await nodes.waitUntilReady(on: group, seconds: 900)
    let last = nodes.addresses.count - 1
    let replayed = try await replay(last, of: nodes, on: group)
    var memory = MemoryUse(afterReplay: nodes.residentByteCountMax(last))
    // The nodes make their snapshots when they end.
    for place in nodes.addresses.indices { memory.atEnd = max(memory.atEnd, try nodes.end(place)) }
    for place in nodes.addresses.indices { try nodes.start(place) }
    try await nodes.waitUntilReady(on: group, seconds: 900)
    var (ended, killed): ([Duration], [Duration]) = ([], [])
    for run in 1...settings.runs {
      Terminal.progress("restart: \(run) of \(settings.runs) …")
      try nodes.end(last)
      ended.append(try await start(last, of: nodes, on: group))
      nodes.kill(last)
      killed.append(try await start(last, of: nodes, on: group))
      memory.afterSnapshot = nodes.residentByteCountMax(last)
    }
    let states = try await NodeState.settled(nodes.addresses, on: group)
    return section(replayed, ended, killed, states, memory)
  }

  /// One start without a snapshot, while the other nodes run.
  private func replay(
    _ place: Int, of nodes: LoopbackNodes, on group: MultiThreadedEventLoopGroup
  ) async throws -> Duration {
    nodes.kill(place)
    return try await start(place, of: nodes, on: group)
  }

  private func start(
    _ place: Int, of nodes: LoopbackNodes, on group: MultiThreadedEventLoopGroup
  ) async throws -> Duration {
    let started = ContinuousClock.now
    try nodes.start(place)
    try await NodeState.untilReady(nodes.addresses[place], on: group)
    return ContinuousClock.now - started
  }

  /// The data directories: one log, made once and copied, with a hard state that vouches for it.
  private static func makeData(_ settings: RestartSettings, in directory: String) throws {
    let files = PosixFileSystem()
    let first = directory + "/node1"
    for number in 1...settings.nodes.count {
      let own = directory + "/node\(number)"
      try files.createDirectory(own)
      var hardState = try HardStateFile(
        files, directory: own, clusterID: BatchMaker.cluster, logIsEmpty: true,
        newStore: UInt64(number))
      let last =
        number == 1
        ? try SealedLog(settings.sealed, in: first + "/log").lastIndex : try copy(first, to: own)
      try hardState.write(
        HardState(term: Term(1), knownDurable: last, store: hardState.state.store))
    }
  }

  private static func copy(_ first: String, to own: String) throws -> LogIndex {
    try FileManager.default.copyItem(atPath: first + "/log", toPath: own + "/log")
    return try HardStateFile(
      PosixFileSystem(), directory: first, clusterID: BatchMaker.cluster, logIsEmpty: false
    ).state.knownDurable
  }

  private func section(
    _ replayed: Duration, _ ended: [Duration], _ killed: [Duration], _ states: [NodeState],
    _ memory: MemoryUse
  ) -> BenchSection {
    var section = BenchSection(
      name: "restart",
      settings: [
        .count("payments", settings.log.events), .count("accounts", settings.log.accounts),
        .count("nodes", settings.nodes.count),
        .text("overrides", settings.nodes.overrides.joined(separator: " ")),
      ])
    section.results = [
      row("after SIGTERM", ended, memory.atEnd), row("after SIGKILL", killed, memory.afterSnapshot),
      row("without a snapshot", [replayed], memory.afterReplay),
    ]
    section.notes = [
      "From the start of the process until GET /readyz is answered 200, while the cluster's other "
        + "nodes run: the ledger is read, a leader known, and the clock compared. Memory is the most that the "
        + "process had resident up to then; beside SIGTERM, of a node that replayed all and wrote its first "
        + "snapshot at its end, from start to end."
    ]
    for (place, state) in states.enumerated()
    where state.transactionCount != UInt64(settings.log.events) {
      section.failures.append(
        "node \(place + 1) has \(state.transactionCount) payments of \(settings.log.events).")
    }
    return section
  }

  /// The most that a node had resident, bytes.
  private struct MemoryUse {
    let afterReplay: Int
    var afterSnapshot = 0
    /// From the start of a node that replays all to its end, with its first snapshot.
    var atEnd = 0

    init(afterReplay: Int) { self.afterReplay = afterReplay }
  }

  private func row(_ name: String, _ durations: [Duration], _ memory: Int?) -> [Field] {
    let spread = Spread(durations.map { $0.seconds * 1e3 })
    return [
      .text("start", name), .count("starts", durations.count), .real("min_ms", spread.min),
      .real("median_ms", spread.median), .real("max_ms", spread.max),
      .text("resident_mib", memory.map { "\($0 >> 20)" } ?? "-"),
    ]
  }
}

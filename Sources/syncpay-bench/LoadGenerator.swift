import Histogram
import NIOCore
import NIOPosix

/// What a level gave.
struct LoadResult: Sendable {
  let connections: Int
  let counts: LoadCounts
  /// Acknowledged payments per second, for each run.
  let rates: [Double]
  /// Latencies in nanoseconds, for each run.
  let latencies: [Histogram<UInt64>]
  /// Cores that this process kept busy while it was measured.
  let clientCores: Double
  /// Cores that the nodes kept busy; nil where they are not ours.
  let nodeCores: Double?
}

/// Loads nodes with payments at one level of concurrency.
struct LoadGenerator: Sendable {
  private static let connectAtOnceMax = 64
  private static let drainSeconds = 10

  let group: MultiThreadedEventLoopGroup
  let warmupSeconds, runSeconds: Double
  let runs: Int
  /// The nodes' processes, where they are ours.
  let pids: [pid_t]

  /// Connects, warms up, measures the runs one after the other, and waits for the last answers.
  func run(_ plan: LoadPlan) async throws -> LoadResult {
    let workers = try await makeWorkers(plan)
    try await connect(workers, count: plan.connections)
    try await each(workers) { $0.start() }
    try await Task.sleep(for: .seconds(warmupSeconds))
    let start = (ContinuousClock.now, ProcessorTime.own, nodeTime)
    for run in 0..<runs {
      Terminal.progress("http: \(plan.connections) connections, run \(run + 1) of \(runs) …")
      try await each(workers) { $0.begin(run) }
      try await Task.sleep(for: .seconds(runSeconds))
      try await each(workers) { $0.end() }
    }
    let elapsed = (ContinuousClock.now - start.0).seconds
    let cores = (ProcessorTime.own - start.1, nodeTime - start.2)
    try await drain(workers)
    return try await result(
      plan, workers, clientCores: cores.0 / elapsed,
      nodeCores: pids.isEmpty ? nil : cores.1 / elapsed)
  }

  private typealias Worker = NIOLoopBound<LoadWorker>

  private var nodeTime: Double { pids.reduce(0) { $0 + ProcessorTime.seconds(of: $1) } }

  private func makeWorkers(_ plan: LoadPlan) async throws -> [Worker] {
    var workers: [Worker] = []
    for loop in group.makeIterator() {
      workers.append(
        try await loop.submit {
          NIOLoopBound(LoadWorker(plan, loop: loop, runs: runs), eventLoop: loop)
        }.get())
    }
    return workers
  }

  /// A few at a time, so that no listener's queue overflows.
  private func connect(_ workers: [Worker], count: Int) async throws {
    for start in stride(from: 0, to: count, by: Self.connectAtOnceMax) {
      let numbers = start..<min(start + Self.connectAtOnceMax, count)
      for (place, worker) in workers.enumerated() {
        let own = numbers.filter { $0 % workers.count == place }
        try await worker.eventLoop.flatSubmit { worker.value.connect(own) }.get()
      }
    }
  }

  private func each(
    _ workers: [Worker], _ body: @escaping @Sendable (LoadWorker) -> Void
  ) async throws {
    for worker in workers {
      try await worker.eventLoop.submit { body(worker.value) }.get()
    }
  }

  private func drain(_ workers: [Worker]) async throws {
    try await each(workers) { $0.stop() }
    let deadline = ContinuousClock.now + .seconds(Self.drainSeconds)
    while try await openCount(workers) > 0, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(10))
    }
    try await each(workers) { $0.abandon() }
    while try await openCount(workers) > 0 { try await Task.sleep(for: .milliseconds(10)) }
  }

  private func openCount(_ workers: [Worker]) async throws -> Int {
    var count = 0
    for worker in workers {
      count += try await worker.eventLoop.submit { worker.value.openCount }.get()
    }
    return count
  }

  private func result(
    _ plan: LoadPlan, _ workers: [Worker], clientCores: Double, nodeCores: Double?
  ) async throws -> LoadResult {
    var counts = LoadCounts()
    var rates = [Double](repeating: 0, count: runs)
    var latencies = Array(repeating: RunTally().latencies, count: runs)
    for worker in workers {
      let (part, tallies) = try await worker.eventLoop.submit {
        (worker.value.counts, worker.value.runs)
      }.get()
      counts.add(part)
      for (run, tally) in tallies.enumerated() {
        rates[run] += tally.rate
        latencies[run].add(tally.latencies)
      }
    }
    return LoadResult(
      connections: plan.connections, counts: counts, rates: rates, latencies: latencies,
      clientCores: clientCores, nodeCores: nodeCores)
  }
}

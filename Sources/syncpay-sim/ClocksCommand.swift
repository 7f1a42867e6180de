import ArgumentParser
import Foundation
import Simulation

/// Tries a node's clock against simulated time servers, where true time is known.
struct ClocksCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clocks",
    abstract: "Try a node's clock against simulated time servers, where true time is known.",
    discussion: """
      Each seed is one clock for some hours: the code that runs in a node, over a simulated oscillator
      and network. Every second its reading is held against true time, which must lie inside the bound.

      The world 'chrony' is that of chrony's own tests (clknetsim: 100 ms and 100 ppm off, 0.1 ms of
      delay and of jitter each way, the rate walking by 1e-9 a second, 10,000 s), with their limits:
      an error below 1 ms for good within 120 s, 0.3 ms rms after that; and the median bound at most
      three times the largest error of any reading. In the world 'drawn' servers, paths, losses, false
      servers and the clock's settings are drawn from the seed, and only the bound is held against
      true time.

      --hindsight also looks back at each world when it is over, with the answers from after each moment:
      true time must lie in the bounds that an audit would give, too. In a tenth of the time there are no
      answers at all.

      Exit status: 0 every limit kept, 1 not, 64 the options are wrong.
      """)

  /// What the clocks are put into.
  enum WorldKind: String, CaseIterable, ExpressibleByArgument {
    case chrony, drawn
  }

  @Option(help: "The seeds, as FIRST..LAST.", transform: range)
  var seeds: ClosedRange<UInt64>

  @Option(help: "What world.")
  var world = WorldKind.chrony

  @Option(help: "Time servers of the world 'chrony'.")
  var servers = 3

  @Option(help: "How many of them are false.")
  var falseServers = 0

  @Flag(help: "Look back at each world too.")
  var hindsight = false

  @Option(help: "Clocks that run at the same time.")
  var jobs = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard jobs > 0, (1...32).contains(servers), (0..<servers).contains(falseServers) else {
      throw ValidationError("--jobs and --servers must be positive, and not all servers false.")
    }
  }

  func run() async throws {
    let started = ContinuousClock.now
    var summary = ClocksSummary()
    await withTaskGroup(of: ClockLabResult.self) { group in
      var rest = seeds.makeIterator()
      func startNext() {
        guard let seed = rest.next() else { return }
        let options = options(seed)
        group.addTask {
          var lab = ClockLab(options)
          var result = lab.run()
          result.lookBack()
          return result
        }
      }
      for _ in 0..<jobs { startNext() }
      for await result in group {
        summary.take(result)
        startNext()
      }
    }
    let failures = world == .chrony ? summary.missedLimits : summary.dishonest
    for line in summary.lines(elapsed: ContinuousClock.now - started) { print(line) }
    for failure in failures { print("FAILED: \(failure)") }
    if !failures.isEmpty { throw ExitCode(1) }
  }

  private func options(_ seed: UInt64) -> ClockLabOptions {
    var options: ClockLabOptions
    switch world {
    case .drawn: options = .drawn(seed: seed)
    case .chrony:
      options = ClockLabOptions(seed: seed)
      options.serverCount = servers
      options.falseServerCount = falseServers
    }
    guard hindsight else { return options }
    options.keepsHistory = true
    options.outage = options.seconds / 2..<options.seconds * 6 / 10
    return options
  }
}

/// What many clocks came to.
struct ClocksSummary {
  private static let synchronizedSecondsMax: Int64 = 120
  private static let rootMeanSquareMax = 300_000.0
  private static let boundFactorMax = 3.0

  private(set) var count = 0
  private var insideCount = 0
  /// Of any reading, and of those after the settling time.
  private var errorMaxEver: (nanoseconds: Int64, seed: UInt64) = (0, 0)
  private var errorMax: (nanoseconds: Int64, seed: UInt64) = (0, 0)
  private var rootMeanSquareMax: (nanoseconds: Double, seed: UInt64) = (0, 0)
  private var synchronizedMax: (seconds: Int64, seed: UInt64) = (0, 0)
  private var medians: [Int64] = []
  /// Of each clock: its own median bound in terms of its own largest error.
  private var factors: [Double] = []
  private var falseMissed: [UInt64] = []
  /// Moments in the bounds of hindsight, and those of them with narrower ones.
  private var hindsight = (inside: 0, narrower: 0)
  private var late: [UInt64] = []
  /// Bounds that true time was outside of.
  private(set) var dishonest: [String] = []

  mutating func take(_ result: ClockLabResult) {
    count += 1
    insideCount += result.insideCount
    if let violation = result.violation { dishonest.append("seed \(result.seed): \(violation)") }
    hindsight.inside += result.hindsight.inside
    hindsight.narrower += result.hindsight.narrower
    if result.hindsight.outside > 0 {
      dishonest.append(
        "seed \(result.seed): \(result.hindsight.outside) moments outside, looking back")
    }
    if result.errorMaxEver > errorMaxEver.nanoseconds {
      errorMaxEver = (result.errorMaxEver, result.seed)
    }
    if result.errorMax > errorMax.nanoseconds { errorMax = (result.errorMax, result.seed) }
    if result.errorRootMeanSquare > rootMeanSquareMax.nanoseconds {
      rootMeanSquareMax = (result.errorRootMeanSquare, result.seed)
    }
    medians.append(result.boundMedian)
    factors.append(Double(result.boundMedian) / Double(max(result.errorMaxEver, 1)))
    if let seconds = result.synchronizedSeconds {
      if seconds >= synchronizedMax.seconds { synchronizedMax = (seconds, result.seed) }
    } else {
      late.append(result.seed)
    }
    if result.falseVerdictCount != result.falseServerCount { falseMissed.append(result.seed) }
  }

  /// What chrony's limits, and ours, say.
  var missedLimits: [String] {
    var failures = dishonest
    if !late.isEmpty {
      failures.append("the error never stayed below 1 ms: seeds \(late.prefix(10))")
    }
    if synchronizedMax.seconds > Self.synchronizedSecondsMax {
      failures.append(
        "synchronized after \(synchronizedMax.seconds) s: seed \(synchronizedMax.seed)")
    }
    if rootMeanSquareMax.nanoseconds > Self.rootMeanSquareMax {
      failures.append("error of more than 0.3 ms rms: seed \(rootMeanSquareMax.seed)")
    }
    if !falseMissed.isEmpty {
      failures.append("false servers that were not found: seeds \(falseMissed.prefix(10))")
    }
    if Double(boundMedian) > Self.boundFactorMax * Double(errorMaxEver.nanoseconds) {
      failures.append("the median bound is more than three times the largest error seen")
    }
    return failures
  }

  private var boundMedian: Int64 { medians.isEmpty ? 0 : medians.sorted()[medians.count / 2] }

  func lines(elapsed: Duration) -> [String] {
    func microseconds(_ nanoseconds: Double) -> String {
      String(format: "%.1f us", nanoseconds / 1000)
    }
    let factor = factors.isEmpty ? 0 : factors.sorted()[factors.count / 2]
    let back =
      hindsight.inside == 0
      ? []
      : [
        "looking back: \(hindsight.inside) moments inside, \(hindsight.narrower) of them in narrower bounds"
      ]
    return back + [
      "\(count) clocks, \(insideCount) readings inside their bounds, \(dishonest.count) clocks with one"
        + " outside, \(Int(elapsed / .seconds(1))) s",
      "error below 1 ms for good after at most \(synchronizedMax.seconds) s (seed \(synchronizedMax.seed)),"
        + " never in \(late.count)",
      "error at any time: at most \(microseconds(Double(errorMaxEver.nanoseconds)))"
        + " (seed \(errorMaxEver.seed))",
      "error once settled: at most \(microseconds(Double(errorMax.nanoseconds))) (seed \(errorMax.seed)),"
        + " rms of a clock at most \(microseconds(rootMeanSquareMax.nanoseconds))"
        + " (seed \(rootMeanSquareMax.seed))",
      "bound: median \(microseconds(Double(boundMedian))),"
        + " \(String(format: "%.2f", Double(boundMedian) / Double(max(errorMaxEver.nanoseconds, 1))))"
        + " times the largest error of all, \(String(format: "%.2f", factor)) times a clock's own (median)",
      "false servers named: in \(count - falseMissed.count) of \(count) worlds just those that are",
    ]
  }
}

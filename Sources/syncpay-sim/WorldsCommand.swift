import ArgumentParser
import Foundation
import Simulation

/// Runs whole clusters in simulation, from seeds.
struct WorldsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worlds",
    abstract: "Run whole clusters in simulation, and check every promise on the way.",
    discussion: """
      A seed decides everything: cluster, options, clients, faults. The same seed gives the same
      world on any machine. A failure prints its seed, and writes a directory that syncpay-audit and
      people can read.

      Exit status: 0 every world kept every promise, 1 one did not, 64 the options are wrong.

      Examples:
        syncpay-sim --seed 42 --trace
        syncpay-sim --seeds 1..300
        syncpay-sim --seeds 1..200 --canary fsync-skipped
      """)

  @Option(help: "Run this one world and tell what happened.")
  var seed: UInt64?

  @Option(help: "Run the worlds of these seeds, as FIRST..LAST.", transform: range)
  var seeds: ClosedRange<UInt64>?

  @Flag(help: "Print everything that happens, with --seed.")
  var trace = false

  @Option(
    help: "Break something on purpose: \(Canary.allCases.map(\.rawValue).joined(separator: ", ")).")
  var canary = Canary.none

  @Option(help: "Worlds that run at the same time, with --seeds.")
  var jobs = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Where bundles of failures go.")
  var bundles = "sim-failures"

  @Option(help: "Stop after so many failures, with --seeds.")
  var failures = 10

  func validate() throws {
    guard (seed == nil) != (seeds == nil) else {
      throw ValidationError("Give either --seed or --seeds.")
    }
    guard jobs > 0, failures > 0 else {
      throw ValidationError("--jobs and --failures must be positive.")
    }
  }

  func run() async throws {
    if let seed {
      try runOne(seed)
    } else if let seeds {
      try await runMany(seeds)
    }
  }

  private func runOne(_ seed: UInt64) throws {
    let options = SimulationOptions(seed: seed, canary: canary)
    for line in OptionsText(options).lines { print(line) }
    let result = World(options, keepsTrace: true).run()
    if trace { for line in result.trace { print(line) } }
    for line in result.statistics.lines { print(line) }
    print("trace hash \(String(result.traceHash, radix: 16))")
    guard let violation = result.violation else { return print("seed \(seed) passed") }
    print("seed \(seed) FAILED: \(violation)")
    try Bundle(result).write(into: bundles)
    throw ExitCode(1)
  }

  private func runMany(_ seeds: ClosedRange<UInt64>) async throws {
    let start = ContinuousClock.now
    let runner = Runner(canary: canary, jobs: jobs, failuresMax: failures) { seed, violation in
      print("seed \(seed) FAILED: \(violation)")
      fflush(nil)
    }
    let summary = await runner.run(seeds)
    for line in summary.lines(elapsed: ContinuousClock.now - start) { print(line) }
    for (seed, _) in summary.failed.sorted(by: { $0.seed < $1.seed }) {
      let options = SimulationOptions(seed: seed, canary: canary)
      try Bundle(World(options, keepsTrace: true).run()).write(into: bundles)
    }
    if !summary.failed.isEmpty { throw ExitCode(1) }
  }
}

extension Canary: ExpressibleByArgument {}

/// Reads `FIRST..LAST`.
func range(_ text: String) throws -> ClosedRange<UInt64> {
  let parts = text.components(separatedBy: "..")
  guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]), first <= last
  else { throw ValidationError("\"\(text)\" is no range of seeds: write 1..300.") }
  return first...last
}

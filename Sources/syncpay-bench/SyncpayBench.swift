import ArgumentParser
import HostFiles

/// Measures syncpay, beside the limits of the machine measured in the same run.
@main
struct SyncpayBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syncpay-bench",
    abstract:
      "Measure payments over HTTP, failover, redundancy, restart, append, replay, verify, lookup, merge.",
    discussion: """
      Every report names the machine, the commit, the build mode, the settings and the seed: a \
      figure without them says nothing. Figures are claimed by release builds only; a debug build \
      runs nothing but --toy sizes.

      Examples:
        syncpay-bench http --connections 1,64,1000
        syncpay-bench http --node http://10.0.0.1:5001 --node http://10.0.0.2:5001
        syncpay-bench failover --configs configs/fast-failover
        syncpay-bench redundancy --format markdown --plot data/redundancy.svg
        syncpay-bench restart --events 10000000
        syncpay-bench append --directory /var/lib/syncpay
        syncpay-bench replay --events 2000000 --format json
        syncpay-bench verify --events 2000000
        syncpay-bench lookup --directory /var/lib/syncpay
        syncpay-bench tamper --samples 100
        syncpay-bench all
      """,
    subcommands: [
      HTTPCommand.self, FailoverCommand.self, RedundancyCommand.self, RestartCommand.self,
      AppendCommand.self, ReplayCommand.self, VerifyCommand.self, LookupCommand.self,
      TamperCommand.self, MergeCommand.self, AllCommand.self,
    ])
}

/// How a report is printed.
enum ReportForm: String, CaseIterable, ExpressibleByArgument {
  case table, markdown, json
}

/// What every command takes.
struct SharedOptions: ParsableArguments {
  @Option(help: "Form of the output: table, markdown or json.")
  var format = ReportForm.table

  @Option(help: "Seed of everything random that is measured.")
  var seed: UInt64 = 1

  @Flag(help: "Tiny sizes in place of all others: shows that the benchmarks work, not how fast.")
  var toy = false

  /// Runs benchmarks and prints their report; what they found wrong ends the command with status 1.
  func report(_ benchmarks: () async throws -> [BenchSection]) async throws {
    guard toy || BuildMode.current == .release else {
      throw ValidationError(
        "This is a debug build, whose figures say nothing: build with 'swift build -c release', "
          + "or try the benchmarks with --toy.")
    }
    Interruption.install()
    HostMemory.keepFreed()
    if BuildMode.current == .debug {
      Terminal.note("warning: a debug build; the figures say nothing about speed.")
    }
    let context = RunContext.current(seed: seed, isToy: toy)
    let report = BenchReport(context: context, sections: try await benchmarks())
    Terminal.endProgress()
    switch format {
    case .table: Terminal.print(report.table)
    case .markdown: Terminal.print(report.markdown)
    case .json: Terminal.print(report.json)
    }
    let failures = report.sections.flatMap(\.failures)
    for failure in failures { Terminal.note("FAILED: \(failure)") }
    if !failures.isEmpty { throw ExitCode.failure }
  }
}

/// Why a benchmark could not be run: a sentence.
struct BenchFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

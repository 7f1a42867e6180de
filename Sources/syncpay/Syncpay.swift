import ArgumentParser

/// The operator's and client's command: thin over the HTTP API of the nodes.
@main
struct Syncpay: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syncpay",
    abstract: "Pay, look and operate on a syncpay cluster.",
    discussion: """
      Talks to the nodes over HTTP and never reads their files; `syncpay-audit` does that, and \
      'restore' makes new ones.

      Nodes are found in this order: --node URL (repeatable), --cluster DIRECTORY (its node*.json \
      files), the environment variable SYNCPAY_NODES (URLs separated by commas), and then \
      http://127.0.0.1:5001, :5002 and :5003.

      Exit codes: 0 done, 1 a node said no (or a check failed), 2 no node could be reached or none \
      answered in time, 64 the command line is wrong.
      """,
    version: "syncpay 0.1.0",
    subcommands: [
      PayCommand.self, TransactionsCommand.self, BalanceCommand.self, StatusCommand.self,
      ClockCommand.self,
      MembersCommand.self, LeaderCommand.self, PolicyCommand.self, BackupCommand.self,
      RestoreCommand.self, ClusterCommand.self,
      DemoCommand.self,
    ])
}

/// Why a command ends, as its exit code.
enum ExitReason: Int32, Sendable {
  /// A node answered and said no, or a check of a demo failed.
  case refused = 1
  /// No node could be reached, or none gave a definite answer in time.
  case unreachable = 2
  /// The command line, or a file it names, is wrong (`EX_USAGE`).
  case usage = 64
}

/// A command's end with a sentence for the person at the terminal.
struct CommandFailure: Error, Equatable {
  let reason: ExitReason
  let message: String

  init(_ reason: ExitReason, _ message: String) {
    self.reason = reason
    self.message = message
  }
}

/// A subcommand whose failures are sentences on standard error and an exit code.
protocol OperatorCommand: AsyncParsableCommand {
  func perform() async throws
}

extension OperatorCommand {
  mutating func run() async throws {
    do {
      try await perform()
    } catch let failure as CommandFailure {
      Terminal.complain(failure.message)
      throw ExitCode(failure.reason.rawValue)
    }
  }
}

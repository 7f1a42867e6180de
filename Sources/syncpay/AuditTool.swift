import ArgumentParser
import FoundationEssentials
import Glibc

/// Where the auditor's program is.
struct AuditOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The auditor's program; 'syncpay-audit' beside this command when not given.",
      valueName: "path"))
  var audit: String?

  var tool: AuditTool { AuditTool(program: audit ?? Files.sibling("syncpay-audit")) }
}

/// Runs `syncpay-audit`, the only reader of segments, and keeps what it printed.
struct AuditTool: Sendable {
  let program: String

  struct Run: Sendable {
    /// `nil`: it did not end in time and was killed.
    let exitCode: Int32?
    let output: String

    var isIntact: Bool { exitCode == 0 }
    var lines: [String] { output.split(separator: "\n").map(String.init) }
  }

  func run(_ arguments: [String], within timeout: Duration = .seconds(60)) async throws -> Run {
    var template = Array("/tmp/syncpay-audit-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw CommandFailure(.refused, "no temporary file can be made in /tmp.")
    }
    close(descriptor)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { Files.remove(path) }
    let pid = try ChildProcess.spawn(program, arguments, outputTo: path, detached: false)
    let code = await ChildProcess.exitCode(of: pid, within: timeout)
    if code == nil {
      kill(pid, SIGKILL)
      _ = await ChildProcess.exitCode(of: pid, within: .seconds(5))
    }
    let output = FileManager.default.contents(atPath: path) ?? Data()
    return Run(exitCode: code, output: String(decoding: output, as: UTF8.self))
  }

  /// Runs a subcommand over data directories, shows its last lines and checks that it succeeds.
  func check(
    _ subcommand: String, _ directories: [String], options: [String] = [], shows count: Int,
    _ sentence: String, _ narrator: Narrator
  ) async throws {
    let run = try await run([subcommand] + directories + options)
    for line in run.lines.suffix(count) { narrator.say("  " + line) }
    let code = run.exitCode.map(String.init) ?? "none, it did not end in time"
    narrator.check(run.isIntact, run.isIntact ? sentence : "\(sentence): exit code \(code)")
  }

  /// The balances that the segments alone give.
  func ledger(_ directories: [String]) async throws -> LedgerTotals? {
    let run = try await run(["ledger"] + directories + ["--format", "json"])
    guard run.isIntact else { return nil }
    if let document = try? JSONParser.parse(run.output) {
      return LedgerTotals(LedgerRow.all(in: document))
    }
    let documents = run.lines.compactMap { try? JSONParser.parse($0) }
    return LedgerTotals(documents.flatMap(LedgerRow.all(in:)))
  }
}

import ArgumentParser
import Audit
import HostFiles

/// `syncpay-audit verify`.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Re-read every byte, check every hash, and compare the nodes with each other.",
    discussion: """
      Checks headers, hashes, the chain, every record's encoding, sequences, and the footers
      against a ledger rebuilt on the way; journals too. Names file, offset and index of the first
      fault of each node, and the first index at which nodes differ. An unfinished write at the
      end of a running or killed node's log is a note, no fault.

      Signed checkpoints beside the logs (evidence/) and those given with --checkpoint must tell of
      these very logs, and be signed as the trust policy demands: a log that was changed or cut
      after it was signed is named, and so is a node whose key has signed two histories.

      Exit status: 0 intact, 1 a fault was found, 2 something could not be read.

      Examples:
        syncpay-audit verify data/node1 data/node2 data/node3
        syncpay-audit verify backup/node1 --format json
        syncpay-audit verify data/node1 --policy trusted.txt --since yesterday.checkpoint
      """)

  @OptionGroup var shared: SharedOptions

  @Option(
    help: ArgumentHelp(
      "Whose signatures count (C2SP tlog-policy; GET /v1/trust-policy gives one).",
      valueName: "file"))
  var policy: String?

  @Option(
    help: ArgumentHelp(
      "A signed checkpoint that the logs must agree with; may be given again.", valueName: "file"))
  var checkpoint: [String] = []

  @Option(
    help: ArgumentHelp(
      "Begin at this signed checkpoint: what lies before was verified then.", valueName: "file"))
  var since: String?

  func run() throws {
    let start = ContinuousClock.now
    let report = try syncpay_audit.run { () throws(AuditError) in
      var options = VerifyOptions()
      options.policyPath = policy
      options.checkpointPaths = checkpoint
      options.sincePath = since
      options.workers = HostThread.concurrently
      return try VerifyReport(
        shared.directories, options, in: PosixFileSystem(), meter: Terminal.meter())
    }
    Terminal.clearProgress()
    try syncpay_audit.run { () throws(AuditError) in
      try report.write(
        shared.format, elapsed: ContinuousClock.now - start, to: Terminal.writer())
    }
    if report.hasFault { throw ExitCode(1) }
    if report.hasFailure { throw ExitCode(2) }
  }
}

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

      Exit status: 0 intact, 1 a fault was found, 2 something could not be read.

      Examples:
        syncpay-audit verify data/node1 data/node2 data/node3
        syncpay-audit verify backup/node1 --format json
      """)

  @OptionGroup var shared: SharedOptions

  func run() throws {
    let start = ContinuousClock.now
    let report = try syncpay_audit.run { () throws(AuditError) in
      try VerifyReport(shared.directories, in: PosixFileSystem(), meter: Terminal.meter())
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

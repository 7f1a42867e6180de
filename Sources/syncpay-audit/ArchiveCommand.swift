import ArgumentParser
import Audit
import HostFiles

/// `syncpay-audit archive`.
struct ArchiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "archive",
    abstract: "Compress sealed segments again, harder, into another directory.",
    discussion: """
      No hash and no proof changes: they are over what is uncompressed. Every segment is verified
      while it is read, written beside, made durable, read again byte by byte, and only then gets
      its name; an archive that was interrupted goes on where it was. The log itself is not touched,
      and segments that are not sealed yet are left out. The archive is read like any log.

      Exit status: 0 all sealed segments are in the archive, 2 something could not be read or
      written.

      Examples:
        syncpay-audit archive data/node1 /mnt/archive/payments
        syncpay-audit verify /mnt/archive/payments
      """)

  @Argument(help: ArgumentHelp("A node's data directory.", valueName: "dir"))
  var directory: String

  @Argument(help: ArgumentHelp("The archive's directory; made where it is not there."))
  var archive: String

  @Option(help: "LZ4 level, 1 to 12: higher is smaller and slower.")
  var level = 12

  @Option(help: "Form of the output: table or json.")
  var format = ReportFormat.table

  func validate() throws {
    guard (1...12).contains(level) else {
      throw ValidationError("--level is from 1 to 12.")
    }
  }

  func run() throws {
    let report = try syncpay_audit.run { () throws(AuditError) in
      try ArchiveReport(
        directory, into: archive, level: level, in: PosixFileSystem(), meter: Terminal.meter())
    }
    Terminal.clearProgress()
    try syncpay_audit.run { () throws(AuditError) in
      try report.write(format, to: Terminal.writer())
    }
  }
}

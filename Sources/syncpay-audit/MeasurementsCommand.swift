import ArgumentParser
import Audit
import HostFiles

/// `syncpay-audit measurements`.
struct MeasurementsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measurements",
    abstract: "The raw clock measurements that a node's journal kept.",
    discussion: """
      Each answer of a peer, a time server or the kernel as it came: how far the source's clock was ahead of
      the node's own raw clock, the round trip, and what the source said of its own error. These are what the
      node's corrected time was made of. The journal is the directory journal/ beside log/; `verify` checks
      its hashes too.

      Example:
        syncpay-audit measurements data/node1 --format json
      """)

  @Argument(help: ArgumentHelp("A node's data directory.", valueName: "dir"))
  var directory: String

  @Option(help: "Form of the output: table or json.")
  var format = ReportFormat.table

  func run() throws {
    try syncpay_audit.run { () throws(AuditError) in
      let source = try LogSource(directory, in: PosixFileSystem())
      // A journal alone is taken as it is.
      let log = try AgreedLog([source.journal ?? source.log], in: PosixFileSystem())
      _ = try log.writeMeasurements(format, to: Terminal.writer())
    }
  }
}

import ArgumentParser
import Audit
import HostFiles

/// Reads nodes' data directories, and proves what happened.
@main
struct SyncpayAudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syncpay-audit",
    abstract: "Rebuild timelines and ledgers from syncpay's log segments, and verify them.",
    discussion: """
      DIR is a node's data directory (the one with log/ inside), a copy of one, or a directory that
      holds segments itself. Nodes may be running: whole batches are read, nothing is written. Give
      the directories of several nodes to have them compared, and a damaged one made up for.

      Examples:
        syncpay-audit timeline data/node1 data/node2 data/node3
        syncpay-audit ledger data/node1 --account alice
        syncpay-audit skew data/node* --format json
        syncpay-audit verify data/node*
        syncpay-audit verify-receipt receipt.txt --policy trusted.txt
      """,
    subcommands: [
      TimelineCommand.self, LedgerCommand.self, SkewCommand.self, VerifyCommand.self,
      VerifyReceiptCommand.self, ConsistencyCommand.self, ReplayCommand.self, ArchiveCommand.self,
      FindCommand.self, MeasurementsCommand.self,
    ])
}

/// What every command takes.
struct SharedOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Data directories of one or several nodes.", valueName: "dir"))
  var directories: [String]

  @Option(help: "Form of the output: table or json.")
  var format = ReportFormat.table

  /// Opens the nodes' logs.
  ///
  /// `showsProgress` is false where the report itself is written on the way.
  func open(showsProgress: Bool = true) throws -> AgreedLog<PosixFileSystem> {
    let log = try run { () throws(AuditError) in
      try AgreedLog(directories, in: PosixFileSystem())
    }
    if showsProgress { log.meter = Terminal.meter() }
    return log
  }
}

extension ReportFormat: ExpressibleByArgument {}
extension TimelineOrder: ExpressibleByArgument {}

/// Runs an audit. A reader that goes away ends the command quietly; other errors are sentences,
/// and exit status 2 says that something could not be read.
func run<T>(_ body: () throws(AuditError) -> T) throws -> T {
  HostMemory.keepFreed()
  do {
    return try body()
  } catch {
    if case .output(.closed) = error { throw ExitCode.success }
    Terminal.complain(error.description)
    throw ExitCode(2)
  }
}

/// Says what an opened log has noted, once.
func tellNotes(_ log: AgreedLog<PosixFileSystem>) {
  Terminal.clearProgress()
  for note in log.notes { Terminal.complain("note: \(note)") }
}

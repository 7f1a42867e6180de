import ArgumentParser
import Audit
import Bytes
import HostFiles

/// `syncpay-audit find`.
struct FindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "find",
    abstract: "Find events by id, number, time or account, and read little for it.",
    discussion: """
      Every sealed segment has an index: what may hold the event is read and checked, nothing else.
      Segments that are not sealed yet are read whole. Says how many bytes were read.

      --id finds every payment with the id, the one that settled it first; --time the first event of
      the log with that corrected time or a later one; --account the payments from or to it.

      Exit status: 0 something was found, 1 nothing was, 2 something could not be read.

      Examples:
        syncpay-audit find data/node1 --id txn_01M830WZYRGGB6WNT8GSBSMCP7
        syncpay-audit find data/node1 --sequence 1200000 --format json
        syncpay-audit find data/node1 --time 2026-01-02T03:04:05Z
        syncpay-audit find data/node1 --account alice --newest-first --limit 20
      """)

  @Argument(help: ArgumentHelp("A node's data directory.", valueName: "dir"))
  var directory: String

  @Option(help: "A transaction id.")
  var id: String?

  @Option(help: "An event's number.")
  var sequence: UInt64?

  @Option(name: .customLong("time"), help: "A time.", transform: time)
  var moment: Int64?

  @Option(help: "An account's name.")
  var account: String?

  @Option(help: "Most events shown.")
  var limit = 100

  @Flag(help: "Begin at the log's end.")
  var newestFirst = false

  @Option(help: "Form of the output: table or json.")
  var format = ReportFormat.table

  func validate() throws {
    guard [id != nil, sequence != nil, moment != nil, account != nil].count(where: { $0 }) == 1
    else {
      throw ValidationError("Give one of --id, --sequence, --time and --account.")
    }
    guard limit > 0 else { throw ValidationError("--limit must be positive.") }
  }

  private func subject() throws -> SearchSubject {
    if let id {
      guard let subject = SearchSubject(id: id) else {
        throw ValidationError("--id is not a transaction id: 1 to 100 visible ASCII characters.")
      }
      return subject
    }
    if let sequence { return .sequence(EventSequence(sequence)) }
    if let moment { return .time(moment) }
    return .account(Array((account ?? "").utf8))
  }

  func run() throws {
    let subject = try subject()
    let report = try syncpay_audit.run { () throws(AuditError) in
      try SearchReport(
        directory, for: subject, limit: limit, newestFirst: newestFirst, in: PosixFileSystem())
    }
    try syncpay_audit.run { () throws(AuditError) in
      try report.write(format, to: Terminal.writer())
    }
    if report.events.isEmpty { throw ExitCode(1) }
  }
}

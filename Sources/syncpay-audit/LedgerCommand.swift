import ArgumentParser
import Audit
import Bytes

/// `syncpay-audit ledger`.
struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger",
    abstract: "Balances and postings, rebuilt from the segments alone.",
    discussion: """
      Balances of every currency must sum to zero; if they do not, the exit status is 1. What is
      not certainly committed by the given logs (the tail after the last commit index that a batch
      carries) is left out unless --include-uncommitted is given.

      Examples:
        syncpay-audit ledger data/node1 data/node2 data/node3
        syncpay-audit ledger data/node1 --at 2026-01-02T03:04:05Z
        syncpay-audit ledger data/node1 --at event:1000 --format json
        syncpay-audit ledger data/node1 --account alice
      """)

  @OptionGroup var shared: SharedOptions

  @Option(
    help: "As of a time (RFC 3339 or seconds since 1970), or of an event (event:1000).",
    transform: moment)
  var at: LedgerMoment = .end

  @Option(help: "Only this account, with its postings.")
  var account: String?

  @Flag(help: "Also what is not certainly committed.")
  var includeUncommitted = false

  func run() throws {
    var options = LedgerOptions()
    options.moment = at
    options.account = account.map { Array($0.utf8) }
    options.format = shared.format
    options.includesUncommitted = includeUncommitted
    let log = try shared.open()
    if !includeUncommitted && log.tailCount > 0 {
      Terminal.complain(
        "note: \(log.tailCount) \(log.tailCount == 1 ? "batch is" : "batches are") left out: not "
          + "certainly committed after index \(log.committed.rawValue) "
          + "(--include-uncommitted takes them in).")
    }
    defer { tellNotes(log) }
    let summary = try syncpay_audit.run { () throws(AuditError) in
      try log.writeLedger(options, to: Terminal.writer())
    }
    if !summary.isBalanced { throw ExitCode(1) }
  }
}

private func moment(_ text: String) throws -> LedgerMoment {
  guard text.hasPrefix("event:") else { return .time(try time(text)) }
  guard let sequence = UInt64(text.dropFirst("event:".count)) else {
    throw ValidationError("\"\(text)\" is not an event: write event:1000.")
  }
  return .sequence(EventSequence(sequence))
}

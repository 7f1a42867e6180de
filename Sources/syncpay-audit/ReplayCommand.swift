import ArgumentParser
import Audit
import Bytes

/// `syncpay-audit replay`.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Rebuild the ledger as a node does when it starts, and print its digest.",
    discussion: """
      The digest equals a running node's when that node has applied the same index. Without
      --at-index the replay ends at the last batch that is certainly committed.

      Examples:
        syncpay-audit replay data/node1
        syncpay-audit replay data/node1 --at-index 1200 --format json
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Replay up to and including this batch.")
  var atIndex: UInt64?

  func run() throws {
    let log = try shared.open()
    defer { tellNotes(log) }
    try syncpay_audit.run { () throws(AuditError) in
      let summary = try log.replaySummary(through: atIndex.map { LogIndex($0) })
      try log.writeReplay(summary, format: shared.format, to: Terminal.writer())
    }
  }
}

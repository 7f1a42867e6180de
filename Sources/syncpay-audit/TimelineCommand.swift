import ArgumentParser
import Audit
import Bytes

/// `syncpay-audit timeline`.
struct TimelineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "timeline",
    abstract: "All nodes' payments as one list in order of time.",
    discussion: """
      Events are ordered by corrected time unless --order says otherwise; the bound says how far
      that may be off. An event more than --window behind its place is shown where it was met and
      marked late, never left out. Times are RFC 3339 (2026-01-02T03:04:05.5Z, 2026-01-02) or
      seconds since 1970.

      Examples:
        syncpay-audit timeline data/node1 --from 2026-01-02T03:00:00Z --to 2026-01-02T04:00:00Z
        syncpay-audit timeline data/node* --account alice --format json
        syncpay-audit timeline data/node* --order raw --limit 20
        syncpay-audit timeline data/node* --journals
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Order by corrected, hlc, raw, earliest or log.")
  var order = TimelineOrder.corrected

  @Option(help: "No event before this time.", transform: time)
  var from: Int64?

  @Option(help: "No event at this time or later.", transform: time)
  var to: Int64?

  @Option(help: "Only payments from or to this account.")
  var account: String?

  @Option(help: "Only events that this node took in (its number).")
  var node: UInt16?

  @Option(help: "Most events shown.")
  var limit: Int?

  @Option(help: "How far from the log's order an event may be placed, in seconds.")
  var window = 10.0

  @Flag(help: "Clock reports, beacons and changes of members, leader and rules too.")
  var all = false

  @Flag(
    help:
      "What the nodes' journals noted too: refused payments, elections, health, clock states; with --all also clock sources' answers and log progress."
  )
  var journals = false

  @Flag(
    help:
      "Number groups of events: those of one group time cannot order, those of two it does. Implies --order earliest."
  )
  var certain = false

  @Flag(help: "Leave out what is not certainly committed.")
  var committedOnly = false

  func validate() throws {
    guard window >= 0, window <= 1e9 else {
      throw ValidationError("--window must be between 0 and 1000000000 seconds.")
    }
    guard !journals || order != .log else {
      throw ValidationError("--journals: what is not in the log has no place in its order.")
    }
    guard (limit ?? 0) >= 0 else { throw ValidationError("--limit must not be negative.") }
    guard (node ?? 0) <= NodeID.countMax else {
      throw ValidationError("--node must be at most \(NodeID.countMax).")
    }
  }

  func run() throws {
    var options = TimelineOptions()
    options.order = certain ? .earliest : order
    options.groupsUncertain = certain
    options.format = shared.format
    options.from = from ?? .min
    options.to = to ?? .max
    options.account = account.map { Array($0.utf8) }
    options.node = node.map { NodeID($0) }
    options.limit = limit ?? .max
    options.windowNanoseconds = Int64(window * 1e9)
    options.showsAll = all
    options.showsJournals = journals
    options.showsUncommitted = !committedOnly
    let log = try shared.open(showsProgress: false)
    defer { tellNotes(log) }
    _ = try syncpay_audit.run { () throws(AuditError) in
      try log.writeTimeline(options, to: Terminal.writer())
    }
  }
}

/// Reads a time argument.
func time(_ text: String) throws -> Int64 {
  guard let time = TimeText.nanoseconds(text) else {
    throw ValidationError(
      "\"\(text)\" is not a time: write 2026-01-02T03:04:05Z, 2026-01-02, or seconds since 1970.")
  }
  return time
}

import ArgumentParser
import Audit

/// `syncpay-audit skew`.
struct SkewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "skew",
    abstract: "How far the nodes' clocks were apart, and what it did to the order of payments.",
    discussion: """
      Per node: offset (raw clock − cluster time), drift, bound, status; overall and over time.
      Then how many pairs of payments are out of order by the raw clocks, by corrected time, and
      by one against the other, counted exactly.

      Examples:
        syncpay-audit skew data/node1 data/node2 data/node3
        syncpay-audit skew data/node1 --buckets 60 --affected 100 --format json
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Into how many parts the time is cut for the table over time.")
  var buckets = 12

  @Option(help: "How many affected payments are listed.")
  var affected = 10

  @Flag(help: "Leave out what is not certainly committed.")
  var committedOnly = false

  func validate() throws {
    guard (1...10_000).contains(buckets) else {
      throw ValidationError("--buckets must be between 1 and 10000.")
    }
    guard affected >= 0 else { throw ValidationError("--affected must not be negative.") }
  }

  func run() throws {
    var options = SkewOptions()
    options.bucketCount = buckets
    options.affectedLimit = affected
    options.format = shared.format
    options.includesUncommitted = !committedOnly
    let log = try shared.open()
    defer { tellNotes(log) }
    try syncpay_audit.run { () throws(AuditError) in
      try log.skew(options).write(shared.format, to: Terminal.writer())
    }
  }
}

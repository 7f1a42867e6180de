import ArgumentParser
import Audit
import Foundation

/// `syncpay-audit skew`.
struct SkewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "skew",
    abstract: "How far the nodes' clocks were apart, and what it did to the order of payments.",
    discussion: """
      Per node: offset (raw clock − corrected time), drift, bound, status; overall and over time. How many
      pairs of payments are out of order by the raw clocks, by corrected and by hybrid time, and how many
      pairs time decides at all, counted exactly. When each clock was synchronized, set or paused. The
      bounds narrowed in retrospect, by the stamps and by time servers' answers in the journals, from before and
      after; --slew-ppm-max, --frequency-error-ppm-max and --drift-allowance-ppm are what the nodes' settings of these
      names allowed. The stamps stay as they are. What cause and effect alone say of the clocks, by the journals.

      --tolerance or --profile (rts25-hft: 100 us, rts25: 1 ms, cat: 50 ms): which payments were certainly
      stamped within it, against true time, and which were not and why.
      --what-if node2=+250ms,drift=40ppm,jitter=2ms: what such a clock, uncorrected, would have done to the
      recorded order, at shares from none of it to twice.
      --effects raw|corrected|hlc: which payments would have been accepted, rejected or answered with another
      balance had they been applied in that order.
      --html FILE: the report with pictures, as one page that needs nothing else.

      Examples:
        syncpay-audit skew data/node1 data/node2 data/node3
        syncpay-audit skew data/node1 --buckets 60 --affected 100 --format json
        syncpay-audit skew data/node1 --profile rts25 --html skew.html
        syncpay-audit skew data/node1 --what-if node2=+250ms,drift=40ppm,jitter=2ms --effects raw
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Into how many parts the time is cut for the table over time.")
  var buckets = 12

  @Option(help: "How many affected payments are listed.")
  var affected = 10

  @Flag(help: "Leave out what is not certainly committed.")
  var committedOnly = false

  @Option(
    help: "How far a stamp may be from true time: 100us, 1ms, 50ms.", transform: toleranceArgument)
  var tolerance: ClockTolerance?

  @Option(
    help: "The same by name: \(ClockTolerance.profiles.map(\.name).joined(separator: ", ")).",
    transform: profileArgument)
  var profile: ClockTolerance?

  @Option(
    help: "A wrong clock: nodeN=OFFSET[,drift=Xppm][,jitter=D]; may be repeated.",
    transform: skewArgument)
  var whatIf: [InjectedSkew] = []

  @Option(help: "Seed of the jitter of --what-if.")
  var seed: UInt64 = 1

  @Option(help: "Apply the payments in order of raw, corrected or hlc time too.")
  var effects: TimelineOrder?

  @Option(help: "The nodes' time.slew_ppm_max.")
  var slewPpmMax: Int64 = 500

  @Option(help: "The nodes' time.frequency_error_ppm_max.")
  var frequencyErrorPpmMax: Int64 = 500

  @Option(help: "The nodes' time.drift_allowance_ppm.")
  var driftAllowancePpm: Int64 = 15

  @Option(help: "Write the report as an HTML page to this file.")
  var html: String?

  func validate() throws {
    guard (1...10_000).contains(buckets) else {
      throw ValidationError("--buckets must be between 1 and 10000.")
    }
    guard affected >= 0 else { throw ValidationError("--affected must not be negative.") }
    guard tolerance == nil || profile == nil else {
      throw ValidationError("Give either --tolerance or --profile.")
    }
    guard
      [slewPpmMax, frequencyErrorPpmMax, driftAllowancePpm].allSatisfy({
        (1...100_000).contains($0)
      })
    else {
      throw ValidationError("The limits of clocks must be between 1 and 100000 ppm.")
    }
    guard effects != .log else { throw ValidationError("--effects: the log's order is what was.") }
    guard Set(whatIf.map(\.node)).count == whatIf.count else {
      throw ValidationError("--what-if names a node twice.")
    }
  }

  func run() throws {
    var options = SkewOptions()
    options.bucketCount = buckets
    options.affectedLimit = affected
    options.includesUncommitted = !committedOnly
    options.tolerance = tolerance ?? profile
    options.whatIf = whatIf
    options.effectsOf = effects
    options.limits.slewMax = slewPpmMax * 1000
    options.limits.frequencyErrorMax = frequencyErrorPpmMax * 1000
    options.limits.drift = driftAllowancePpm * 1000
    options.seed = seed
    let log = try shared.open()
    defer { tellNotes(log) }
    let report = try syncpay_audit.run { () throws(AuditError) in try log.skew(options) }
    if let html {
      do { try Data(report.page.utf8).write(to: URL(fileURLWithPath: html)) } catch {
        throw ValidationError("\(html) cannot be written: \(error.localizedDescription)")
      }
    }
    try syncpay_audit.run { () throws(AuditError) in
      try report.write(shared.format, to: Terminal.writer())
    }
  }
}

private func toleranceArgument(_ text: String) throws -> ClockTolerance {
  guard let nanoseconds = DurationText.nanoseconds(text), nanoseconds > 0 else {
    throw ValidationError("\"\(text)\" is no duration: write 100us, 1ms or 50ms.")
  }
  return ClockTolerance(name: text, nanoseconds: nanoseconds)
}

private func profileArgument(_ text: String) throws -> ClockTolerance {
  guard let profile = ClockTolerance.profiles.first(where: { $0.name == text }) else {
    let names = ClockTolerance.profiles.map(\.name).joined(separator: ", ")
    throw ValidationError("There is no profile \"\(text)\"; there are \(names).")
  }
  return profile
}

private func skewArgument(_ text: String) throws -> InjectedSkew {
  guard let skew = InjectedSkew(text) else {
    throw ValidationError(
      "\"\(text)\" is no skew: write node2=+250ms,drift=40ppm,jitter=2ms.")
  }
  return skew
}

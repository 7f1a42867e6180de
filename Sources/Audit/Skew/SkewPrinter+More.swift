import Bytes
import HybridTime
import JSONText
import Ledger
import SegmentLog
import Timeline

extension SkewReport {
  /// What follows the orders: bounds, synchronization, a rule, a question.
  func writeMore(to writer: ReportWriter) throws(OutputError) {
    if let bounds {
      try writer.line()
      try writer.line(
        "Bounds of payments: median \(ReportText.duration(bounds.stamped.median)), at most "
          + "\(ReportText.duration(bounds.stamped.max)); narrowed by what the nodes knew before and after: "
          + "median \(ReportText.duration(bounds.tightened.median)), at most "
          + "\(ReportText.duration(bounds.tightened.max)).")
    }
    try writeSync(to: writer)
    if let tolerance { try tolerance.write(to: writer) }
    if let whatIf { try whatIf.write(to: writer) }
    if let effects { try effects.write(to: writer) }
  }

  private func writeSync(to writer: ReportWriter) throws(OutputError) {
    let limit = 40
    try writer.line()
    try writer.line("Synchronization, as the stamps tell it:")
    var table = TextTable([
      ("time", .left), ("node", .right), ("what", .left), ("status", .left), ("reference", .left),
      ("bound", .right), ("epoch", .right),
    ])
    for event in syncLog.events.prefix(limit) {
      table.add([
        TimeText.text(nanoseconds: event.time, decimals: 3), String(event.node.rawValue),
        event.kind.text, event.status.name, event.reference.name, ReportText.duration(event.bound),
        String(event.epoch),
      ])
    }
    try table.write(to: writer)
    if syncLog.events.count > limit {
      try writer.line(
        "… and \(ReportText.grouped(syncLog.events.count - limit)) more: --format json has all.")
    }
    for gap in syncLog.gaps {
      let end =
        gap.end.map { "until \(TimeText.text(nanoseconds: $0, decimals: 3))" } ?? "to the end"
      try writer.line(
        "Node \(gap.node.rawValue) was not synchronized from "
          + "\(TimeText.text(nanoseconds: gap.start, decimals: 3)) \(end): "
          + "\(ReportText.count(gap.paymentCount, "payment")), bound at most "
          + "\(ReportText.duration(gap.boundMax)).")
    }
  }

  func writeMore(to json: inout JSONWriter) {
    json.key("all_pairs")
    json.object([
      "certainly_ordered": allPairs.ordered, "certainly_reversed": allPairs.reversed,
      "causal": allPairs.causal, "undecidable": allPairs.undecidable,
    ])
    if let bounds {
      json.key("payment_bounds_ns")
      json.beginObject()
      json.key("stamped")
      bounds.stamped.write(to: &json)
      json.key("tightened")
      bounds.tightened.write(to: &json)
      json.endObject()
    }
    json.key("sync_log")
    json.beginArray()
    for event in syncLog.events { event.write(to: &json) }
    json.endArray()
    json.key("sync_gaps")
    json.beginArray()
    for gap in syncLog.gaps { gap.write(to: &json) }
    json.endArray()
    if let tolerance { tolerance.write(to: &json) }
    if let whatIf { whatIf.write(to: &json) }
    if let effects { effects.write(to: &json) }
  }
}

extension JSONWriter {
  /// Members of the object that is open, each a whole number.
  mutating func members(_ members: KeyValuePairs<StaticString, some FixedWidthInteger>) {
    for (name, value) in members {
      key(name)
      integer(value)
    }
  }

  /// An object of whole numbers.
  mutating func object(_ members: KeyValuePairs<StaticString, some FixedWidthInteger>) {
    beginObject()
    self.members(members)
    endObject()
  }
}

extension SyncEvent.Kind {
  var text: String {
    switch self {
    case .state: "clock state"
    case .step(let nanoseconds):
      "system clock set by \(ReportText.duration(nanoseconds, signed: true))"
    case .pause: "disrupted: a pause or a step"
    }
  }

  fileprivate var name: String {
    switch self {
    case .state: "state"
    case .step: "step"
    case .pause: "pause"
    }
  }
}

extension SyncEvent {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("time")
    json.string(TimeText.text(nanoseconds: time, decimals: 9))
    json.key("node")
    json.integer(node.rawValue)
    json.key("kind")
    json.string(kind.name)
    if case .step(let nanoseconds) = kind {
      json.key("step_ns")
      json.integer(nanoseconds)
    }
    json.key("status")
    json.string(status.name)
    json.key("reference")
    json.string(reference.name)
    json.key("bound_ns")
    json.integer(bound)
    json.key("epoch")
    json.integer(epoch)
    json.endObject()
  }
}

extension SyncGap {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("node")
    json.integer(node.rawValue)
    json.key("from")
    json.string(TimeText.text(nanoseconds: start, decimals: 9))
    json.key("to")
    if let end { json.string(TimeText.text(nanoseconds: end, decimals: 9)) } else { json.null() }
    json.key("payments")
    json.integer(paymentCount)
    json.key("bound_max_ns")
    json.integer(boundMax)
    json.endObject()
  }
}

extension ToleranceReport {
  private static let listedMax = 40

  /// A share in percent with two decimals, rounded down: 100 % is all.
  private func percent(_ count: Int) -> String {
    guard paymentCount > 0 else { return "–" }
    return ReportText.decimal(count * 10_000 / paymentCount, decimals: 2) + " %"
  }

  fileprivate func write(to writer: ReportWriter) throws(OutputError) {
    try writer.line()
    try writer.line(
      "Tolerance \(tolerance.name) (\(ReportText.duration(tolerance.nanoseconds))): "
        + "\(ReportText.grouped(coveredCount)) of \(ReportText.count(paymentCount, "payment")) "
        + "(\(percent(coveredCount))) certainly within it when stamped, "
        + "\(ReportText.grouped(tightenedCount)) (\(percent(tightenedCount))) in retrospect.")
    guard !violations.isEmpty else { return }
    var table = TextTable([
      ("from", .left), ("to", .left), ("node", .right), ("why", .left), ("payments", .right),
      ("sequences", .left), ("bound max", .right),
    ])
    for violation in violations.prefix(Self.listedMax) {
      table.add([
        TimeText.text(nanoseconds: violation.start, decimals: 3),
        TimeText.text(nanoseconds: violation.end, decimals: 3), String(violation.node.rawValue),
        violation.reason.rawValue, ReportText.grouped(violation.count),
        "\(violation.sequences.lowerBound)–\(violation.sequences.upperBound)",
        ReportText.duration(violation.boundMax),
      ])
    }
    try table.write(to: writer)
    if violations.count > Self.listedMax {
      try writer.line(
        "… and \(ReportText.grouped(violations.count - Self.listedMax)) more: --format json has all."
      )
    }
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.key("tolerance")
    json.beginObject()
    json.key("name")
    json.string(tolerance.name)
    json.key("tolerance_ns")
    json.integer(tolerance.nanoseconds)
    json.key("payments")
    json.integer(paymentCount)
    json.key("covered")
    json.integer(coveredCount)
    json.key("covered_in_retrospect")
    json.integer(tightenedCount)
    json.key("violations")
    json.beginArray()
    for violation in violations {
      json.beginObject()
      json.key("node")
      json.integer(violation.node.rawValue)
      json.key("reason")
      json.string(violation.reason.rawValue)
      json.key("from")
      json.string(TimeText.text(nanoseconds: violation.start, decimals: 9))
      json.key("to")
      json.string(TimeText.text(nanoseconds: violation.end, decimals: 9))
      json.key("payments")
      json.integer(violation.count)
      json.key("sequence_first")
      json.integer(violation.sequences.lowerBound)
      json.key("sequence_last")
      json.integer(violation.sequences.upperBound)
      json.key("bound_max_ns")
      json.integer(violation.boundMax)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension WhatIfReport {
  var sentence: String {
    skews.map { skew in
      "node \(skew.node.rawValue) \(ReportText.duration(skew.offset, signed: true)), drift "
        + "\(ReportText.decimal(skew.drift, decimals: 3)) ppm, jitter \(ReportText.duration(skew.jitter))"
    }.joined(separator: "; ")
  }

  fileprivate func write(to writer: ReportWriter) throws(OutputError) {
    try writer.line()
    try writer.line(
      "What if the clocks had been wrong, and nothing had corrected them: \(sentence).")
    var table = TextTable([
      ("share of it", .right), ("pairs out of order", .right), ("payments affected", .right),
      ("farthest moved", .right), ("most behind", .right),
    ])
    for dose in doses {
      table.add([
        ReportText.decimal(dose.permille, decimals: 3),
        ReportText.grouped(dose.disorder.invertedPairCount),
        ReportText.grouped(dose.disorder.affectedCount),
        ReportText.count(dose.disorder.displacementMax, "place"),
        ReportText.duration(dose.disorder.regressionMax),
      ])
    }
    try table.write(to: writer)
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.key("what_if")
    json.beginObject()
    json.key("injected")
    json.string(sentence)
    json.key("seed")
    json.integer(seed)
    json.key("doses")
    json.beginArray()
    for dose in doses {
      json.beginObject()
      json.key("permille")
      json.integer(dose.permille)
      json.key("disorder")
      dose.disorder.write(to: &json)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

extension OrderEffects {
  fileprivate func write(to writer: ReportWriter) throws(OutputError) {
    try writer.line()
    try writer.line(
      "In order of \(order.rawValue) time \(ReportText.count(movedCount, "payment")) would stand elsewhere, "
        + "\(ReportText.grouped(acceptanceCount)) would have been accepted or rejected otherwise, "
        + "after \(ReportText.grouped(balanceCount)) an account would have had another balance; "
        + "\(ReportText.count(finalBalanceCount, "account")) would end with another balance.")
    guard !affected.isEmpty else { return }
    var table = TextTable([
      ("sequence", .right), ("transaction", .left), ("in the log", .left), ("in that order", .left),
      ("sender then", .right), ("in that order", .right), ("receiver then", .right),
      ("in that order", .right),
    ])
    for payment in affected {
      table.add([
        String(payment.sequence.rawValue), payment.id, payment.outcomes.log.name,
        payment.outcomes.other.name, String(payment.senderBalances.log),
        String(payment.senderBalances.other), String(payment.receiverBalances.log),
        String(payment.receiverBalances.other),
      ])
    }
    try table.write(to: writer)
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.key("effects_of_order")
    json.beginObject()
    json.key("order")
    json.string(order.rawValue)
    json.members([
      "moved": movedCount, "acceptance_differs": acceptanceCount,
      "balance_differs": balanceCount, "final_balances_differ": finalBalanceCount,
    ])
    json.key("affected")
    json.beginArray()
    for payment in affected {
      json.beginObject()
      json.key("sequence")
      json.integer(payment.sequence.rawValue)
      json.key("transaction_id")
      json.string(payment.id)
      json.key("outcome")
      json.string(payment.outcomes.log.name)
      json.key("outcome_in_that_order")
      json.string(payment.outcomes.other.name)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}

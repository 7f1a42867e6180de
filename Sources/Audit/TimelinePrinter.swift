import Bytes
import HybridTime
import JSONText
import Ledger
import SegmentLog
import Timeline

/// Writes a timeline's events as they come, one line each.
struct TimelinePrinter {
  private let options: TimelineOptions
  private let writer: ReportWriter
  private var json = JSONWriter(capacity: 1024)
  private var newest = EventSequence.zero
  private(set) var summary = TimelineSummary()

  init(_ options: TimelineOptions, _ writer: ReportWriter) {
    self.options = options
    self.writer = writer
  }

  /// Whether as many are shown as were asked for.
  var isFull: Bool { summary.shownCount >= UInt64(options.limit) }

  mutating func begin() throws(AuditError) {
    guard options.format == .table else { return }
    let title = switch options.order {
    case .corrected, .log: "time (corrected)"
    case .hlc: "time (HLC)"
    case .raw: "time (raw clock)"
    }
    appendCell(title, 27)
    appendCell("± bound", 11, alignsRight: true)
    appendCell("node", 5, alignsRight: true)
    appendCell("sequence", 10, alignsRight: true)
    appendCell("transaction", 30)
    try writing { () throws(OutputError) in
      try writer.line("amount, sender → receiver, outcome and remarks")
    }
  }

  mutating func show(
    _ entry: TimelineEntry<HeldEvent>, _ lateness: Lateness?, _ batch: RetainedBatches.Batch
  ) throws(AuditError) {
    let isBehind = entry.key.sequence < newest
    newest = max(newest, entry.key.sequence)
    summary.shownCount += 1
    if isBehind { summary.outOfLogOrderCount += 1 }
    if lateness != nil { summary.lateCount += 1 }
    if !batch.isCommitted { summary.uncommittedCount += 1 }
    let held = entry.payload
    let record = Record(
      kindNumber: held.kindNumber, body: Int(held.bodyStart)..<Int(held.bodyEnd))
    let line = EventLine(
      entry: entry, lateness: lateness, isBehind: isBehind, isCommitted: batch.isCommitted,
      index: batch.index)
    do throws(DecodeError) {
      switch options.format {
      case .table: try appendTable(line, record, batch.records.span.bytes)
      case .json: try appendJSON(line, record, batch.records.span.bytes)
      }
    } catch {
      throw .record(index: batch.index, error)
    }
    try writing { () throws(OutputError) in try writer.spill() }
  }

  /// What is said about an event beside its record.
  private struct EventLine {
    let entry: TimelineEntry<HeldEvent>
    let lateness: Lateness?
    let isBehind: Bool
    let isCommitted: Bool
    let index: LogIndex

    var outcome: String { OutcomeCode(rawValue: entry.payload.outcome)?.name ?? "unknown" }
  }

  // MARK: - Table

  private func appendTable(
    _ line: EventLine, _ record: Record, _ records: borrowing RawSpan
  ) throws(DecodeError) {
    let stamp = try record.stamp(in: records)
    TimeText.append(
      nanoseconds: stamp.time(options.order), decimals: 6, to: &writer.text)
    appendCell("", 0)
    appendCell(
      "± " + ReportText.duration(stamp.reading.boundNanoseconds), 11, alignsRight: true)
    appendCell(String(stamp.node.rawValue), 5, alignsRight: true)
    appendCell(String(line.entry.key.sequence.rawValue), 10, alignsRight: true)
    switch record.kind {
    case .payment: appendPayment(try PaymentView(record.body, in: records), records)
    case .clockReport: appendCell("(clock report)", 30)
    case .beacon, nil: appendCell("(beacon)", 30)
    }
    writer.text.append(contentsOf: line.outcome.utf8)
    if stamp.reading.status != .synchronized {
      writer.text.append(contentsOf: ", clock \(stamp.reading.status)".utf8)
    }
    if line.isBehind { writer.text.append(contentsOf: ", out of log order".utf8) }
    if !line.isCommitted { writer.text.append(contentsOf: ", uncommitted".utf8) }
    if let lateness = line.lateness {
      writer.text.append(contentsOf: ", \(lateness.sentence)".utf8)
    }
    writer.text.append(UInt8(ascii: "\n"))
  }

  private func appendPayment(_ payment: PaymentView, _ records: borrowing RawSpan) {
    let draft = payment.draft(in: records)
    appendCell(draft.id.text, 30)
    appendCell(
      Amount.text(minorUnits: Int128(draft.amountMinorUnits), currency: draft.currency), 12,
      alignsRight: true, gap: 1)
    appendCell(draft.currency.code, 3)
    appendCell("\(ReportText.safe(draft.sender)) → \(ReportText.safe(draft.receiver))", 23)
  }

  /// Appends a cell filled up to `width`, and a gap.
  private func appendCell(
    _ cell: String, _ width: Int, alignsRight: Bool = false, gap: Int = 2
  ) {
    let fill = max(0, width - cell.unicodeScalars.count)
    if alignsRight { appendSpaces(fill) }
    writer.text.append(contentsOf: cell.utf8)
    appendSpaces(alignsRight ? gap : fill + gap)
  }

  private func appendSpaces(_ count: Int) {
    for _ in 0..<count { writer.text.append(UInt8(ascii: " ")) }
  }

  // MARK: - JSON

  private mutating func appendJSON(
    _ line: EventLine, _ record: Record, _ records: borrowing RawSpan
  ) throws(DecodeError) {
    let stamp = try record.stamp(in: records)
    json.removeAll()
    json.beginObject()
    json.key("sequence")
    json.integer(line.entry.key.sequence.rawValue)
    json.key("index")
    json.integer(line.index.rawValue)
    json.key("time")
    json.string(TimeText.text(nanoseconds: stamp.time(options.order), decimals: 9))
    json.key("kind")
    switch record.kind {
    case .payment:
      json.string("payment")
      appendJSON(try PaymentView(record.body, in: records).draft(in: records))
    case .clockReport: json.string("clock_report")
    case .beacon, nil: json.string("beacon")
    }
    json.key("outcome")
    json.string(line.outcome)
    json.key("stamp")
    stamp.write(to: &json)
    json.key("committed")
    json.boolean(line.isCommitted)
    json.key("out_of_log_order")
    json.boolean(line.isBehind)
    if let lateness = line.lateness {
      json.key("late")
      json.beginObject()
      json.key("reason")
      json.string(lateness.name)
      json.key("by_ns")
      json.integer(lateness.nanoseconds)
      json.endObject()
    }
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }

  private mutating func appendJSON(_ draft: PaymentDraft) {
    json.key("transaction_id")
    json.string(utf8: draft.id.bytes)
    json.key("sender")
    json.string(utf8: draft.sender)
    json.key("receiver")
    json.string(utf8: draft.receiver)
    json.key("amount")
    json.decimal(Int128(draft.amountMinorUnits), decimals: draft.currency.exponent)
    json.key("currency")
    json.string(draft.currency.code)
    if let reference = draft.reference {
      json.key("reference")
      json.string(utf8: reference)
    }
  }

  // MARK: - End

  mutating func end(_ summary: TimelineSummary) throws(AuditError) {
    guard options.format == .table else { return }
    let parts = [
      ReportText.count(summary.shownCount, "event"),
      ReportText.count(summary.nodeCount, "node"),
      "\(ReportText.grouped(summary.outOfLogOrderCount)) out of log order",
      "\(ReportText.grouped(summary.lateCount)) late",
      "\(ReportText.grouped(summary.uncommittedCount)) uncommitted",
      "at most \(ReportText.count(summary.heldCountMax, "event")) held",
    ]
    try writing { () throws(OutputError) in try writer.line(parts.joined(separator: ", ")) }
  }
}

extension Lateness {
  /// Stable name, snake case.
  var name: String {
    switch self {
    case .behindWindow: "behind_window"
    case .behindWatermark: "behind_watermark"
    case .overflow: "overflow"
    }
  }

  /// For people.
  var sentence: String {
    let by = ReportText.duration(nanoseconds)
    return switch self {
    case .behindWindow: "late: \(by) behind the window"
    case .behindWatermark: "late: \(by) behind what had been given out"
    case .overflow: "late: \(by) behind, the window was full"
    }
  }
}

extension Stamp {
  /// Writes every field, and the interval that true time lies in; nanoseconds since 1970.
  func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("raw_ns")
    json.integer(reading.rawNanoseconds)
    json.key("correction_ns")
    json.integer(reading.correctionNanoseconds)
    json.key("corrected_ns")
    json.integer(correctedNanoseconds)
    json.key("bound_ns")
    json.integer(reading.boundNanoseconds)
    json.key("earliest_ns")
    json.integer(earliestNanoseconds)
    json.key("latest_ns")
    json.integer(latestNanoseconds)
    json.key("hlc_wall_ns")
    json.integer(hybrid.wallNanoseconds)
    json.key("hlc_logical")
    json.integer(hybrid.logical)
    json.key("node")
    json.integer(node.rawValue)
    json.key("epoch")
    json.integer(reading.epoch)
    json.key("status")
    json.string("\(reading.status)")
    json.key("reference")
    json.string("\(reading.reference)")
    json.endObject()
  }
}

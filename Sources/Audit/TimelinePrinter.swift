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
  private var line = TextLine()
  private var identifier: [UInt8] = []
  private var newest = EventSequence.zero
  /// The latest that any event of the group can have been, and how many it has.
  private var groupLatest = Int64.min
  private var groupEventCount: UInt64 = 0
  private(set) var summary = TimelineSummary()

  init(_ options: TimelineOptions, _ writer: ReportWriter) {
    self.options = options
    self.writer = writer
  }

  /// Whether as many are shown as were asked for.
  var isFull: Bool { summary.shownCount >= UInt64(options.limit) }

  mutating func begin() throws(AuditError) {
    guard options.format == .table else { return }
    let title =
      switch options.order {
      case .corrected, .log: "time (corrected)"
      case .hlc: "time (HLC)"
      case .raw: "time (raw clock)"
      case .earliest: "earliest time"
      }
    line.removeAll(keepingCapacity: true)
    if options.groupsUncertain {
      line.cell(width: 8, alignsRight: true) { $0.append(contentsOf: "group".utf8) }
    }
    line.cell(width: 27) { $0.append(contentsOf: title.utf8) }
    line.cell(width: 11, alignsRight: true) { $0.append(contentsOf: "± bound".utf8) }
    line.cell(width: 5, alignsRight: true) { $0.append(contentsOf: "node".utf8) }
    line.cell(width: 10, alignsRight: true) { $0.append(contentsOf: "sequence".utf8) }
    line.cell(width: 30) { $0.append(contentsOf: "transaction".utf8) }
    line.append("amount, sender → receiver, outcome and remarks\n")
    writer.text.append(contentsOf: line.bytes)
  }

  mutating func show(
    _ entry: TimelineEntry<HeldEvent>, _ lateness: Lateness?, _ batch: RetainedBatches.Batch
  ) throws(AuditError) {
    let isBehind = !batch.isJournal && entry.key.sequence < newest
    if batch.isJournal {
      summary.journalCount += 1
    } else {
      newest = max(newest, entry.key.sequence)
    }
    summary.shownCount += 1
    if isBehind { summary.outOfLogOrderCount += 1 }
    if lateness != nil { summary.lateCount += 1 }
    if !batch.isCommitted { summary.uncommittedCount += 1 }
    let held = entry.payload
    let record = Record(
      kindNumber: held.kindNumber, body: Int(held.bodyStart)..<Int(held.bodyEnd))
    let line = EventLine(
      entry: entry, lateness: lateness, isBehind: isBehind, isCommitted: batch.isCommitted,
      isJournal: batch.isJournal, index: batch.index)
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
    let isJournal: Bool
    let index: LogIndex

    var outcome: String { OutcomeCode(rawValue: entry.payload.outcome)?.name ?? "unknown" }
  }

  // MARK: - Table

  private mutating func appendTable(
    _ remarks: EventLine, _ record: Record, _ records: borrowing RawSpan
  ) throws(DecodeError) {
    let stamp = try record.stamp(in: records)
    line.removeAll(keepingCapacity: true)
    if options.groupsUncertain {
      countGroup(stamp)
      line.cell(width: 8, alignsRight: true) {
        appendDecimal(Int128(summary.groupCount), decimals: 0, to: &$0)
      }
    }
    line.time(stamp.time(options.order))
    line.cell(width: 11, alignsRight: true) { cell in
      cell.append(contentsOf: "± ".utf8)
      ReportText.appendDuration(stamp.reading.boundNanoseconds, to: &cell)
    }
    line.cell(width: 5, alignsRight: true) {
      appendDecimal(Int128(stamp.node.rawValue), decimals: 0, to: &$0)
    }
    line.cell(width: 10, alignsRight: true) { cell in
      guard !remarks.isJournal else { return cell.append(contentsOf: "–".utf8) }
      appendDecimal(Int128(remarks.entry.key.sequence.rawValue), decimals: 0, to: &cell)
    }
    switch record.kind {
    case .payment: appendPayment(try PaymentView(record.body, in: records), records)
    case .clockReport: line.cell(width: 30) { $0.append(contentsOf: "(clock report)".utf8) }
    case .beacon, nil: line.cell(width: 30) { $0.append(contentsOf: "(beacon)".utf8) }
    case .clockMeasurement, .logProgress, .occurrence:
      let text = try Event(record, in: records).journalText
      line.cell(width: 30) { $0.append(contentsOf: text.utf8) }
    case .membership, .policy, .leadership:
      let text = try Event(record, in: records).operatorText ?? ""
      line.cell(width: 30) { $0.append(contentsOf: "(\(text))".utf8) }
    }
    appendRemarks(remarks, stamp)
    writer.text.append(contentsOf: line.bytes)
  }

  private mutating func appendPayment(_ payment: PaymentView, _ records: borrowing RawSpan) {
    line.cell(width: 30) { payment.appendID(records, to: &$0) }
    line.cell(width: 12, alignsRight: true, gap: 1) {
      Amount.append(
        minorUnits: Int128(payment.amountMinorUnits), exponent: payment.currency.exponent,
        to: &$0)
    }
    line.cell(width: 3) { payment.currency.appendCode(to: &$0) }
    line.cell(width: 23) { cell in
      ReportText.appendSafe(payment.sender, of: records, to: &cell)
      cell.append(contentsOf: " → ".utf8)
      ReportText.appendSafe(payment.receiver, of: records, to: &cell)
    }
  }

  private mutating func appendRemarks(_ remarks: EventLine, _ stamp: Stamp) {
    line.append(remarks.isJournal ? "journal" : remarks.outcome)
    if stamp.reading.status != .synchronized {
      line.append(", clock ")
      line.append(stamp.reading.status.name)
    }
    if remarks.isBehind { line.append(", out of log order") }
    if !remarks.isCommitted { line.append(", uncommitted") }
    if let lateness = remarks.lateness { line.append(", \(lateness.sentence)") }
    line.append("\n")
  }

  /// Takes an event into the group, or begins the next one with it.
  private mutating func countGroup(_ stamp: Stamp) {
    if summary.groupCount == 0 || stamp.earliestNanoseconds > groupLatest {
      summary.groupCount += 1
      groupEventCount = 0
      groupLatest = .min
    }
    groupEventCount += 1
    groupLatest = max(groupLatest, stamp.latestNanoseconds)
    summary.groupEventCountMax = max(summary.groupEventCountMax, groupEventCount)
  }

  // MARK: - JSON

  private mutating func appendJSON(
    _ line: EventLine, _ record: Record, _ records: borrowing RawSpan
  ) throws(DecodeError) {
    let stamp = try record.stamp(in: records)
    json.removeAll()
    json.beginObject()
    if options.groupsUncertain {
      countGroup(stamp)
      json.key("group")
      json.integer(summary.groupCount)
    }
    if line.isJournal {
      json.key("journal")
      json.boolean(true)
    }
    json.key("sequence")
    json.integer(line.entry.key.sequence.rawValue)
    json.key("index")
    json.integer(line.index.rawValue)
    json.key("time")
    identifier.removeAll(keepingCapacity: true)
    TimeText.append(nanoseconds: stamp.time(options.order), decimals: 9, to: &identifier)
    json.string(utf8: identifier)
    json.key("kind")
    switch record.kind {
    case .payment:
      json.string("payment")
      appendJSON(try PaymentView(record.body, in: records), records)
    case .clockReport: json.string("clock_report")
    case .beacon, nil: json.string("beacon")
    case .clockMeasurement, .logProgress, .occurrence:
      try Event(record, in: records).write(to: &json)
    case .membership, .policy, .leadership:
      let event = try Event(record, in: records)
      json.string(event.operatorKind ?? "")
      json.key("change")
      json.string(event.operatorText ?? "")
    }
    if !line.isJournal {
      json.key("outcome")
      json.string(line.outcome)
    }
    json.key("stamp")
    stamp.write(to: &json)
    if !line.isJournal {
      json.key("committed")
      json.boolean(line.isCommitted)
      json.key("out_of_log_order")
      json.boolean(line.isBehind)
    }
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

  private mutating func appendJSON(_ payment: PaymentView, _ records: borrowing RawSpan) {
    json.key("transaction_id")
    identifier.removeAll(keepingCapacity: true)
    payment.appendID(records, to: &identifier)
    json.string(utf8: identifier)
    json.key("sender")
    appendString(payment.sender, of: records)
    json.key("receiver")
    appendString(payment.receiver, of: records)
    json.key("amount")
    json.decimal(Int128(payment.amountMinorUnits), decimals: payment.currency.exponent)
    json.key("currency")
    identifier.removeAll(keepingCapacity: true)
    payment.currency.appendCode(to: &identifier)
    json.string(utf8: identifier)
    if !payment.reference.isEmpty {
      json.key("reference")
      appendString(payment.reference, of: records)
    }
  }

  private mutating func appendString(_ range: Range<Int>, of records: borrowing RawSpan) {
    identifier.removeAll(keepingCapacity: true)
    records.extracting(range).withUnsafeBytes { identifier.append(contentsOf: $0) }
    json.string(utf8: identifier)
  }

  // MARK: - End

  mutating func end(_ summary: TimelineSummary) throws(AuditError) {
    guard options.format == .table else { return }
    let parts =
      [
        ReportText.count(summary.shownCount, "event"),
        ReportText.count(summary.nodeCount, "node"),
        "\(ReportText.grouped(summary.outOfLogOrderCount)) out of log order",
        "\(ReportText.grouped(summary.lateCount)) late",
        "\(ReportText.grouped(summary.uncommittedCount)) uncommitted",
        "at most \(ReportText.count(summary.heldCountMax, "event")) held",
      ]
      + (options.showsJournals
        ? ["\(ReportText.grouped(summary.journalCount)) from journals"] : [])
      + (options.groupsUncertain
        ? [
          "\(ReportText.count(summary.groupCount, "group")) that time orders",
          "at most \(ReportText.count(summary.groupEventCountMax, "event")) in one",
        ] : [])
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
    json.string(reading.status.name)
    json.key("reference")
    json.string(reading.reference.name)
    json.endObject()
  }
}

import Bytes
import HybridTime
import JSONText
import Ledger
package import SegmentLog

/// What a search of one log's segments found, and what it read for it.
package struct SearchReport: Sendable {
  /// The events found, in the order asked for.
  package let events: [FoundEvent]
  /// Bytes read from the log's files.
  package let byteCount: UInt64
  /// Segments that were looked into.
  package let segmentCount: Int
  /// Of those, the ones that have no index yet, and were read whole.
  package let unsealedCount: Int

  /// Searches the log at `path`.
  package init(
    _ path: String, for subject: SearchSubject, limit: Int, newestFirst: Bool,
    in files: some LogFileSystem
  ) throws(AuditError) {
    var search = try SegmentSearch(path, in: files)
    events = try search.find(subject, limit: limit, newestFirst: newestFirst)
    byteCount = search.byteCount
    segmentCount = search.segmentCount
    unsealedCount = search.unsealedCount
  }

  /// Writes the report.
  package func write(_ format: ReportFormat, to writer: ReportWriter) throws(AuditError) {
    for event in events {
      do throws(DecodeError) {
        switch format {
        case .table: try appendTable(event, to: writer)
        case .json: try appendJSON(event, to: writer)
        }
      } catch {
        throw .record(index: event.index, error)
      }
    }
    try writing { () throws(OutputError) in
      switch format {
      case .table:
        let unsealed =
          unsealedCount == 0
          ? "" : ", \(ReportText.count(unsealedCount, "segment")) without an index read whole"
        try writer.line(
          "\(ReportText.count(events.count, "event")); looked into "
            + "\(ReportText.count(segmentCount, "segment"))\(unsealed); "
            + "\(ReportText.grouped(byteCount)) bytes read.")
      case .json: appendTotals(to: writer)
      }
      try writer.flush()
    }
  }

  private func appendTable(_ event: FoundEvent, to writer: ReportWriter) throws(DecodeError) {
    let records = event.record.span.bytes
    var cursor = RecordCursor(records)
    guard let record = try cursor.next(in: records) else { return }
    var line = TextLine()
    line.time(event.stamp.reading.correctedNanoseconds)
    line.cell(width: 10, alignsRight: true) {
      $0.append(contentsOf: "\(event.sequence.rawValue)".utf8)
    }
    line.cell(width: 8, alignsRight: true) {
      $0.append(contentsOf: "\(event.index.rawValue)".utf8)
    }
    line.cell(width: 24) { $0.append(contentsOf: event.segment.fileName.utf8) }
    if record.kind == .payment {
      let payment = try PaymentView(record.body, in: records)
      line.cell(width: 30) { payment.appendID(records, to: &$0) }
      line.cell(width: 12, alignsRight: true, gap: 1) {
        Amount.append(
          minorUnits: Int128(payment.amountMinorUnits), exponent: payment.currency.exponent,
          to: &$0)
      }
      line.cell(width: 3) { payment.currency.appendCode(to: &$0) }
      line.cell(width: 1, gap: 0) { cell in
        ReportText.appendSafe(payment.sender, of: records, to: &cell)
        cell.append(contentsOf: " → ".utf8)
        ReportText.appendSafe(payment.receiver, of: records, to: &cell)
      }
    } else {
      line.append("(\(Self.kind(record)))")
    }
    line.append("\n")
    writer.text.append(contentsOf: line.bytes)
  }

  private static func kind(_ record: Record) -> String {
    switch record.kind {
    case .payment: "payment"
    case .clockReport: "clock_report"
    case .beacon: "beacon"
    case .clockMeasurement: "clock measurement"
    case .logProgress: "log progress"
    case .occurrence: "occurrence"
    case .membership: "members"
    case .policy: "policy"
    case .leadership: "leadership"
    case nil: "unknown"
    }
  }

  private func appendJSON(_ event: FoundEvent, to writer: ReportWriter) throws(DecodeError) {
    let records = event.record.span.bytes
    var cursor = RecordCursor(records)
    guard let record = try cursor.next(in: records) else { return }
    var json = JSONWriter(capacity: 512)
    json.beginObject()
    json.key("sequence")
    json.integer(event.sequence.rawValue)
    json.key("index")
    json.integer(event.index.rawValue)
    json.key("segment")
    json.string(event.segment.fileName)
    json.key("kind")
    json.string(Self.kind(record))
    if record.kind == .payment {
      let payment = try PaymentView(record.body, in: records)
      let draft = payment.draft(in: records)
      json.key("transaction_id")
      json.string(utf8: draft.id.bytes)
      json.key("sender")
      json.string(utf8: draft.sender)
      json.key("receiver")
      json.string(utf8: draft.receiver)
      json.key("amount")
      json.decimal(Int128(draft.amountMinorUnits), decimals: draft.currency.exponent)
      json.key("currency")
      var code: [UInt8] = []
      draft.currency.appendCode(to: &code)
      json.string(utf8: code)
      if let reference = draft.reference {
        json.key("reference")
        json.string(utf8: reference)
      }
    }
    json.key("stamp")
    event.stamp.write(to: &json)
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }

  private func appendTotals(to writer: ReportWriter) {
    var json = JSONWriter(capacity: 128)
    json.beginObject()
    json.key("found")
    json.integer(UInt64(events.count))
    json.key("segments")
    json.integer(UInt64(segmentCount))
    json.key("unsealed_segments")
    json.integer(UInt64(unsealedCount))
    json.key("bytes_read")
    json.integer(byteCount)
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}

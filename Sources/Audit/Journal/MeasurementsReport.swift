import Bytes
import HybridTime
import JSONText
import Ledger
import SegmentLog

/// What a journal's measurements came to.
package struct MeasurementsSummary: Hashable, Sendable {
  /// Measurements shown.
  package var count: UInt64 = 0

  /// None.
  package init() {}
}

extension AgreedLog {
  /// Writes a journal's clock measurements as they came, one line each, in constant memory.
  package func writeMeasurements(
    _ format: ReportFormat, to writer: ReportWriter
  ) throws(AuditError) -> MeasurementsSummary {
    var summary = MeasurementsSummary()
    var line = TextLine()
    var json = JSONWriter(capacity: 512)
    if format == .table {
      try writing { () throws(OutputError) in
        try writer.line(
          "time (raw clock)             node  source     source − raw  ± way and source        delay  stratum"
        )
      }
    }
    try forEachBatch(through: lastIndex) { header, records throws(AuditError) in
      var cursor = RecordCursor(records)
      while let record = try decoding(
        header.index, { () throws(DecodeError) in try cursor.next(in: records) })
      {
        guard record.kind == .clockMeasurement else { continue }
        let measurement = try decoding(header.index) { () throws(DecodeError) in
          try ClockMeasurement(record.body, in: records)
        }
        summary.count += 1
        switch format {
        case .table:
          measurement.write(to: &line)
          writer.text.append(contentsOf: line.bytes)
        case .json:
          json.removeAll()
          measurement.write(to: &json)
          writer.text.append(contentsOf: json.bytes)
        }
        try writing { () throws(OutputError) in try writer.spill() }
      }
      return .proceed
    }
    try writing { () throws(OutputError) in try writer.flush() }
    return summary
  }
}

extension ClockMeasurement {
  fileprivate func write(to line: inout TextLine) {
    func cell(_ text: String, _ width: Int, right: Bool = true) {
      line.cell(width: width, alignsRight: right) { $0.append(contentsOf: text.utf8) }
    }
    line.removeAll(keepingCapacity: true)
    line.time(stamp.reading.rawNanoseconds)
    cell(String(stamp.node.rawValue), 4)
    cell(sourceName, 9, right: false)
    cell(ReportText.duration(offsetNanoseconds, signed: true), 14)
    cell("± " + ReportText.duration(bound), 15)
    cell(ReportText.duration(delayNanoseconds), 12)
    cell(stratum == 0 ? "–" : String(stratum), 7)
    line.append("\n")
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("source")
    json.string(sourceName)
    json.members([
      "offset_ns": offsetNanoseconds, "delay_ns": delayNanoseconds,
      "monotonic_ns": monotonicNanoseconds,
      "error_ns": errorNanoseconds, "bound_ns": bound, "stratum": Int64(stratum),
    ])
    json.key("stamp")
    stamp.write(to: &json)
    json.endObject()
    json.endLine()
  }
}

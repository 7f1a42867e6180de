import Bytes
import HybridTime
import JSONText
import SegmentLog
import Timeline

extension SkewReport {
  /// Writes the report.
  package func write(
    _ format: ReportFormat, to writer: ReportWriter
  ) throws(AuditError) {
    try writing { () throws(OutputError) in
      switch format {
      case .table: try writeTables(to: writer)
      case .json: try writeJSON(to: writer)
      }
      try writer.flush()
    }
  }

  private func writeTables(to writer: ReportWriter) throws(OutputError) {
    for (place, section) in sections(limit: 40).enumerated() {
      if place > 0 { try writer.line() }
      try section.write(to: writer)
    }
  }

  // MARK: - JSON

  private func writeJSON(to writer: ReportWriter) throws(OutputError) {
    var json = JSONWriter(capacity: 8192)
    json.beginObject()
    json.key("payment_count")
    json.integer(paymentCount)
    json.key("nodes")
    json.beginArray()
    for node in nodes { node.write(to: &json) }
    json.endArray()
    for order in orders {
      json.key(order.name)
      order.disorder.write(to: &json)
    }
    json.key("neighbours")
    json.object([
      "certainly_ordered": pairs.ordered, "certainly_reversed": pairs.reversed,
      "causal": pairs.causal, "undecidable": pairs.undecidable,
    ])
    writeMore(to: &json)
    json.key("affected")
    json.beginArray()
    for payment in affected {
      json.beginObject()
      json.key("sequence")
      json.integer(payment.sequence.rawValue)
      json.key("transaction_id")
      json.string(payment.id)
      json.key("stamp")
      payment.stamp.write(to: &json)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}

extension Spread {
  func write(to json: inout JSONWriter) {
    json.object(["min": min, "median": median, "max": max])
  }
}

extension Disorder {
  func write(to json: inout JSONWriter) {
    json.object([
      "count": UInt64(count), "inverted_pairs": invertedPairCount,
      "inverted_neighbours": UInt64(adjacentCount), "affected": UInt64(affectedCount),
      "displacement_max": UInt64(displacementMax), "regression_max_ns": UInt64(regressionMax),
    ])
  }
}

extension NodeSkew {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("node")
    json.integer(node.rawValue)
    json.key("stamps")
    json.integer(count)
    json.key("offset_ns")
    offset.write(to: &json)
    json.key("bound_ns")
    bound.write(to: &json)
    json.key("drift_ppb")
    if let drift = driftPartsPerBillion { json.integer(drift) } else { json.null() }
    json.key("reported_drift_ppb")
    if let drift = reportedDriftPartsPerBillion { json.integer(drift) } else { json.null() }
    json.key("epochs")
    json.integer(epochCount)
    json.key("statuses")
    json.beginObject()
    for status in ClockStatus.allCases {
      guard let count = statuses[status] else { continue }
      json.key(utf8: Array(status.name.utf8))
      json.integer(count)
    }
    json.endObject()
    json.key("over_time")
    json.beginArray()
    for bucket in buckets { bucket.write(to: &json) }
    json.endArray()
    json.endObject()
  }
}

extension SkewBucket {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("from")
    json.string(TimeText.text(nanoseconds: start, decimals: 9))
    json.key("stamps")
    json.integer(count)
    json.key("offset_ns")
    offset.write(to: &json)
    json.key("bound_ns")
    bound.write(to: &json)
    json.key("epoch_first")
    json.integer(epochs.lowerBound)
    json.key("epoch_last")
    json.integer(epochs.upperBound)
    json.key("statuses")
    json.beginArray()
    for status in statuses { json.string(status.name) }
    json.endArray()
    json.endObject()
  }
}

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

  var orders: [(name: StaticString, title: String, disorder: Disorder)] {
    [
      ("raw_against_log", "raw clock against the log", rawAgainstLog),
      ("corrected_against_log", "corrected time against the log", correctedAgainstLog),
      ("hlc_against_log", "hybrid time against the log", hybridAgainstLog),
      ("raw_against_corrected", "raw clock against corrected time", rawAgainstCorrected),
    ]
  }

  // MARK: - Tables

  private func writeTables(to writer: ReportWriter) throws(OutputError) {
    try writeNodes(to: writer)
    try writer.line()
    try writeOrders(to: writer)
    try writer.line()
    try writer.line(
      "Neighbours in the log: \(ReportText.grouped(pairs.ordered)) certainly in order, "
        + "\(ReportText.grouped(pairs.reversed)) certainly the other way round, "
        + "\(ReportText.grouped(pairs.causal)) ordered by one node's own clock, "
        + "\(ReportText.grouped(pairs.undecidable)) undecidable by time.")
    try writer.line(
      "All pairs: \(ReportText.grouped(allPairs.ordered)) certainly in order, "
        + "\(ReportText.grouped(allPairs.reversed)) certainly the other way round, "
        + "\(ReportText.grouped(allPairs.causal)) ordered by one node's own clock, "
        + "\(ReportText.grouped(allPairs.undecidable)) undecidable by time.")
    try writeMore(to: writer)
    if !affected.isEmpty {
      try writer.line()
      try writeAffected(to: writer)
    }
    try writer.line()
    try writeBuckets(to: writer)
  }

  private func writeNodes(to writer: ReportWriter) throws(OutputError) {
    try writer.line("Clocks: offset is raw clock − cluster time; true within the bound.")
    var table = TextTable([
      ("node", .right), ("stamps", .right), ("offset min", .right), ("median", .right),
      ("max", .right), ("drift ppm", .right), ("bound min", .right), ("median", .right),
      ("max", .right), ("epochs", .right), ("status", .left),
    ])
    for node in nodes {
      table.add([
        String(node.node.rawValue), ReportText.grouped(node.count),
        ReportText.duration(node.offset.min, signed: true),
        ReportText.duration(node.offset.median, signed: true),
        ReportText.duration(node.offset.max, signed: true),
        node.driftPartsPerBillion.map { ReportText.decimal($0, decimals: 3) } ?? "–",
        ReportText.duration(node.bound.min), ReportText.duration(node.bound.median),
        ReportText.duration(node.bound.max), ReportText.grouped(node.epochCount),
        ClockStatus.allCases.compactMap { status in
          node.statuses[status].map { "\(status.name) \(ReportText.grouped($0))" }
        }.joined(separator: ", "),
      ])
    }
    try table.write(to: writer)
  }

  private func writeOrders(to writer: ReportWriter) throws(OutputError) {
    try writer.line("Order of \(ReportText.count(paymentCount, "payment")):")
    var table = TextTable([
      ("compared", .left), ("pairs out of order", .right), ("neighbours", .right),
      ("payments affected", .right), ("farthest moved", .right), ("most behind", .right),
    ])
    for order in orders {
      table.add([
        order.title, ReportText.grouped(order.disorder.invertedPairCount),
        ReportText.grouped(order.disorder.adjacentCount),
        ReportText.grouped(order.disorder.affectedCount),
        ReportText.count(order.disorder.displacementMax, "place"),
        ReportText.duration(order.disorder.regressionMax),
      ])
    }
    try table.write(to: writer)
  }

  private func writeAffected(to writer: ReportWriter) throws(OutputError) {
    try writer.line(
      "First \(affected.count) of \(ReportText.grouped(rawAgainstLog.affectedCount)) payments "
        + "that the raw clocks put out of order:")
    var table = TextTable([
      ("sequence", .right), ("transaction", .left), ("node", .right), ("raw clock", .left),
      ("corrected", .left), ("bound", .right),
    ])
    for payment in affected {
      table.add([
        String(payment.sequence.rawValue), payment.id, String(payment.stamp.node.rawValue),
        TimeText.text(nanoseconds: payment.stamp.reading.rawNanoseconds),
        TimeText.text(nanoseconds: payment.stamp.correctedNanoseconds),
        ReportText.duration(payment.stamp.reading.boundNanoseconds),
      ])
    }
    try table.write(to: writer)
  }

  private func writeBuckets(to writer: ReportWriter) throws(OutputError) {
    try writer.line("Over time:")
    var table = TextTable([
      ("from", .left), ("node", .right), ("stamps", .right), ("offset median", .right),
      ("spread", .right), ("bound max", .right), ("epochs", .left), ("status", .left),
    ])
    let rows = nodes.flatMap { node in node.buckets.map { (node.node, $0) } }
    for (node, bucket) in rows.sorted(by: { ($0.1.start, $0.0) < ($1.1.start, $1.0) }) {
      table.add([
        TimeText.text(nanoseconds: bucket.start, decimals: 3), String(node.rawValue),
        ReportText.grouped(bucket.count),
        ReportText.duration(bucket.offset.median, signed: true),
        ReportText.duration(bucket.offset.max &- bucket.offset.min),
        ReportText.duration(bucket.bound.max),
        bucket.epochs.count == 1
          ? "\(bucket.epochs.lowerBound)"
          : "\(bucket.epochs.lowerBound)–\(bucket.epochs.upperBound)",
        bucket.statuses.map(\.name).joined(separator: ", "),
      ])
    }
    try table.write(to: writer)
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

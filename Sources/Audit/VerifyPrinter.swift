import Bytes
import JSONText
import SegmentLog

extension VerifyReport {
  /// Writes the report; `elapsed` is how long reading took.
  package func write(
    _ format: ReportFormat, elapsed: Duration, to writer: ReportWriter
  ) throws(AuditError) {
    try writing { () throws(OutputError) in
      switch format {
      case .table: try writeTable(elapsed, to: writer)
      case .json: try writeJSON(to: writer)
      }
      try writer.flush()
    }
  }

  private func writeTable(_ elapsed: Duration, to writer: ReportWriter) throws(OutputError) {
    var table = TextTable([
      ("log", .left), ("segments", .right), ("sealed", .right), ("batches", .right),
      ("events", .right), ("bytes", .right), ("last index", .right), ("ledger digest", .left),
      ("", .left),
    ])
    for node in nodes {
      for log in [node.log, node.journal].compactMap({ $0 }) { table.add(row(log)) }
    }
    try table.write(to: writer)
    try writer.line()
    for node in nodes {
      for failure in node.failures { try writer.line("could not read: \(failure)") }
      for log in [node.log, node.journal].compactMap({ $0 }) {
        if let fault = log.fault { try writer.line("FAULT: \(fault.sentence)") }
        for note in log.notes { try writer.line("note: \(note)") }
      }
    }
    try writeCheckpoints(to: writer)
    for divergence in divergences {
      try writer.line(
        (divergence.isTail ? "note: " : "FAULT: ") + divergence.sentence)
    }
    try writer.line(conclusion(elapsed))
  }

  private func writeCheckpoints(to writer: ReportWriter) throws(OutputError) {
    for node in nodes {
      guard let log = node.log, let newest = log.confirmed.last else { continue }
      try writer.line(
        "\(log.directory): agrees with \(ReportText.count(UInt64(log.confirmed.count), "signed checkpoint"))"
          + ", the newest at index \(newest.checkpoint.index.rawValue)"
          + (newest.signers.isEmpty ? "" : ", signed by \(newest.signers.joined(separator: ", "))"))
    }
    for problem in checkpoints.problems { try writer.line("could not read: \(problem)") }
    for found in unreached {
      try writer.line(
        "FAULT: all logs end before the batch that \(found.path) tells of")
    }
    for equivocation in checkpoints.equivocations {
      try writer.line("FAULT: \(equivocation.sentence)")
    }
    if let path = checkpoints.policyFoundAt {
      try writer.line(
        "note: signatures were checked with the keys in \(path), which stands beside the log; give your own"
          + " policy with --policy")
    } else if checkpoints.policy == nil, !checkpoints.found.isEmpty {
      try writer.line("note: no signature was checked: give a trust policy with --policy")
    }
  }

  private func row(_ log: LogVerification) -> [String] {
    [
      log.directory, ReportText.grouped(log.segmentCount), ReportText.grouped(log.sealedCount),
      ReportText.grouped(log.batchCount), ReportText.grouped(log.eventCount),
      ReportText.bytes(log.byteCount), String(log.lastIndex.rawValue),
      log.ledgerDigest.map { String($0.hexadecimal.prefix(16)) } ?? "–",
      log.fault != nil ? "FAULT" : log.failure != nil ? "unreadable" : "intact",
    ]
  }

  private func conclusion(_ elapsed: Duration) -> String {
    let (seconds, attoseconds) = elapsed.components
    let milliseconds = UInt64(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    let rate =
      "\(ReportText.bytes(byteCount)) (\(ReportText.bytes(recordsByteCount)) uncompressed), "
      + "\(ReportText.count(eventCount, "event")) in \(ReportText.decimal(milliseconds, decimals: 3))"
      + " s: \(ReportText.bytes(byteCount * 1000 / milliseconds))/s, "
      + "\(ReportText.grouped(eventCount * 1000 / milliseconds)) events/s"
    if hasFault { return "Not intact. \(rate)." }
    if hasFailure { return "What could be read is intact. \(rate)." }
    return nodes.count > 1 ? "Intact, and all nodes agree. \(rate)." : "Intact. \(rate)."
  }

  private func writeJSON(to writer: ReportWriter) throws(OutputError) {
    var json = JSONWriter(capacity: 4096)
    json.beginObject()
    json.key("intact")
    json.boolean(!hasFault && !hasFailure)
    json.key("nodes")
    json.beginArray()
    for node in nodes {
      json.beginObject()
      json.key("directory")
      json.string(node.label)
      json.key("failures")
      json.beginArray()
      for failure in node.failures { json.string(failure) }
      json.endArray()
      if let log = node.log {
        json.key("log")
        log.write(to: &json)
      }
      if let journal = node.journal {
        json.key("journal")
        journal.write(to: &json)
      }
      json.endObject()
    }
    json.endArray()
    json.key("divergences")
    json.beginArray()
    for divergence in divergences { divergence.write(to: &json) }
    json.endArray()
    json.key("policy")
    if let path = checkpoints.policyFoundAt { json.string(path) } else { json.null() }
    json.key("equivocations")
    json.beginArray()
    for equivocation in checkpoints.equivocations { json.string(equivocation.sentence) }
    json.endArray()
    json.key("unreached_checkpoints")
    json.beginArray()
    for found in unreached { json.string(found.path) }
    json.endArray()
    json.key("unreadable_checkpoints")
    json.beginArray()
    for problem in checkpoints.problems { json.string(problem) }
    json.endArray()
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}

extension Divergence {
  /// Who differs from whom, where and how.
  package var sentence: String {
    "\(label) differs from \(reference) at index \(index.rawValue): \(reason)"
      + (isTail ? "; it lies in the uncommitted tail, where logs may differ" : "")
  }

  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("directory")
    json.string(label)
    json.key("reference")
    json.string(reference)
    json.key("index")
    json.integer(index.rawValue)
    json.key("uncommitted_tail")
    json.boolean(isTail)
    json.key("reason")
    json.string(reason)
    json.endObject()
  }
}

extension LogVerification {
  fileprivate func write(to json: inout JSONWriter) {
    json.beginObject()
    json.key("directory")
    json.string(directory)
    for (name, number) in [
      ("segments", UInt64(segmentCount)), ("sealed", UInt64(sealedCount)),
      ("batches", batchCount), ("events", eventCount), ("bytes", byteCount),
      ("records_bytes", recordsByteCount), ("last_index", lastIndex.rawValue),
      ("committed_index", commit.rawValue),
    ] as [(StaticString, UInt64)] {
      json.key(name)
      json.integer(number)
    }
    json.key("ledger_digest")
    if let ledgerDigest { json.string(ledgerDigest.hexadecimal) } else { json.null() }
    json.key("fault")
    if let fault {
      json.beginObject()
      json.key("file")
      json.string(fault.path)
      json.key("offset")
      json.integer(fault.offset)
      json.key("index")
      json.integer(fault.index.rawValue)
      json.key("reason")
      json.string(fault.reason)
      json.endObject()
    } else {
      json.null()
    }
    json.key("checkpoints")
    json.integer(UInt64(confirmed.count))
    json.key("newest_checkpoint")
    if let newest = confirmed.last {
      json.beginObject()
      json.key("file")
      json.string(newest.path)
      json.key("index")
      json.integer(newest.checkpoint.index.rawValue)
      json.key("signers")
      json.beginArray()
      for signer in newest.signers { json.string(signer) }
      json.endArray()
      json.endObject()
    } else {
      json.null()
    }
    json.key("notes")
    json.beginArray()
    for note in notes { json.string(note) }
    json.endArray()
    json.endObject()
  }
}

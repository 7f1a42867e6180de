package import Bytes
package import Evidence
import HybridTime
import JSONText
package import Ledger
package import SegmentLog

/// What a receipt proves.
package struct ReceiptReport: Sendable {
  /// The event's number in the log.
  package let sequence: EventSequence
  /// The event.
  package let event: Event
  /// What the trusted keys have signed.
  package let checkpoint: LogCheckpoint
  /// Who has signed, by the policy's names, and when, seconds since 1970.
  package let witnesses: [(name: String, unixSeconds: UInt64)]

  /// Verifies the receipt in a file, without any log: the event is in the log that the trusted keys have
  /// signed. Throws where it does not prove that.
  package init(
    _ path: String, policyPath: String, in files: some LogFileSystem
  ) throws(AuditError) {
    let policy = try SignedCheckpoints.policy(policyPath, in: files)
    do throws(EvidenceError) {
      self = try Self(try SignedCheckpoints.text(path, in: files), under: policy)
    } catch {
      throw .evidence(path, error)
    }
  }

  /// Verifies a receipt's text.
  package init(_ text: String, under policy: TrustPolicy) throws(EvidenceError) {
    let proof = try ProofFile(parsing: text)
    let leaf = proof.extra
    let trusted = try proof.verify(leaf: leaf.span.bytes, under: policy)
    checkpoint = try LogCheckpoint(trusted.checkpoint)
    witnesses = trusted.witnesses.map { ($0.name, $0.time) }
    sequence = EventSequence(proof.index + 1)
    let span = leaf.span.bytes
    guard EventLeaf.range(at: 0, in: span) == 0..<leaf.count else { throw .malformedProof }
    var cursor = RecordCursor(span)
    guard let record = try? cursor.next(in: span), let event = try? Event(record, in: span) else {
      throw .malformedProof
    }
    self.event = event
  }

  /// Writes the report.
  package func write(_ format: ReportFormat, to writer: ReportWriter) throws(AuditError) {
    try writing { () throws(OutputError) in
      switch format {
      case .table: for line in lines { try writer.line(line) }
      case .json: writeJSON(to: writer)
      }
      try writer.flush()
    }
  }

  private var lines: [String] {
    var lines: [String] = []
    switch event {
    case .payment(let payment):
      let (draft, stamp) = (payment.draft, payment.stamp)
      lines.append(
        "payment \(draft.id.text): \(ReportText.safe(draft.sender)) pays \(ReportText.safe(draft.receiver)) "
          + "\(amount(draft)) \(draft.currency.code)")
      lines.append(
        "taken in by node \(stamp.node.rawValue) at "
          + "\(TimeText.text(nanoseconds: stamp.correctedNanoseconds)) ± "
          + "\(ReportText.duration(stamp.reading.boundNanoseconds))")
    case .clockReport, .beacon, .membership, .policy, .leadership, .clockMeasurement, .logProgress,
      .occurrence:
      lines.append("an event that is no payment")
    }
    lines.append(
      "It is event \(sequence.rawValue) of the \(ReportText.grouped(checkpoint.lastSequence.rawValue)) "
        + "up to batch \(checkpoint.index.rawValue) of \(checkpoint.checkpoint.origin).")
    for witness in witnesses {
      lines.append(
        "signed by \(witness.name) at "
          + TimeText.text(
            nanoseconds: Int64(clamping: min(witness.unixSeconds, 9_000_000_000)) * 1_000_000_000,
            decimals: 0))
    }
    return lines + ["Proven."]
  }

  private func amount(_ draft: PaymentDraft) -> String {
    String(
      decoding: Amount.formatted(
        minorUnits: Int128(draft.amountMinorUnits), exponent: draft.currency.exponent),
      as: UTF8.self)
  }

  private func writeJSON(to writer: ReportWriter) {
    var json = JSONWriter(capacity: 1024)
    json.beginObject()
    json.key("proven")
    json.boolean(true)
    json.key("sequence")
    json.integer(sequence.rawValue)
    if case .payment(let payment) = event {
      let (draft, stamp) = (payment.draft, payment.stamp)
      json.key("transaction_id")
      json.string(draft.id.text)
      json.key("sender")
      json.string(String(decoding: draft.sender, as: UTF8.self))
      json.key("receiver")
      json.string(String(decoding: draft.receiver, as: UTF8.self))
      json.key("amount")
      json.string(amount(draft))
      json.key("currency")
      json.string("\(draft.currency.code)")
      json.key("node")
      json.integer(UInt64(stamp.node.rawValue))
      json.key("corrected")
      json.string("\(stamp.correctedNanoseconds)")
      json.key("bound")
      json.string("\(stamp.reading.boundNanoseconds)")
    }
    json.key("checkpoint")
    json.beginObject()
    json.key("origin")
    json.string(checkpoint.checkpoint.origin)
    json.key("index")
    json.integer(checkpoint.index.rawValue)
    json.key("size")
    json.integer(checkpoint.lastSequence.rawValue)
    json.key("root")
    json.string(checkpoint.root.bytes.base64)
    json.endObject()
    json.key("witnesses")
    json.beginArray()
    for witness in witnesses {
      json.beginObject()
      json.key("name")
      json.string(witness.name)
      json.key("time")
      json.integer(witness.unixSeconds)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
  }
}

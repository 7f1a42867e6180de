package import Bytes
package import HybridTime
import Ledger
import SegmentLog
package import Timeline

/// How certain time alone makes the order of neighbours in the log.
package struct PairCertainty: Hashable, Sendable {
  /// The first was certainly earlier: their intervals do not touch.
  package var ordered = 0
  /// The second was certainly earlier: the log has them the other way round.
  package var reversed = 0
  /// Both are from one node: its hybrid clock orders them.
  package var causal = 0
  /// The intervals touch, or are measured against different clocks.
  package var undecidable = 0

  /// No pairs.
  package init() {}
}

/// A payment that belongs to a pair out of order.
package struct AffectedPayment: Hashable, Sendable {
  /// The event.
  package let sequence: EventSequence
  /// Its transaction id.
  package let id: String
  /// Its full stamp.
  package let stamp: Stamp
}

/// What the stamps of a log say about the nodes' clocks.
package struct SkewReport: Sendable {
  /// By node number.
  package let nodes: [NodeSkew]
  /// Payments in the log.
  package let paymentCount: Int
  /// Payments by their nodes' own clocks, against the order of the log.
  package let rawAgainstLog: Disorder
  /// Payments by corrected time, against the order of the log.
  package let correctedAgainstLog: Disorder
  /// Payments by their nodes' own clocks, against the order of corrected time.
  package let rawAgainstCorrected: Disorder
  /// Neighbouring payments of the log.
  package let pairs: PairCertainty
  /// The first payments in the log that the raw clocks put out of order.
  package let affected: [AffectedPayment]
}

extension AgreedLog {
  /// Measures the clocks behind the log's stamps. Memory grows with the log: about 80 bytes a
  /// payment at its height.
  package func skew(_ options: SkewOptions) throws(AuditError) -> SkewReport {
    let limit = options.includesUncommitted ? lastIndex : committed
    var samples: [SkewSample] = []
    samples.reserveCapacity(Int(clamping: min(lastSequence.rawValue, 1 << 26)))
    var drifts = [Int64?](repeating: nil, count: Int(NodeID.countMax) + 1)
    try forEachBatch(through: limit) { header, records throws(AuditError) in
      try decoding(header.index) { () throws(DecodeError) in
        try collect(header, records, into: &samples, &drifts)
      }
      return .proceed
    }
    let nodes = nodeSkews(samples, drifts, bucketCount: options.bucketCount)
    samples.removeAll { !$0.isPayment }
    let raw = samples.map(\.raw)
    let corrected = samples.map(\.corrected)
    let rawAgainstLog = disorder(of: raw, affectedLimit: options.affectedLimit)
    let sequences = rawAgainstLog.affectedPositions.map { EventSequence(samples[$0].sequence) }
    return SkewReport(
      nodes: nodes, paymentCount: samples.count, rawAgainstLog: rawAgainstLog,
      correctedAgainstLog: disorder(of: corrected, affectedLimit: options.affectedLimit),
      rawAgainstCorrected: disorder(
        of: raw, inOrderOf: corrected, affectedLimit: options.affectedLimit),
      pairs: certainty(samples), affected: try payments(sequences))
  }

  private func collect(
    _ header: BatchHeader, _ records: borrowing RawSpan, into samples: inout [SkewSample],
    _ drifts: inout [Int64?]
  ) throws(DecodeError) {
    var cursor = RecordCursor(records)
    var sequence = header.firstSequence
    while let record = try cursor.next(in: records) {
      let stamp = try record.stamp(in: records)
      samples.append(
        SkewSample(stamp, sequence: sequence, isPayment: record.kind == .payment))
      if record.kind == .clockReport {
        drifts[Int(stamp.node.rawValue)] =
          try ClockReport(record.body, in: records).driftPartsPerBillion
      }
      sequence = sequence.next
    }
  }

  /// Looks up payments by ascending sequence; reads the log up to the last of them.
  private func payments(_ sequences: [EventSequence]) throws(AuditError) -> [AffectedPayment] {
    var found: [AffectedPayment] = []
    guard let last = sequences.last else { return [] }
    try forEachBatch(through: lastIndex) { header, records throws(AuditError) in
      guard header.count > 0, found.count < sequences.count,
        header.lastSequence >= sequences[found.count]
      else { return header.firstSequence > last ? .stop : .proceed }
      try decoding(header.index) { () throws(DecodeError) in
        var cursor = RecordCursor(records)
        var sequence = header.firstSequence
        while let record = try cursor.next(in: records) {
          if found.count < sequences.count, sequence == sequences[found.count] {
            let view = try PaymentView(record.body, in: records)
            found.append(
              AffectedPayment(
                sequence: sequence, id: view.id(in: records).text, stamp: view.stamp))
          }
          sequence = sequence.next
        }
      }
      return .proceed
    }
    return found
  }
}

private func nodeSkews(
  _ samples: [SkewSample], _ drifts: [Int64?], bucketCount: Int
) -> [NodeSkew] {
  guard let start = samples.lazy.map(\.corrected).min(),
    let end = samples.lazy.map(\.corrected).max()
  else { return [] }
  let width = max(1, (end &- start) / Int64(max(1, bucketCount)) + 1)
  let starts = (0..<Int64(max(1, bucketCount))).map { start &+ $0 &* width }
  var byNode = [[SkewSample]](repeating: [], count: Int(NodeID.countMax) + 1)
  for sample in samples { byNode[Int(sample.node)].append(sample) }
  return byNode.indices.compactMap { number in
    NodeSkew(
      byNode[number], node: NodeID(UInt16(number)), reportedDrift: drifts[number],
      bucketStarts: starts)
  }
}

private func certainty(_ samples: [SkewSample]) -> PairCertainty {
  var pairs = PairCertainty()
  for (first, second) in zip(samples, samples.dropFirst()) {
    let isComparable =
      first.reference == second.reference && first.reference != ClockReference.local.rawValue
    if first.node == second.node {
      pairs.causal += 1
    } else if isComparable && first.corrected &+ first.bound < second.corrected &- second.bound {
      pairs.ordered += 1
    } else if isComparable && second.corrected &+ second.bound < first.corrected &- first.bound {
      pairs.reversed += 1
    } else {
      pairs.undecidable += 1
    }
  }
  return pairs
}

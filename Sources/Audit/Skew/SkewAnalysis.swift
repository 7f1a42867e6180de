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

/// What time makes certain of the order of all pairs of payments.
package struct AllPairs: Hashable, Sendable {
  /// Their intervals do not touch, and the log has them so.
  package var ordered: UInt64 = 0
  /// Their intervals do not touch, and the log has them the other way round.
  package var reversed: UInt64 = 0
  /// Their intervals touch or cannot be compared, but one node took in both: its hybrid clock orders them.
  package var causal: UInt64 = 0
  /// Neither, but the second one's node had the first in its ledger when the second came in: its journal says
  /// so. As many as journals tell of.
  package var byMessage: UInt64 = 0
  /// Of those reversed: the same is true of them, so that a clock cannot have been within its bound.
  package var contradicted: UInt64 = 0
  /// Nobody can tell.
  package var undecidable: UInt64 = 0

  /// No pairs.
  init() {}

  /// The pairs of payments, in the log's order.
  init(_ payments: [SkewSample], _ messages: MessageOrder) {
    byMessage = messages.causal
    contradicted = messages.contradicted
    var nodeSums: [UInt16: IntervalPairs] = [:]
    for reference in [ClockReference.cluster, .external] {
      let own = payments.filter { $0.isComparable && $0.reference == reference.rawValue }
      let pairs = countPairs(own.map(\.interval))
      ordered += pairs.ordered
      reversed += pairs.reversed
      for node in Set(own.map(\.node)) {
        let within = countPairs(own.lazy.filter { $0.node == node }.map(\.interval))
        nodeSums[node, default: IntervalPairs()].ordered += within.ordered + within.reversed
      }
    }
    var counts: [UInt16: UInt64] = [:]
    for payment in payments { counts[payment.node, default: 0] += 1 }
    for (node, count) in counts.sorted(by: { $0.key < $1.key }) {
      causal += count * (count - 1) / 2 - (nodeSums[node]?.ordered ?? 0)
    }
    let count = UInt64(payments.count)
    undecidable =
      (count == 0 ? 0 : count * (count - 1) / 2) - ordered - reversed - causal - byMessage
  }
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
  /// Payments by hybrid time, against the order of the log.
  package let hybridAgainstLog: Disorder
  /// Payments by their nodes' own clocks, against the order of corrected time.
  package let rawAgainstCorrected: Disorder
  /// Neighbouring payments of the log.
  package let pairs: PairCertainty
  /// All pairs of payments.
  package let allPairs: AllPairs
  /// The clocks by cause and effect, with the journals' help.
  package let causality: CausalityReport
  /// Steps, pauses, gaps and every change of the nodes' synchronization.
  package let syncLog: SyncLog
  /// Payments' bounds as they were stamped, and narrowed in retrospect; nil without payments.
  package let bounds: (stamped: Spread, tightened: Spread)?
  /// Time servers' answers in the journals, on which the narrowing rests.
  package let answerCount: Int
  /// The stamps against a rule, where one was given.
  package let tolerance: ToleranceReport?
  /// What a wrong clock would have done, where one was asked about.
  package let whatIf: WhatIfReport?
  /// What another order would have changed, where one was asked about.
  package let effects: OrderEffects?
  /// Where the parts of the log's time begin.
  let partStarts: [Int64]
  /// For pictures: every stamp by node, in the order the node made them, and its narrowed bound.
  let byNode: [(node: NodeID, samples: [SkewSample], tightened: [NarrowedBound])]
  /// Payments in the log's order.
  let payments: [SkewSample]
  /// The first payments in the log that the raw clocks put out of order.
  package let affected: [AffectedPayment]
}

extension AgreedLog {
  /// Measures the clocks behind the log's stamps. Memory grows with the log: about 200 bytes a
  /// payment at its height.
  package func skew(_ options: SkewOptions) throws(AuditError) -> SkewReport {
    let limit = options.includesUncommitted ? lastIndex : committed
    var samples: [SkewSample] = []
    samples.reserveCapacity(Int(clamping: min(lastSequence.rawValue, 1 << 26)))
    var drifts = [Int64?](repeating: nil, count: Int(NodeID.countMax) + 1)
    // Of each batch, from the first on: how many payments there are up to its end.
    var paymentCounts: [Int] = []
    var paymentCount = 0
    try forEachBatch(through: limit) { header, records throws(AuditError) in
      let before = samples.count
      try decoding(header.index) { () throws(DecodeError) in
        try collect(header, records, into: &samples, &drifts)
      }
      paymentCount += samples[before...].count(where: \.isPayment)
      paymentCounts.append(paymentCount)
      return .proceed
    }
    let starts = partStarts(samples, count: options.bucketCount)
    let journals = readJournals()
    let known = Dictionary(
      uniqueKeysWithValues: journals.map { ($0.node, $0.knownMoments(options.limits)) })
    let byNode = SkewReport.stampsByNode(
      samples, Tightening(options.limits), known.mapValues(\.moments))
    let nodes = byNode.compactMap {
      NodeSkew(
        $0.samples, node: $0.node, reportedDrift: drifts[Int($0.node.rawValue)],
        bucketStarts: starts)
    }
    let causality = try causality(
      journals, starts, through: limit, listed: options.affectedLimit)
    samples.removeAll { !$0.isPayment }
    let first = base.firstIndex.rawValue
    let messages = MessageOrder(samples, journals) { index in
      guard index >= first, !paymentCounts.isEmpty else { return 0 }
      return paymentCounts[min(Int(clamping: index - first), paymentCounts.count - 1)]
    }
    let raw = samples.map(\.raw)
    let corrected = samples.map(\.corrected)
    let rawAgainstLog = disorder(of: raw, affectedLimit: options.affectedLimit)
    let sequences = rawAgainstLog.affectedPositions.map { EventSequence(samples[$0].sequence) }
    return SkewReport(
      nodes: nodes, paymentCount: samples.count, rawAgainstLog: rawAgainstLog,
      correctedAgainstLog: disorder(of: corrected, affectedLimit: options.affectedLimit),
      hybridAgainstLog: disorder(of: hybridRanks(samples), affectedLimit: options.affectedLimit),
      rawAgainstCorrected: disorder(
        of: raw, inOrderOf: corrected, affectedLimit: options.affectedLimit),
      pairs: certainty(samples), allPairs: AllPairs(samples, messages), causality: causality,
      syncLog: SyncLog(byNode.map(\.samples)), bounds: paymentBounds(byNode),
      answerCount: known.values.reduce(0) { $0 + $1.count },
      tolerance: options.tolerance.map {
        ToleranceReport($0, byNode.map(\.samples), tightened: byNode.map(\.tightened))
      },
      whatIf: options.whatIf.isEmpty
        ? nil : WhatIfReport(options.whatIf, samples, seed: options.seed),
      effects: try effects(options, limit), partStarts: starts, byNode: byNode, payments: samples,
      affected: try payments(sequences))
  }

  private func causality(
    _ journals: [NodeJournal], _ starts: [Int64], through limit: LogIndex, listed: Int
  ) throws(AuditError) -> CausalityReport {
    var pass = CausalityPass(journals, partStarts: starts, listed: listed)
    try forEachBatch(through: limit) { header, records throws(AuditError) in
      try decoding(header.index) { () throws(DecodeError) in try pass.take(header, records) }
      return .proceed
    }
    return pass.finish()
  }

  private func effects(
    _ options: SkewOptions, _ limit: LogIndex
  ) throws(AuditError) -> OrderEffects? {
    guard let order = options.effectsOf else { return nil }
    return try effects(of: order, through: limit, listed: options.affectedLimit)
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

extension SkewReport {
  /// The stamps of each node in the order it made them, by hybrid time: the log has them in the order in
  /// which the leader took them.
  static func stampsByNode(
    _ samples: [SkewSample], _ tightening: Tightening, _ known: [NodeID: [KnownMoment]] = [:]
  ) -> [(node: NodeID, samples: [SkewSample], tightened: [NarrowedBound])] {
    var byNode = [[SkewSample]](repeating: [], count: Int(NodeID.countMax) + 1)
    for sample in samples { byNode[Int(sample.node)].append(sample) }
    return byNode.enumerated().compactMap { number, own in
      guard !own.isEmpty else { return nil }
      let ordered = own.sorted {
        ($0.hybridWall, $0.hybridLogical) < ($1.hybridWall, $1.hybridLogical)
      }
      let node = NodeID(UInt16(number))
      return (node, ordered, tightening.bounds(ordered, known[node] ?? []))
    }
  }
}

/// Payments' bounds as stamped, and narrowed.
private func paymentBounds(
  _ byNode: [(node: NodeID, samples: [SkewSample], tightened: [NarrowedBound])]
) -> (stamped: Spread, tightened: Spread)? {
  var (stamped, tightened): ([Int64], [Int64]) = ([], [])
  for node in byNode {
    for (sample, bound) in zip(node.samples, node.tightened) where sample.isPayment {
      stamped.append(sample.bound)
      tightened.append(bound.reach)
    }
  }
  guard let first = Spread(stamped), let second = Spread(tightened) else { return nil }
  return (first, second)
}

/// Numbers that stand in the order of hybrid times, equal where those are.
private func hybridRanks(_ samples: [SkewSample]) -> [Int64] {
  let order = samples.indices.sorted {
    (samples[$0].hybridWall, samples[$0].hybridLogical)
      < (samples[$1].hybridWall, samples[$1].hybridLogical)
  }
  var ranks = [Int64](repeating: 0, count: samples.count)
  for (place, index) in order.enumerated().dropFirst() {
    let (one, before) = (samples[index], samples[order[place - 1]])
    let isSame = one.hybridWall == before.hybridWall && one.hybridLogical == before.hybridLogical
    ranks[index] = ranks[order[place - 1]] + (isSame ? 0 : 1)
  }
  return ranks
}

/// Where `count` parts of the stamps' time begin; not empty.
private func partStarts(_ samples: [SkewSample], count: Int) -> [Int64] {
  guard let start = samples.lazy.map(\.corrected).min(),
    let end = samples.lazy.map(\.corrected).max()
  else { return [0] }
  let count = Int64(max(1, count))
  let width = max(1, (end &- start) / count + 1)
  return (0..<count).map { start &+ $0 &* width }
}

private func certainty(_ samples: [SkewSample]) -> PairCertainty {
  var pairs = PairCertainty()
  for (first, second) in zip(samples, samples.dropFirst()) {
    let isComparable =
      first.reference == second.reference && first.reference != ClockReference.local.rawValue
    if first.node == second.node {
      pairs.causal += 1
    } else if isComparable && first.interval.latest < second.interval.earliest {
      pairs.ordered += 1
    } else if isComparable && second.interval.latest < first.interval.earliest {
      pairs.reversed += 1
    } else {
      pairs.undecidable += 1
    }
  }
  return pairs
}

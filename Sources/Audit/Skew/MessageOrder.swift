import Bytes
import HybridTime
import SegmentLog
import Timeline

/// Pairs of payments of different nodes that messages order: the ledger of the second one's node had the
/// first when the second came in. Its journal says so, by one and the same clock.
struct MessageOrder {
  /// Such pairs of which time alone does not know the order.
  private(set) var causal: UInt64 = 0
  /// Such pairs of which time says that the second was certainly earlier: a clock was not within its bound.
  private(set) var contradicted: UInt64 = 0

  init() {}

  /// `payments` in the log's order, `countThrough`: how many of them are in the batches up to an index.
  init(
    _ payments: [SkewSample], _ journals: [NodeJournal], countThrough: (UInt64) -> Int
  ) {
    /// Of each payment: how many of the log's first ones its node had when it came in.
    var known = [Int](repeating: 0, count: payments.count)
    for journal in journals {
      let runs = journal.applied.runs
      for (place, payment) in payments.enumerated() where payment.node == journal.node.rawValue {
        known[place] = min(place, runs.last(before: payment).map(countThrough) ?? 0)
      }
    }
    let total = known.reduce(0) { $0 + UInt64($1) }
    guard total > 0 else { return }
    var decided = IntervalPairs()
    for reference in [ClockReference.cluster, .external] {
      let pairs = Self.decided(payments, known, reference, node: nil)
      decided.ordered += pairs.ordered
      decided.reversed += pairs.reversed
    }
    // Less those of one node, which are ordered anyway.
    var own: UInt64 = 0
    for node in Set(payments.map(\.node)) {
      let counts = Self.prefixCounts(payments) { $0.node == node }
      for (place, payment) in payments.enumerated() where payment.node == node {
        own += UInt64(counts[known[place]])
      }
      for reference in [ClockReference.cluster, .external] {
        let pairs = Self.decided(payments, known, reference, node: node)
        decided.ordered -= pairs.ordered
        decided.reversed -= pairs.reversed
      }
    }
    contradicted = decided.reversed
    causal = total - own - decided.ordered - decided.reversed
  }

  /// Of the pairs, those that time decides: both of one reference, and of one node where it is given.
  private static func decided(
    _ payments: [SkewSample], _ known: [Int], _ reference: ClockReference, node: UInt16?
  ) -> IntervalPairs {
    let isMeant = { (payment: SkewSample) in
      payment.isComparable && payment.reference == reference.rawValue
        && (node == nil || payment.node == node)
    }
    let counts = prefixCounts(payments, isMeant)
    var queries: [(interval: TimeInterval, prefixCount: Int)] = []
    for (place, payment) in payments.enumerated() where isMeant(payment) {
      queries.append((payment.interval, counts[known[place]]))
    }
    return countPairs(payments.filter(isMeant).map(\.interval), against: queries)
  }

  /// How many of the first payments are meant, for each number of first ones.
  private static func prefixCounts(
    _ payments: [SkewSample], _ isMeant: (SkewSample) -> Bool
  ) -> [Int] {
    var counts = [0]
    counts.reserveCapacity(payments.count + 1)
    for payment in payments { counts.append(counts[counts.count - 1] + (isMeant(payment) ? 1 : 0)) }
    return counts
  }
}

extension [MarkedBatches] {
  /// The last batch that was applied before a payment was stamped at the same node: corrected time does not run
  /// back within an epoch, and a later epoch is later.
  fileprivate func last(before payment: SkewSample) -> UInt64? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      let moment = self[middle].moment
      if (moment.epoch, moment.corrected) < (payment.epoch, payment.corrected) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low > 0 ? self[low - 1].last : nil
  }
}

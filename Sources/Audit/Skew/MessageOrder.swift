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
      let marks = AppliedMarks(journal.applied.runs)
      for (place, payment) in payments.enumerated() where payment.node == journal.node.rawValue {
        known[place] = min(place, marks.last(before: payment).map(countThrough) ?? 0)
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

/// A node's marks of what its ledger had, by the epochs of its clock.
private struct AppliedMarks {
  /// What two threads of one node may read differently of its clock at the same time, nanoseconds: a payment is
  /// stamped by the thread that took it in.
  private static let threadMargin: Int64 = 1_000

  private let runs: [MarkedBatches]
  /// Where each epoch's marks are; an epoch that is there twice, after the clock was set back, is left out.
  private var places: [UInt32: Range<Int>] = [:]

  init(_ runs: [MarkedBatches]) {
    self.runs = runs
    var repeated: Set<UInt32> = []
    var start = 0
    for place in runs.indices where place + 1 == runs.count || !Self.isFollowed(runs, place) {
      let epoch = runs[place].moment.epoch
      if places.updateValue(start..<place + 1, forKey: epoch) != nil { repeated.insert(epoch) }
      start = place + 1
    }
    for epoch in repeated { places[epoch] = nil }
  }

  /// Whether the next mark is of the same epoch, and later.
  private static func isFollowed(_ runs: [MarkedBatches], _ place: Int) -> Bool {
    let (one, next) = (runs[place], runs[place + 1])
    return one.moment.epoch == next.moment.epoch && one.process == next.process
      && one.moment.corrected <= next.moment.corrected
  }

  /// The last batch that was applied before a payment was stamped at the same node: corrected time does not run
  /// back within an epoch, and what is earlier in the journal is earlier.
  func last(before payment: SkewSample) -> UInt64? {
    guard let range = places[payment.epoch] else { return nil }
    let stamped = payment.corrected &- Self.threadMargin
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].moment.corrected < stamped { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? runs[low - 1].last : nil
  }
}

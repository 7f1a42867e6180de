/// The time in which something happened, with both ends in it.
public struct TimeInterval: BitwiseCopyable, Hashable, Sendable {
  /// No earlier than this.
  public var earliest: Int64
  /// No later than this.
  public var latest: Int64

  /// An interval; `latest` is not before `earliest`.
  public init(earliest: Int64, latest: Int64) {
    self.earliest = earliest
    self.latest = latest
  }
}

/// How many of a list's pairs time alone puts in order.
public struct IntervalPairs: Hashable, Sendable {
  /// Pairs of which the first in the list was certainly earlier: their intervals do not touch.
  public var ordered: UInt64 = 0
  /// Pairs of which the second was certainly earlier.
  public var reversed: UInt64 = 0
  /// Pairs whose intervals touch.
  public var undecided: UInt64 = 0

  /// No pairs.
  public init() {}
}

/// Counts the pairs of a list that time alone decides, exactly, in O(n log n) time and 32 bytes an interval.
public func countPairs(_ intervals: [TimeInterval]) -> IntervalPairs {
  var pairs = IntervalPairs()
  let count = intervals.count
  guard count > 1 else { return pairs }
  let latests = intervals.map(\.latest).sorted()
  // Of those before it in the list, by the rank of their latest time.
  var before = RankCounts(count)
  var reversed: UInt64 = 0
  var ordered: UInt64 = 0
  for interval in intervals {
    ordered += before.count(below: latests.firstIndex(notBelow: interval.earliest))
    before.add(latests.firstIndex(notBelow: interval.latest))
  }
  // The same from the end: those after it in the list that were certainly earlier.
  before = RankCounts(count)
  for interval in intervals.reversed() {
    reversed += before.count(below: latests.firstIndex(notBelow: interval.earliest))
    before.add(latests.firstIndex(notBelow: interval.latest))
  }
  pairs.ordered = ordered
  pairs.reversed = reversed
  pairs.undecided = UInt64(count) * UInt64(count - 1) / 2 - ordered - reversed
  return pairs
}

/// Counts pairs that time alone decides among those that a prefix of the list makes: for each `query`, an
/// interval against the first `prefixCount` of `intervals`. O((n + q) log n), any order of queries.
public func countPairs(
  _ intervals: [TimeInterval], against queries: [(interval: TimeInterval, prefixCount: Int)]
) -> IntervalPairs {
  var pairs = IntervalPairs()
  let latests = intervals.map(\.latest).sorted()
  let earliests = intervals.map(\.earliest).sorted()
  var (byLatest, byEarliest) = (RankCounts(intervals.count), RankCounts(intervals.count))
  var taken = 0
  for query in queries.sorted(by: { $0.prefixCount < $1.prefixCount }) {
    while taken < query.prefixCount {
      byLatest.add(latests.firstIndex(notBelow: intervals[taken].latest))
      byEarliest.add(earliests.firstIndex(notBelow: intervals[taken].earliest))
      taken += 1
    }
    let ordered = byLatest.count(below: latests.firstIndex(notBelow: query.interval.earliest))
    let reversed =
      UInt64(taken)
      - byEarliest.count(below: earliests.firstIndex(above: query.interval.latest))
    pairs.ordered += ordered
    pairs.reversed += reversed
    pairs.undecided += UInt64(taken) - ordered - reversed
  }
  return pairs
}

/// How many other intervals each one touches, in O(n log n) time.
public func overlapCounts(_ intervals: [TimeInterval]) -> [Int] {
  let earliests = intervals.map(\.earliest).sorted()
  let latests = intervals.map(\.latest).sorted()
  return intervals.map { interval in
    // Those that have begun by its end, less those that ended before it began, less itself.
    earliests.firstIndex(above: interval.latest) - latests.firstIndex(notBelow: interval.earliest)
      - 1
  }
}

extension [Int64] {
  /// The first place of a sorted list whose value is at least `value`.
  fileprivate func firstIndex(notBelow value: Int64) -> Int { partition { $0 >= value } }

  /// The first place of a sorted list whose value is above `value`.
  fileprivate func firstIndex(above value: Int64) -> Int { partition { $0 > value } }

  private func partition(_ isBeyond: (Int64) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// Counts by rank, with sums over all lower ranks (Fenwick 1994).
private struct RankCounts {
  private var tree: [UInt32]

  init(_ count: Int) { tree = [UInt32](repeating: 0, count: count + 1) }

  mutating func add(_ rank: Int) {
    var place = rank + 1
    while place < tree.count {
      tree[place] += 1
      place += place & -place
    }
  }

  func count(below rank: Int) -> UInt64 {
    var place = rank
    var sum: UInt64 = 0
    while place > 0 {
      sum += UInt64(tree[place])
      place -= place & -place
    }
    return sum
  }
}

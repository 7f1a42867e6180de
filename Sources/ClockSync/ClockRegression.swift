/// One point of a clock against the local monotonic clock.
package struct ClockPoint: Hashable, Sendable {
  /// When it was taken, monotonic nanoseconds.
  package var monotonic: Int64
  /// Clock − local monotonic clock, nanoseconds.
  package var offset: Int64
  /// The clock was within ± this of `offset` then, nanoseconds: a promise, not an estimate.
  package var error: Int64
  /// Round trip of the exchange, nanoseconds.
  package var delay: Int64
  /// Whether it is a lone spike, of which the estimate takes no notice (popcorn suppression).
  package var isSpike: Bool

  /// A point from its fields.
  package init(monotonic: Int64, offset: Int64, error: Int64, delay: Int64, isSpike: Bool = false) {
    self.monotonic = monotonic
    self.offset = offset
    self.error = error
    self.delay = delay
    self.isSpike = isSpike
  }
}

/// The most likely line through a clock's points: robust weighted least squares.
///
/// - A point's weight falls with the excess of its delay over the least (the queues it met); points far
///   from the line lose theirs (Tukey's biweight about 1.4826 × the median residual, three rounds).
/// - The rate starts from 0 ± 100 ppm as if that had been measured: two noisy points do not make one.
/// - While the signs of the residuals run longer than chance would have them (Wald–Wolfowitz, one-sided
///   5 %), the clock's rate has changed, and the oldest points are left out (as chrony does).
///
/// It estimates; it promises nothing. What is certain is ``ClockFit``'s interval.
package struct ClockRegression: Hashable, Sendable {
  /// Clock − local monotonic clock at the newest point, nanoseconds, relative to that point's own offset.
  package private(set) var offset = 0.0
  /// How fast the clock gains on the local monotonic clock, parts per billion.
  package private(set) var rate = 0.0
  /// Root mean square of the residuals by weight, nanoseconds.
  package private(set) var deviation = 0.0
  /// What the rate may well be off (standard deviation), parts per billion.
  package private(set) var rateDeviation = 0.0
  /// How many of the newest points it goes through.
  package private(set) var usedCount = 0

  private static let priorDeviation = 100_000.0
  private static let roundCount = 3
  private static let biweight = 4.685
  private static let runsCountMin = 8
  private static let floorNanoseconds = 500.0

  /// A point as the fit sees it: seconds and nanoseconds from the newest, and what it may be off.
  private struct Entry {
    var x: Double
    var y: Double
    var sigma: Double
    var weight: Double
    var residual = 0.0
  }

  /// The line through points in the order they were taken. Precondition: there is one.
  package init(_ points: some RandomAccessCollection<ClockPoint>) {
    var entries = Self.entries(points)
    while true {
      fit(entries[...])
      for place in entries.indices {
        entries[place].residual = entries[place].y - offset - rate * entries[place].x
      }
      guard entries.count > Self.runsCountMin, Self.hasTooFewRuns(entries) else { break }
      entries.removeFirst(max(1, entries.count / 8))
    }
    usedCount = entries.count
  }

  private static func entries(_ points: some RandomAccessCollection<ClockPoint>) -> [Entry] {
    guard let newest = points.last else { preconditionFailure("a line needs a point") }
    let calm = points.filter { !$0.isSpike }
    let used = calm.isEmpty ? [newest] : calm
    let least = used.map(\.delay).min() ?? 0
    let excesses = used.map { Double($0.delay - least) / 2 }
    let floor = max(floorNanoseconds, excesses.sorted()[excesses.count / 2] / 4)
    return zip(used, excesses).map { point, excess in
      let sigma = floor + excess
      return Entry(
        x: Double(point.monotonic - newest.monotonic) * 1e-9,
        y: Double(point.offset - newest.offset), sigma: sigma, weight: 1 / (sigma * sigma))
    }
  }

  private mutating func fit(_ all: ArraySlice<Entry>) {
    var entries = all
    for round in 0...Self.roundCount {
      solve(entries)
      guard round < Self.roundCount, entries.count > 2 else { break }
      let misses = entries.map { abs($0.y - offset - rate * $0.x) / $0.sigma }
      let scale = max(1, 1.4826 * misses.sorted()[misses.count / 2])
      for (place, miss) in zip(entries.indices, misses) {
        let u = miss / (Self.biweight * scale)
        let robust = u < 1 ? (1 - u * u) * (1 - u * u) : 0
        entries[place].weight = robust / (entries[place].sigma * entries[place].sigma)
      }
    }
  }

  /// Weighted least squares with the prior on the rate.
  private mutating func solve(_ entries: ArraySlice<Entry>) {
    var (w, wx, wxx, wy, wxy) = (
      0.0, 0.0, 1 / (Self.priorDeviation * Self.priorDeviation), 0.0, 0.0
    )
    for entry in entries {
      w += entry.weight
      wx += entry.weight * entry.x
      wxx += entry.weight * entry.x * entry.x
      wy += entry.weight * entry.y
      wxy += entry.weight * entry.x * entry.y
    }
    let determinant = w * wxx - wx * wx
    rate = (w * wxy - wx * wy) / determinant
    offset = (wxx * wy - wx * wxy) / determinant
    var squares = 0.0
    for entry in entries {
      let miss = entry.y - offset - rate * entry.x
      squares += entry.weight * miss * miss
    }
    deviation = (squares / w).squareRoot()
    // The weights are estimates themselves: residuals that are larger than they say widen it.
    let excess = max(1, squares / Double(max(entries.count - 2, 1)))
    rateDeviation = (excess * w / determinant).squareRoot()
  }

  private static func hasTooFewRuns(_ entries: [Entry]) -> Bool {
    let signs = entries.map { $0.residual >= 0 }
    let runs = 1 + zip(signs, signs.dropFirst()).count { $0 != $1 }
    let above = Double(signs.count { $0 })
    let below = Double(signs.count) - above
    let mean = 2 * above * below / (above + below) + 1
    let variance = (mean - 1) * (mean - 2) / (above + below - 1)
    return variance > 0 && Double(runs) < mean - 1.645 * variance.squareRoot()
  }
}

package import HybridTime

/// What became of a source in the last estimate, and why.
package enum ClockVerdict: Hashable, Sendable {
  /// It decides the corrected time.
  case selected
  /// A time source whose interval misses, by this much, the one that a majority agrees on.
  case falseticker(awayNanoseconds: Int64)
  /// A member whose clock misses, by this much, the interval of the cluster's median. It still
  /// has its voice in the median.
  case outlier(awayNanoseconds: Int64)
  /// The time sources' intervals have no majority; the largest group is this large.
  case noMajority(largest: Int, of: Int)
  /// A time source that is right, but farther from the others than their own noise explains: it counts
  /// for the bound, not for the mean.
  case notCombined(awayNanoseconds: Int64)
  /// A good source that is not needed: time servers decide.
  case superseded
  /// Too few members are heard for the median to mean the cluster's.
  case noQuorum(heard: Int, of: Int)
  /// Not heard for this long.
  case stale(nanoseconds: Int64)
  /// Never heard since the start or the last disruption.
  case unheard
  /// It asked not to be polled any more.
  case refused(KissCode)
  /// Waiting for the other sources' first answers.
  case settling
}

/// A source's clock now, as an interval about an offset to the local monotonic clock.
package struct ClockCandidate: Hashable, Sendable {
  /// Whose clock.
  package var source: ClockSource
  /// Clock − local monotonic clock, nanoseconds.
  package var offsetNanoseconds: Int64
  /// ± about the offset, nanoseconds. Invariant: not negative.
  package var errorNanoseconds: Int64
  /// How fast the clock gains on the local monotonic clock, parts per billion.
  package var ratePartsPerBillion: Int64
  /// ± about the rate, parts per billion. Invariant: not negative.
  package var rateErrorPartsPerBillion: Int64
  /// How far its samples lie from its line, nanoseconds.
  package var jitterNanoseconds: Int64

  /// A candidate from its fields.
  package init(
    source: ClockSource, offsetNanoseconds: Int64, errorNanoseconds: Int64,
    ratePartsPerBillion: Int64 = 0, rateErrorPartsPerBillion: Int64 = 0,
    jitterNanoseconds: Int64 = 0
  ) {
    self.source = source
    self.offsetNanoseconds = offsetNanoseconds
    self.errorNanoseconds = errorNanoseconds
    self.ratePartsPerBillion = ratePartsPerBillion
    self.rateErrorPartsPerBillion = rateErrorPartsPerBillion
    self.jitterNanoseconds = jitterNanoseconds
  }

  var low: Int64 { offsetNanoseconds - errorNanoseconds }
  var high: Int64 { offsetNanoseconds + errorNanoseconds }
  fileprivate var interval: ClockInterval { ClockInterval(low: low, high: high) }
  fileprivate var rates: ClockInterval {
    ClockInterval(
      low: ratePartsPerBillion - rateErrorPartsPerBillion,
      high: ratePartsPerBillion + rateErrorPartsPerBillion)
  }

  /// How far the interval is from `low...high`; 0 when they touch.
  func distance(fromLow low: Int64, high: Int64) -> Int64 {
    max(self.low - high, low - self.high, 0)
  }
}

/// Where an offset or a rate may lie.
private struct ClockInterval {
  var low: Int64
  var high: Int64

  func reach(from value: Int64) -> Int64 { max(high - value, value - low, 0) }
}

/// The time that a set of sources agrees on.
package struct ClockAgreement: Hashable, Sendable {
  /// What kind of time it is.
  package var reference: ClockReference
  /// That time − local monotonic clock, nanoseconds.
  package var offsetNanoseconds: Int64
  /// ± about the offset, nanoseconds, now.
  package var boundNanoseconds: Int64
  /// How fast that time gains on the local monotonic clock, parts per billion.
  package var ratePartsPerBillion: Int64 = 0
  /// ± about the rate: how fast the bound grows, parts per billion.
  package var rateErrorPartsPerBillion: Int64 = 0
  /// The sources that decide it, in order.
  package var chosen: [ClockSource]
}

/// How the clocks of time servers and members become one time: pure functions.
///
/// With time servers: intersection of intervals. Without: **the median of all members' system
/// clocks, this node's among them.** Every node computes that from the same set of clocks, so all
/// nodes get the same time. (The system before this one averaged the *other* nodes' clocks on
/// each node: a different set on each, so its clocks settled on a spread and never agreed.)
package enum ClockEnsemble {
  /// What was agreed, if anything, and what it means for each source.
  package struct Outcome: Hashable, Sendable {
    /// `nil` when the candidates cannot agree.
    package var agreement: ClockAgreement?
    /// One for each candidate, in the candidates' order.
    package var verdicts: [ClockVerdict]
  }

  /// Fewest sources that the cluster algorithm leaves (RFC 5905 §11.2.2, NMIN).
  private static let combinedCountMin = 3

  /// The intersection that a majority of time sources share (Marzullo; RFC 5905 §11.2.1).
  ///
  /// Let k be the largest number of intervals that share a point, and [low, high] reach over all
  /// points that k of them share. If no more than n − k sources are false, true time is such a
  /// point. Deviation from the RFC: midpoints may lie outside, since an interval is right or
  /// wrong as a whole. The time is the mean of the survivors weighted by 1/error (RFC 5905 §11.2.3), of
  /// those that ``combined(_:)`` leaves, clipped into [low, high]; the bound reaches from it to the
  /// further end. The rate is their mean, and its error what all survivors' rates have in common.
  package static func intersect(_ candidates: [ClockCandidate]) -> Outcome {
    let (shared, count) = largestIntersection(candidates.map(\.interval))
    guard count * 2 > candidates.count else {
      let verdict = ClockVerdict.noMajority(largest: count, of: candidates.count)
      return Outcome(agreement: nil, verdicts: candidates.map { _ in verdict })
    }
    let survivors = candidates.filter { $0.distance(fromLow: shared.low, high: shared.high) == 0 }
    let combined = combined(survivors)
    let mean = weightedMean(combined, from: shared.low, \.offsetNanoseconds, \.errorNanoseconds)
    let offset = min(max(mean, shared.low), shared.high)
    let rate = weightedMean(combined, from: 0, \.ratePartsPerBillion, \.rateErrorPartsPerBillion)
    let rates = largestIntersection(survivors.map(\.rates)).interval
    return Outcome(
      agreement: ClockAgreement(
        reference: .external, offsetNanoseconds: offset,
        boundNanoseconds: shared.reach(from: offset),
        ratePartsPerBillion: rate, rateErrorPartsPerBillion: rates.reach(from: rate),
        chosen: survivors.map(\.source).sorted()),
      verdicts: candidates.map { candidate in
        let away = candidate.distance(fromLow: shared.low, high: shared.high)
        if away > 0 { return .falseticker(awayNanoseconds: away) }
        return combined.contains { $0.source == candidate.source }
          ? .selected
          : .notCombined(
            awayNanoseconds: Int64(clamping: (candidate.offsetNanoseconds - offset).magnitude))
      })
  }

  /// The cluster algorithm (RFC 5905 §11.2.2): while more than three are left and one is farther from the
  /// others than the quietest source's own noise, it is left out of the mean.
  private static func combined(_ survivors: [ClockCandidate]) -> [ClockCandidate] {
    var left = survivors
    while left.count > combinedCountMin {
      let distances = left.map { one in
        left.reduce(0.0) { sum, other in
          let apart = Double(one.offsetNanoseconds - other.offsetNanoseconds)
          return sum + apart * apart
        } / Double(left.count - 1)
      }
      let noise = left.map { Double($0.jitterNanoseconds) }.min() ?? 0
      guard let place = distances.indices.max(by: { distances[$0] < distances[$1] }),
        distances[place] > noise * noise
      else { break }
      left.remove(at: place)
    }
    return left
  }

  /// The median of the members' clocks, with the mean of the two middle ones for an even number.
  ///
  /// The median never falls when one clock rises, so the true clocks' median lies between the
  /// median of the intervals' low ends and that of their high ends. That is never wider than the
  /// largest error among them, and a wild clock far from the middle does not widen it. The median runs
  /// on at the rate of whichever clock is in the middle, and in a long holdover that may be any: the error
  /// of its rate takes in those of all.
  /// `memberCount` is of the configured cluster: a minority's median is not the cluster's.
  package static func median(_ candidates: [ClockCandidate], memberCount: Int) -> Outcome {
    guard memberCount > 1, candidates.count * 2 > memberCount else {
      let verdict = ClockVerdict.noQuorum(heard: candidates.count, of: memberCount)
      return Outcome(agreement: nil, verdicts: candidates.map { _ in verdict })
    }
    let offset = median(of: candidates.map(\.offsetNanoseconds))
    let low = median(of: candidates.map(\.low))
    let high = median(of: candidates.map(\.high))
    let near = candidates.filter { $0.distance(fromLow: low, high: high) == 0 }
    let rate = median(of: (near.isEmpty ? candidates : near).map(\.ratePartsPerBillion))
    return Outcome(
      agreement: ClockAgreement(
        reference: .cluster, offsetNanoseconds: offset,
        // 1 ns: the mean of two middle ones is cut to a whole nanosecond.
        boundNanoseconds: max(high - offset, offset - low) + 1, ratePartsPerBillion: rate,
        rateErrorPartsPerBillion: candidates.map { $0.rates.reach(from: rate) }.max() ?? 0,
        chosen: candidates.map(\.source).sorted()),
      verdicts: candidates.map {
        let away = $0.distance(fromLow: low, high: high)
        return away == 0 ? .selected : .outlier(awayNanoseconds: away)
      })
  }

  /// The median; the mean of the two middle ones for an even number. Not empty.
  static func median(of values: [Int64]) -> Int64 {
    let sorted = values.sorted()
    let upper = sorted[sorted.count / 2]
    let lower = sorted[(sorted.count - 1) / 2]
    return lower + (upper - lower) / 2
  }

  /// The hull of all points that the largest number of intervals share, and that number.
  private static func largestIntersection(
    _ intervals: [ClockInterval]
  ) -> (interval: ClockInterval, count: Int) {
    let lows = intervals.map(\.low).sorted()
    let highs = intervals.map(\.high).sorted()
    var best = (interval: ClockInterval(low: .min, high: .max), count: 0)
    var ended = 0
    for (index, low) in lows.enumerated() {
      // Intervals that end before this one begins; an end that touches still counts as open.
      while ended < highs.count, highs[ended] < low { ended += 1 }
      let open = index + 1 - ended
      // Where intervals begin and none ends before the next end, that end closes the region.
      if open > best.count {
        best = (ClockInterval(low: low, high: highs[ended]), open)
      } else if open == best.count {
        best.interval.high = highs[ended]
      }
    }
    return best
  }

  /// The mean of a value weighted by 1/error, computed from `origin` in integers.
  private static func weightedMean(
    _ survivors: [ClockCandidate], from origin: Int64,
    _ value: KeyPath<ClockCandidate, Int64>, _ error: KeyPath<ClockCandidate, Int64>
  ) -> Int64 {
    let widest = Int128(survivors.map { $0[keyPath: error] }.max() ?? 0) + 1
    var weights: Int128 = 0
    var sum: Int128 = 0
    for survivor in survivors {
      let weight = widest * 1024 / (Int128(survivor[keyPath: error]) + 1)
      weights += weight
      sum += weight * Int128(survivor[keyPath: value] - origin)
    }
    return weights == 0 ? origin : origin + Int64(clamping: sum / weights)
  }
}

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

  /// A candidate from its fields.
  package init(source: ClockSource, offsetNanoseconds: Int64, errorNanoseconds: Int64) {
    self.source = source
    self.offsetNanoseconds = offsetNanoseconds
    self.errorNanoseconds = errorNanoseconds
  }

  var low: Int64 { offsetNanoseconds - errorNanoseconds }
  var high: Int64 { offsetNanoseconds + errorNanoseconds }

  /// How far the interval is from `low...high`; 0 when they touch.
  func distance(fromLow low: Int64, high: Int64) -> Int64 {
    max(self.low - high, low - self.high, 0)
  }
}

/// The time that a set of sources agrees on.
package struct ClockAgreement: Hashable, Sendable {
  /// What kind of time it is.
  package var reference: ClockReference
  /// That time − local monotonic clock, nanoseconds.
  package var offsetNanoseconds: Int64
  /// ± about the offset, nanoseconds, now.
  package var boundNanoseconds: Int64
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

  /// The intersection that a majority of time sources share (Marzullo; RFC 5905 §11.2.1).
  ///
  /// Let k be the largest number of intervals that share a point, and [low, high] reach over all
  /// points that k of them share. If no more than n − k sources are false, true time is such a
  /// point. Deviation from the RFC: midpoints may lie outside, since an interval is right or
  /// wrong as a whole. The time is the mean of the survivors weighted by
  /// 1/error, clipped into [low, high]; the bound reaches from it to the further end.
  package static func intersect(_ candidates: [ClockCandidate]) -> Outcome {
    let (low, high, count) = largestIntersection(candidates)
    guard count * 2 > candidates.count else {
      let verdict = ClockVerdict.noMajority(largest: count, of: candidates.count)
      return Outcome(agreement: nil, verdicts: candidates.map { _ in verdict })
    }
    let survivors = candidates.filter { $0.distance(fromLow: low, high: high) == 0 }
    let offset = min(max(weightedMean(survivors, from: low), low), high)
    return Outcome(
      agreement: ClockAgreement(
        reference: .external, offsetNanoseconds: offset,
        boundNanoseconds: max(high - offset, offset - low),
        chosen: survivors.map(\.source).sorted()),
      verdicts: candidates.map {
        let away = $0.distance(fromLow: low, high: high)
        return away == 0 ? .selected : .falseticker(awayNanoseconds: away)
      })
  }

  /// The median of the members' clocks, with the mean of the two middle ones for an even number.
  ///
  /// The median never falls when one clock rises, so the true clocks' median lies between the
  /// median of the intervals' low ends and that of their high ends. That is never wider than the
  /// largest error among them, and a wild clock far from the middle does not widen it.
  /// `memberCount` is of the configured cluster: a minority's median is not the cluster's.
  package static func median(_ candidates: [ClockCandidate], memberCount: Int) -> Outcome {
    guard memberCount > 1, candidates.count * 2 > memberCount else {
      let verdict = ClockVerdict.noQuorum(heard: candidates.count, of: memberCount)
      return Outcome(agreement: nil, verdicts: candidates.map { _ in verdict })
    }
    let offset = median(of: candidates.map(\.offsetNanoseconds))
    let low = median(of: candidates.map(\.low))
    let high = median(of: candidates.map(\.high))
    return Outcome(
      agreement: ClockAgreement(
        reference: .cluster, offsetNanoseconds: offset,
        // 1 ns: the mean of two middle ones is cut to a whole nanosecond.
        boundNanoseconds: max(high - offset, offset - low) + 1,
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
    _ candidates: [ClockCandidate]
  ) -> (low: Int64, high: Int64, count: Int) {
    let lows = candidates.map(\.low).sorted()
    let highs = candidates.map(\.high).sorted()
    var best = (low: Int64.min, high: Int64.max, count: 0)
    var ended = 0
    for (index, low) in lows.enumerated() {
      // Intervals that end before this one begins; an end that touches still counts as open.
      while ended < highs.count, highs[ended] < low { ended += 1 }
      let open = index + 1 - ended
      // Where intervals begin and none ends before the next end, that end closes the region.
      if open > best.count {
        best = (low, highs[ended], open)
      } else if open == best.count {
        best.high = highs[ended]
      }
    }
    return best
  }

  /// Mean offset weighted by 1/error, computed from `origin` in integers.
  private static func weightedMean(_ survivors: [ClockCandidate], from origin: Int64) -> Int64 {
    let widest = Int128(survivors.map(\.errorNanoseconds).max() ?? 0) + 1
    var weights: Int128 = 0
    var sum: Int128 = 0
    for survivor in survivors {
      let weight = widest * 1024 / (Int128(survivor.errorNanoseconds) + 1)
      weights += weight
      sum += weight * Int128(survivor.offsetNanoseconds - origin)
    }
    return weights == 0 ? origin : origin + Int64(clamping: sum / weights)
  }
}

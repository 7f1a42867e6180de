/// Where true time was, as a node's monotonic clock goes, by time sources' answers from before and after.
///
/// A clock at work knows the past only. Whoever looks back has, for any time, a ``ClockFit`` of the answers
/// up to it and one of the answers from it on, the same with time running backwards; true time lies in both. In
/// a gap between answers that is narrow at both ends and widest in the middle, where the node's own bound
/// grew to the end. The assumptions are those of ``ClockFit``; several sources are intersected as
/// ``ClockEnsemble`` does.
package struct ClockHindsight: Sendable {
  /// True time − monotonic clock, nanoseconds: certainly between both ends.
  package struct Interval: Hashable, Sendable {
    /// No less.
    package let low: Int64
    /// No more. Invariant: not below `low`.
    package let high: Int64
  }

  /// Most answers that one fit is of.
  private static let pointCountMax = 64

  private struct Source {
    let source: ClockSource
    /// Ascending.
    let times: [Int64]
    /// By the answers up to each, and from each on.
    let before: [ClockFit]
    let after: [ClockFit]

    init(_ source: ClockSource, _ points: [ClockPoint], _ limits: ClockFit.Limits) {
      self.source = source
      times = points.map(\.monotonic)
      before = points.indices.map {
        ClockFit(points[max(0, $0 + 1 - ClockHindsight.pointCountMax)...$0], limits)
      }
      let mirrored = points.reversed().map { point in
        var point = point
        point.monotonic = 0 &- point.monotonic
        return point
      }
      after = mirrored.indices.map {
        ClockFit(mirrored[max(0, $0 + 1 - ClockHindsight.pointCountMax)...$0], limits)
      }.reversed()
    }

    /// Nil where what came before and after contradict each other.
    func interval(atMonotonic now: Int64) -> Interval? {
      var (low, high) = (Int64.min, Int64.max)
      let place = countUp(to: now)
      func confine(_ estimate: ClockEstimate) {
        low = max(low, estimate.offsetNanoseconds - estimate.errorNanoseconds)
        high = min(high, estimate.offsetNanoseconds + estimate.errorNanoseconds)
      }
      if place > 0 { confine(before[place - 1].estimate(atMonotonic: now)) }
      if place < after.count { confine(after[place].estimate(atMonotonic: 0 &- now)) }
      return low <= high ? Interval(low: low, high: high) : nil
    }

    /// How many answers came up to `now`.
    private func countUp(to now: Int64) -> Int {
      var (low, high) = (0, times.count)
      while low < high {
        let middle = (low + high) / 2
        if times[middle] <= now { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }

  private let sources: [Source]

  /// How many answers it rests on.
  package var pointCount: Int { sources.reduce(0) { $0 + $1.times.count } }

  /// Sources' answers while one monotonic clock ran, each source's ascending in time: true time − that
  /// clock, with certain errors. `rateMax` and `wander` as in ``ClockFit/Limits``, parts per billion.
  package init(
    _ points: [ClockSource: [ClockPoint]], rateMax: Int64 = 500_000, wander: Int64 = 15_000
  ) {
    let limits = ClockFit.Limits(rateMax: rateMax, wander: wander)
    sources = points.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      Source($0.key, $0.value, limits)
    }
  }

  /// Where true time was at a monotonic time; nil where a majority of sources does not agree.
  package func interval(atMonotonic now: Int64) -> Interval? {
    let candidates = sources.compactMap { source in
      source.interval(atMonotonic: now).map { (source.source, $0) }
    }
    // One that contradicts itself has no voice, and still counts among all.
    guard candidates.count * 2 > sources.count else { return nil }
    guard candidates.count > 1 else { return candidates.first?.1 }
    let outcome = ClockEnsemble.intersect(
      candidates.map { source, interval in
        // Rounded up: an odd width has no middle.
        let error = (interval.high - interval.low + 1) / 2
        return ClockCandidate(
          source: source, offsetNanoseconds: interval.low + error, errorNanoseconds: error)
      })
    guard let agreement = outcome.agreement, agreement.chosen.count * 2 > sources.count else {
      return nil
    }
    return Interval(
      low: agreement.offsetNanoseconds - agreement.boundNanoseconds,
      high: agreement.offsetNanoseconds + agreement.boundNanoseconds)
  }
}

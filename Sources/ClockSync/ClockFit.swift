/// Where points are counted from: seconds and nanoseconds, small enough for a Double.
private struct ClockPointOrigin {
  let monotonic: Int64
  let offset: Int64

  func place(_ point: ClockPoint) -> (x: Double, low: Double, high: Double) {
    let y = Double(point.offset - offset)
    let error = Double(point.error)
    return (Double(point.monotonic - monotonic) * 1e-9, y - error, y + error)
  }
}

/// The upper hull (`sign` 1) or the lower one (−1) of points that come from right to left: which of them a
/// point at their left sees under the steepest slope, times `sign` (Andrew's monotone chain, 1979).
struct SlopeHull {
  private let sign: Double
  /// From right to left; y times `sign`.
  private var vertices: [(x: Double, y: Double)] = []

  init(sign: Double) { self.sign = sign }

  /// Adds a point at the left of all others. One at the place of the last is left out.
  mutating func append(x: Double, y: Double) {
    let point = (x: x, y: y * sign)
    if let last = vertices.last, last.x <= x { return }
    while vertices.count >= 2,
      Self.slope(point, vertices[vertices.count - 2])
        >= Self.slope(point, vertices[vertices.count - 1])
    {
      vertices.removeLast()
    }
    vertices.append(point)
  }

  /// The steepest slope upward (`sign` 1) or the least steep (−1) from a point at the left of all others;
  /// nil without one at its right.
  func steepest(fromX x: Double, y: Double) -> Double? {
    let point = (x: x, y: y * sign)
    var best: Double?
    for vertex in vertices.reversed() where vertex.x > x {
      let slope = Self.slope(point, vertex)
      if let best, slope <= best { break }
      best = slope
    }
    return best.map { $0 * sign }
  }

  private static func slope(_ left: (x: Double, y: Double), _ right: (x: Double, y: Double))
    -> Double
  {
    (right.y - left.y) / (right.x - left.x)
  }
}

/// A clock as a line over the local monotonic clock: the likely one, and the interval that it is in.
///
/// The interval rests on two assumptions, and on nothing that is merely likely:
/// 1. each point's clock was within its ± error;
/// 2. the rate between the two clocks is at most ``Limits/rateMax``, and while the points were taken and
///    are extrapolated it differs from itself by at most ``Limits/wander``.
///
/// From 1 any two points confine the mean rate between them; by 2 the rate at any time is within the
/// wander of that, so it lies in the intersection over all pairs. From each point a cone of those rates
/// reaches to any later time; true offset lies in all of them.
package struct ClockFit: Hashable, Sendable {
  /// What rates are possible, parts per billion.
  package struct Limits: Hashable, Sendable {
    /// The most that the two clocks' rates may differ.
    package var rateMax: Int64
    /// The most that this difference changes between any two times that the points are about.
    package var wander: Int64

    /// Limits from their fields.
    package init(rateMax: Int64, wander: Int64) {
      self.rateMax = rateMax
      self.wander = wander
    }
  }

  /// The newest point's time, monotonic nanoseconds.
  package private(set) var monotonic: Int64
  /// Its round trip, nanoseconds.
  package private(set) var delay: Int64
  /// The likely offset at `monotonic`. Invariant: within `low...high`.
  package private(set) var offset: Int64
  /// The likely rate, parts per billion. Invariant: within `rateLow...rateHigh`.
  package private(set) var rate: Int64
  /// The certain interval of the offset at `monotonic`.
  package private(set) var low: Int64
  /// Its upper end.
  package private(set) var high: Int64
  /// The certain interval of the rate, parts per billion.
  package private(set) var rateLow: Int64
  /// Its upper end.
  package private(set) var rateHigh: Int64
  /// How far points lie from the line, nanoseconds (root mean square by weight).
  package private(set) var deviation: Int64
  /// What the likely rate may well be off (standard deviation), parts per billion.
  package private(set) var rateDeviation: Int64 = 0
  /// How many points agree with each other, from the newest back.
  package private(set) var consistentCount: Int
  /// How many of them the likely line goes through.
  package private(set) var usedCount: Int

  /// The fit of points in the order they were taken, from the newest back as far as they agree.
  /// Precondition: there is one.
  package init(_ points: some RandomAccessCollection<ClockPoint>, _ limits: Limits) {
    guard let newest = points.last else { preconditionFailure("a fit needs a point") }
    (rateLow, rateHigh) = (-limits.rateMax, limits.rateMax)
    monotonic = newest.monotonic
    delay = newest.delay
    (low, high) = (newest.offset - newest.error, newest.offset + newest.error)
    (offset, rate, deviation, consistentCount, usedCount) = (newest.offset, 0, 0, 1, 1)
    var agreeing = confine(points, limits)
    while !intersect(agreeing) {
      // What the older ones confined is not to be trusted either. One point always agrees with itself.
      (rateLow, rateHigh) = (-limits.rateMax, limits.rateMax)
      agreeing = confine(agreeing.suffix(max(1, agreeing.count / 2)), limits)
    }
    consistentCount = agreeing.count
    estimate(agreeing)
  }

  /// ± about the likely rate, parts per billion: as far as the certain interval reaches.
  package var rateError: Int64 { max(rateHigh - rate, rate - rateLow) }

  /// Where the clock is at a monotonic time, not before the newest point's.
  package func estimate(atMonotonic now: Int64) -> ClockEstimate {
    let age = max(now - monotonic, 0)
    let (low, high) = (
      low + PartsPerBillion.truncated(age, rate: rateLow) - 1,
      high + PartsPerBillion.truncated(age, rate: rateHigh) + 1
    )
    let offset = min(max(offset + PartsPerBillion.truncated(age, rate: rate), low), high)
    return ClockEstimate(
      offsetNanoseconds: offset, errorNanoseconds: max(high - offset, offset - low),
      ratePartsPerBillion: rate, rateErrorPartsPerBillion: rateError,
      delayNanoseconds: delay, monotonicNanoseconds: monotonic)
  }

  /// Confines the rate, point by point from the newest back, until one does not agree with those after it.
  ///
  /// The steepest rise that a point and any later one allow is that to the hull of the later ones' low
  /// ends, and the least steep that to the hull of their high ends: n log n instead of all pairs.
  private mutating func confine<Points: RandomAccessCollection<ClockPoint>>(
    _ points: Points, _ limits: Limits
  ) -> [ClockPoint] {
    let (from, wander) = (
      ClockPointOrigin(monotonic: monotonic, offset: offset), Double(limits.wander)
    )
    var agreeing: [ClockPoint] = []
    agreeing.reserveCapacity(points.count)
    var (lows, highs) = (SlopeHull(sign: 1), SlopeHull(sign: -1))
    for point in points.reversed() {
      let (x, low, high) = from.place(point)
      // The mean rate since is at least `least` by one later point, at most `most` by another.
      let least = (lows.steepest(fromX: x, y: high) ?? -.infinity) - 1
      let most = (highs.steepest(fromX: x, y: low) ?? .infinity) + 1
      let (rateFrom, rateTo) = (
        max(Double(rateLow), least - wander), min(Double(rateHigh), most + wander)
      )
      guard rateFrom <= rateTo, most >= rateFrom, least <= rateTo else { break }
      (rateLow, rateHigh) = (Int64(rateFrom.rounded(.down)), Int64(rateTo.rounded(.up)))
      agreeing.append(point)
      lows.append(x: x, y: low)
      highs.append(x: x, y: high)
    }
    return agreeing.reversed()
  }

  /// Whether the cones of all points share an offset at the newest one's time; if so it is taken.
  private mutating func intersect(_ points: [ClockPoint]) -> Bool {
    var (low, high) = (Int64.min, Int64.max)
    for point in points {
      let age = monotonic - point.monotonic
      low = max(low, point.offset - point.error + PartsPerBillion.truncated(age, rate: rateLow) - 1)
      high = min(
        high, point.offset + point.error + PartsPerBillion.truncated(age, rate: rateHigh) + 1)
    }
    guard low <= high else { return false }
    (self.low, self.high) = (low, high)
    return true
  }

  private mutating func estimate(_ points: [ClockPoint]) {
    let line = ClockRegression(points)
    let base = points.last?.offset ?? 0
    // Clamped before they become integers: a peer may claim anything.
    func integer(_ value: Double, _ low: Int64, _ high: Int64) -> Int64 {
      let clamped = min(max(value, Double(low)), Double(high))
      return clamped.isNaN ? low : min(max(Int64(exactly: clamped.rounded()) ?? low, low), high)
    }
    offset = base + integer(line.offset, low - base, high - base)
    rate = integer(line.rate, rateLow, rateHigh)
    deviation = integer(line.deviation, 0, ClockLimits.spanNanosecondsMax)
    rateDeviation = integer(line.rateDeviation, 0, PartsPerBillion.whole)
    usedCount = line.usedCount
  }
}

/// How fast the raw clock runs against corrected time: least squares over up to 64 estimates.
///
/// When full it keeps every other point and takes new ones half as often, until they are 16 s
/// apart: it knows something after seconds, and spans a quarter of an hour at last.
package struct ClockDrift: Hashable, Sendable {
  /// Most points in the fit.
  package static let pointCountMax = 64
  private static let pointCountMin = 4
  private static let spacingNanosecondsMin: Int64 = 250_000_000
  private static let spacingNanosecondsMax: Int64 = 16_000_000_000

  private struct Point: Hashable {
    /// Monotonic time, nanoseconds.
    var monotonic: Int64
    /// raw − the estimated time, nanoseconds.
    var ahead: Int64
  }

  private var points: [Point] = []
  private var spacing = spacingNanosecondsMin

  /// No points.
  package init() {}

  /// Takes note of how far raw was ahead of the estimated time at a monotonic time, nanoseconds.
  package mutating func record(aheadNanoseconds: Int64, atMonotonic now: Int64) {
    if let last = points.last, now - last.monotonic < spacing { return }
    if points.count == Self.pointCountMax { thin() }
    points.append(Point(monotonic: now, ahead: aheadNanoseconds))
  }

  /// Forgets all points: the raw clock was set, or the reference is another.
  package mutating func removeAll() { self = ClockDrift() }

  /// The raw clock's rate against estimated time, parts per billion, positive when it runs fast;
  /// `nil` with fewer than four points.
  package var partsPerBillion: Int64? {
    guard points.count >= Self.pointCountMin, let first = points.first else { return nil }
    let count = Double(points.count)
    var meanX = 0.0
    var meanY = 0.0
    for point in points {
      meanX += Double(point.monotonic - first.monotonic) / count
      meanY += Double(point.ahead - first.ahead) / count
    }
    var covariance = 0.0
    var variance = 0.0
    for point in points {
      let x = Double(point.monotonic - first.monotonic) - meanX
      covariance += x * (Double(point.ahead - first.ahead) - meanY)
      variance += x * x
    }
    guard variance > 0 else { return nil }
    return Int64(exactly: (covariance / variance * 1e9).rounded())
  }

  private mutating func thin() {
    if spacing >= Self.spacingNanosecondsMax {
      points.removeFirst()
    } else {
      points = points.enumerated().compactMap { $0.offset % 2 == 1 ? $0.element : nil }
      spacing *= 2
    }
  }
}

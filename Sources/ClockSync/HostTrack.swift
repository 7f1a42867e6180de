/// The host's system clock against its monotonic one, read together: a point every four seconds for a
/// minute.
struct HostTrack: Hashable, Sendable {
  /// Most points.
  private static let pointCountMax = 16
  private static let spacingNanoseconds: Int64 = 4_000_000_000
  /// Between the first points, so that a rate is known soon.
  private static let firstSpacingNanoseconds: Int64 = 250_000_000
  /// How far apart the two clocks may have been read, nanoseconds.
  private static let readingErrorNanoseconds: Int64 = 5_000
  /// Points before which the rate is not told.
  private static let pointCountMin = 4

  private let limits: ClockFit.Limits
  private var points: [ClockPoint] = []
  private var fit: ClockFit?

  init(_ limits: ClockFit.Limits) { self.limits = limits }

  /// Takes note of both clocks.
  mutating func record(rawNanoseconds raw: Int64, atMonotonic now: Int64) {
    let spacing =
      points.count < Self.pointCountMin ? Self.firstSpacingNanoseconds : Self.spacingNanoseconds
    if let last = points.last, now - last.monotonic < spacing { return }
    if points.count == Self.pointCountMax { points.removeFirst() }
    points.append(
      ClockPoint(
        monotonic: now, offset: raw - now, error: Self.readingErrorNanoseconds, delay: 0))
    let fit = ClockFit(points, limits)
    points.removeFirst(points.count - fit.consistentCount)
    self.fit = fit
  }

  /// Forgets everything: the system clock was set.
  mutating func removeAll() {
    points.removeAll(keepingCapacity: true)
    fit = nil
  }

  /// How fast the system clock gains on the monotonic one, parts per billion; `nil` with too few points.
  var ratePartsPerBillion: Int64? {
    points.count >= Self.pointCountMin ? fit?.rate : nil
  }

  /// The system clock as a member's: its offset is exact.
  func candidate(rawNanoseconds raw: Int64, atMonotonic now: Int64) -> ClockCandidate {
    ClockCandidate(
      source: .host, offsetNanoseconds: raw - now, errorNanoseconds: 0,
      ratePartsPerBillion: fit?.rate ?? 0,
      rateErrorPartsPerBillion: fit?.rateError ?? limits.rateMax)
  }
}

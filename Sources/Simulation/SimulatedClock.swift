package import NodeRuntime

/// The two clocks of one host, over the world's true time.
///
/// The monotonic clock runs at a rate of its own and never jumps. The system clock has a rate, an
/// error, steps either way, and may stand still.
package struct SimulatedClock: Sendable {
  /// True time at the world's start, nanoseconds since 1970.
  package static let worldStartNanoseconds: Int64 = 1_790_000_000_000_000_000

  private let monotonicStart: Int64
  private let monotonicDrift: Int64
  private let rawDrift: Int64
  /// The system clock at `anchor`.
  private var rawAtAnchor: Int64
  private var anchor: Int64 = 0
  private var isFrozen = false

  /// Clocks whose rates are off by so many parts per billion, the system clock by an offset, too.
  package init(
    monotonicStart: Int64, monotonicDrift: Int64, rawOffset: Int64, rawDrift: Int64
  ) {
    self.monotonicStart = monotonicStart
    self.monotonicDrift = monotonicDrift
    self.rawDrift = rawDrift
    rawAtAnchor = Self.worldStartNanoseconds + rawOffset
  }

  /// Both clocks at virtual time `now`, nanoseconds since the world's start.
  package func time(at now: Int64) -> HostTime {
    HostTime(
      rawNanoseconds: raw(at: now),
      monotonicNanoseconds: monotonicStart + now + Self.drift(monotonicDrift, over: now))
  }

  /// Somebody sets the system clock.
  package mutating func step(by amount: Int64, at now: Int64) {
    rawAtAnchor = raw(at: now) + amount
    anchor = now
  }

  /// The system clock stands still, or goes on from where it stood.
  package mutating func setFrozen(_ frozen: Bool, at now: Int64) {
    step(by: 0, at: now)
    isFrozen = frozen
  }

  /// Sets the system clock to within `limit` nanoseconds of true time, if it is not.
  package mutating func bringNear(_ limit: Int64, at now: Int64) {
    let error = raw(at: now) - Self.worldStartNanoseconds - now
    guard error.magnitude > UInt64(limit) else { return }
    step(by: (error > 0 ? limit : -limit) - error, at: now)
  }

  private func raw(at now: Int64) -> Int64 {
    isFrozen ? rawAtAnchor : rawAtAnchor + now - anchor + Self.drift(rawDrift, over: now - anchor)
  }

  /// Virtual time is below 2^40 and rates below 2^20: the product fits.
  private static func drift(_ partsPerBillion: Int64, over span: Int64) -> Int64 {
    span * partsPerBillion / 1_000_000_000
  }
}

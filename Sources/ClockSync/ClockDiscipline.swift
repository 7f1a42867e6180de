package import HybridTime

/// A stretch of monotonic time in which corrected time runs a little faster or slower.
struct ClockSlew: Hashable, Sendable {
  /// Monotonic start, nanoseconds.
  var start: Int64
  /// Monotonic end, nanoseconds; `.max` while none is known. Invariant: not before `start`.
  var end: Int64
  /// Parts per billion. Invariant: magnitude below 10^9, so that corrected time never runs back.
  var rate: Int64

  static var none: ClockSlew { ClockSlew(start: 0, end: 0, rate: 0) }

  /// What the slew has moved corrected time by at a monotonic time: exactly.
  @inline(__always) func moved(atMonotonic now: Int64) -> ExactNanoseconds {
    guard rate != 0 else { return ExactNanoseconds() }
    let span = min(max(now, start), end) - start
    return ExactNanoseconds(
      nanoseconds: span / PartsPerBillion.whole * rate, parts: span % PartsPerBillion.whole * rate)
  }
}

/// A span in nanoseconds and billionths of one, so that several slews add up without a rounding each:
/// rounded apart, two that both slow the clock down could make it run back by a nanosecond.
struct ExactNanoseconds: Hashable, Sendable {
  var nanoseconds: Int64 = 0
  /// Billionths. Invariant: the magnitude of a sum of four stays below 2^63, as rates are below 10^9.
  var parts: Int64 = 0

  @inline(__always) static func + (left: Self, right: Self) -> Self {
    ExactNanoseconds(
      nanoseconds: left.nanoseconds + right.nanoseconds, parts: left.parts + right.parts)
  }

  /// The same span with parts from 0 to below one nanosecond.
  @inline(__always) var normalized: Self {
    let whole = parts / PartsPerBillion.whole
    let rest = parts % PartsPerBillion.whole
    return rest < 0
      ? ExactNanoseconds(
        nanoseconds: nanoseconds + whole - 1, parts: rest + PartsPerBillion.whole)
      : ExactNanoseconds(nanoseconds: nanoseconds + whole, parts: rest)
  }
}

/// The corrected clock as a value: everything that a reading needs, pure and without allocation.
///
/// Corrected time is a line over the *monotonic* clock, at the rate that the sources show, with a slew on
/// it that leads it to the estimate; and, until a new plan takes effect, the old one. Setting the
/// system clock moves `correction`, never corrected time. The runtime publishes a new value
/// whenever ``NodeClock`` has made one; readers may hold an older one.
///
/// Monotonicity across publications: a new value equals the old one until
/// ``slewLeadNanoseconds`` after it was made, so readers of either see one line. HAZARD: a reader
/// that keeps a value, or a monotonic time it has read, for longer than that can be off by slew ×
/// the excess (1 µs per millisecond at 500 ppm); the hybrid clock above it keeps stamps monotone.
/// The one exception is the first synchronization, which may step either way.
package struct ClockDiscipline: Hashable, Sendable {
  /// How long after its making a new slew begins, nanoseconds.
  package static let slewLeadNanoseconds: Int64 = 10_000_000

  /// What is told where the sources do not say: a long way, but usable (RFC 5905 §7.3: 1 to 15).
  static let stratumUnknown: UInt8 = 10
  private static let stratumMax: UInt8 = 15

  /// Corrected − monotonic without the slews and drifts, nanoseconds.
  var offset: Int64
  /// What `offset` leaves off, billionths of a nanosecond.
  var offsetParts: Int64 = 0
  /// A slew that ends before ``current`` begins.
  var previous = ClockSlew.none
  /// The latest slew.
  var current = ClockSlew.none
  /// The rate before ``current`` begins.
  var previousDrift = ClockSlew.none
  /// The rate since: the sources' against the monotonic clock. It does not end.
  var drift = ClockSlew.none
  /// The estimated time − monotonic at `targetMonotonic`, nanoseconds: where the slews lead.
  var target: Int64
  /// The rate of the estimated time, parts per billion.
  var targetRate: Int64 = 0
  /// ± about the target when it was estimated, nanoseconds.
  var targetError: Int64
  /// When the target was estimated, monotonic nanoseconds.
  var targetMonotonic: Int64
  /// How fast the target's error grows, parts per billion.
  var errorGrowth: Int64
  /// Added to the bound while a disruption is not accounted for, nanoseconds.
  var disruptionAllowance: Int64 = 0
  /// raw − monotonic when this was made, nanoseconds: a jump from it is a step.
  var rawMinusMonotonic: Int64
  /// When this was made, monotonic nanoseconds: no newer one for long is a pause.
  var publishedMonotonic: Int64
  var stepThreshold: Int64
  var pauseThreshold: Int64
  var hostClockBound: Int64
  /// What the clock claims about itself.
  package internal(set) var status = ClockStatus.unsynchronized
  /// What the bound is measured against.
  package internal(set) var reference = ClockReference.local
  /// The clock-sync state's number.
  package internal(set) var epoch: UInt32
  /// Hops from a reference clock, where time sources decide: one more than the nearest of them.
  package internal(set) var stratum = ClockDiscipline.stratumUnknown
  /// Whether a time was ever agreed on since the start.
  package internal(set) var hasSynchronized = false
  /// Whether time servers of this node's own are among those that decide its time.
  package internal(set) var isDirect = false

  /// Corrected time at a monotonic time, nanoseconds since 1970. Never runs back.
  package func correctedNanoseconds(atMonotonic now: Int64) -> Int64 {
    let moved =
      ExactNanoseconds(nanoseconds: offset, parts: offsetParts)
      + previous.moved(atMonotonic: now) + previousDrift.moved(atMonotonic: now)
      + current.moved(atMonotonic: now) + drift.moved(atMonotonic: now)
    return now + moved.normalized.nanoseconds
  }

  /// The estimated time − monotonic at a monotonic time, nanoseconds: what corrected time is led to.
  func targetOffset(atMonotonic now: Int64) -> Int64 {
    target + PartsPerBillion.truncated(now - targetMonotonic, rate: targetRate)
  }

  /// When corrected time was last estimated, corrected nanoseconds since 1970.
  package var estimatedNanoseconds: Int64 {
    correctedNanoseconds(atMonotonic: targetMonotonic)
  }

  /// What the clock says, from a raw and a monotonic time that were read together.
  ///
  /// The bound is the estimate's error, grown since, plus what has not been slewed yet. With
  /// reference `.local` it is the configured bound of the host's clock plus the distance to it.
  /// A step or a pause that no newer value accounts for is seen here already and marked.
  /// HAZARD: a thread that is suspended between its two clock reads makes the correction (not
  /// corrected time) wrong by that long.
  package func reading(
    rawNanoseconds raw: Int64, monotonicNanoseconds now: Int64
  ) -> ClockReading {
    let corrected = correctedNanoseconds(atMonotonic: now)
    let jump = raw - now - rawMinusMonotonic
    let isStep = jump.magnitude > UInt64(stepThreshold)
    let isDisrupted = isStep || now - publishedMonotonic > pauseThreshold
    var bound: Int64
    if reference == .local {
      bound = hostClockBound + Int64(clamping: (corrected - raw).magnitude)
    } else {
      bound =
        targetError + Int64(clamping: (corrected - now - targetOffset(atMonotonic: now)).magnitude)
        + PartsPerBillion.roundedUp(now - targetMonotonic, rate: errorGrowth)
        + disruptionAllowance + (isStep ? max(jump, 0) : 0)
    }
    bound = min(bound, ClockLimits.spanNanosecondsMax)
    return ClockReading(
      rawNanoseconds: raw, correctionNanoseconds: corrected - raw, boundNanoseconds: bound,
      epoch: epoch, status: isDisrupted ? .disrupted : status, reference: reference)
  }

  /// The answer to a peer's request that came in at a raw and monotonic time and leaves now.
  ///
  /// The transmit time is the receive time carried on by the monotonic clock, so a step of the
  /// system clock in between cannot split the answer.
  package func answer(
    nonce: UInt64, receivedRawNanoseconds: Int64, receivedMonotonicNanoseconds: Int64,
    monotonicNanoseconds now: Int64
  ) -> PeerClockAnswer {
    let transmit = receivedRawNanoseconds + max(now - receivedMonotonicNanoseconds, 0)
    let reading = reading(rawNanoseconds: transmit, monotonicNanoseconds: now)
    return PeerClockAnswer(
      nonce: nonce, receiveNanoseconds: receivedRawNanoseconds, transmitNanoseconds: transmit,
      claim: PeerClockClaim(
        correctionNanoseconds: min(
          max(reading.correctionNanoseconds, -ClockLimits.spanNanosecondsMax),
          ClockLimits.spanNanosecondsMax),
        boundNanoseconds: reading.boundNanoseconds, status: reading.status,
        reference: reading.reference, isDirect: isDirect))
  }
}

extension ClockDiscipline {
  /// Takes the strata of the sources that decide; 0 for one that does not say.
  mutating func setStratum(of sources: [UInt8]) {
    let nearest = sources.filter { $0 > 0 }.min()
    stratum = nearest.map { min($0 + 1, Self.stratumMax) } ?? Self.stratumUnknown
  }

  /// Leads corrected time to a new estimate: at once the first time, by a slew later.
  mutating func steer(to agreement: ClockAgreement, slewRateMax: Int64, monotonic now: Int64) {
    target = agreement.offsetNanoseconds
    targetRate = agreement.ratePartsPerBillion
    targetError = agreement.boundNanoseconds
    targetMonotonic = now
    errorGrowth = agreement.rateErrorPartsPerBillion
    disruptionAllowance = 0
    if hasSynchronized {
      planSlew(rateMax: slewRateMax, monotonic: now)
    } else {
      (offset, offsetParts) = (target, 0)
      (previous, current, previousDrift) = (.none, .none, .none)
      drift = ClockSlew(start: now, end: .max, rate: targetRate)
      hasSynchronized = true
    }
  }

  /// Replaces rate and slew, from ``slewLeadNanoseconds`` on, by the target's rate and a slew that ends at
  /// the target.
  ///
  /// While the current one is younger than twice the lead it stays: its beginning must not
  /// change under a reader. The next poll plans again.
  private mutating func planSlew(rateMax: Int64, monotonic now: Int64) {
    let start = now + Self.slewLeadNanoseconds
    guard now - current.start >= Self.slewLeadNanoseconds else { return }
    let ended =
      (ExactNanoseconds(nanoseconds: offset, parts: offsetParts)
      + previous.moved(atMonotonic: .max) + previousDrift.moved(atMonotonic: .max)).normalized
    (offset, offsetParts) = (ended.nanoseconds, ended.parts)
    previous = current
    previous.end = min(previous.end, start)
    previousDrift = drift
    previousDrift.end = start
    drift = ClockSlew(start: start, end: .max, rate: targetRate)
    current = .none
    let reached = correctedNanoseconds(atMonotonic: start) - start
    let residual = targetOffset(atMonotonic: start) - reached
    let duration = PartsPerBillion.duration(of: residual, rate: rateMax)
    current = ClockSlew(
      start: start, end: start + duration, rate: residual < 0 ? -rateMax : rateMax)
  }
}

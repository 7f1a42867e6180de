/// Why four timestamps do not make a sample.
package enum ClockSampleRefusal: UInt8, Error, Hashable, Sendable, CaseIterable {
  /// A timestamp is outside ``ClockLimits``.
  case timeOutOfRange
  /// The answer was received before the request was sent: the caller mixed its clocks.
  case receivedBeforeSent
  /// The remote transmitted before it received: its clock was set back in between.
  case transmittedBeforeReceived
  /// The remote held the request for longer than the whole exchange took: its clock was set
  /// forward in between.
  case negativeDelay
  /// The exchange took longer than ``ClockSample/delayNanosecondsMax``.
  case delayTooLong
  /// The remote's own error is negative or larger than ``ClockSample/errorNanosecondsMax``.
  case errorOutOfRange
  /// A sample that was taken later has come in before.
  case outOfOrder
  /// The request left before a step or a pause of this node was seen.
  case beforeDisruption
}

/// One four-timestamp exchange with a source (RFC 5905 §8), against the local *monotonic* clock.
///
/// t1 and t4 are monotonic, so a system clock that is set between them is not taken for an
/// offset, and a sample stays true after the system clock is set: what it says is how far the
/// remote's clock is ahead of the monotonic clock. The local raw time is kept beside it.
package struct ClockSample: Hashable, Sendable {
  /// Longest exchange that says anything: RFC 5905's distance limit would be half of it.
  package static let delayNanosecondsMax: Int64 = 4_000_000_000
  /// RFC 5905's MAXDISP, 16 s: a remote with a larger error of its own is not usable.
  package static let errorNanosecondsMax: Int64 = 16_000_000_000
  /// How far below zero a delay may be and still count as 0: two clocks' resolution and rates.
  static let delaySlackNanoseconds: Int64 = 2_000

  /// Hops of the remote from a reference clock (RFC 5905 §7.3); 0 where it does not say.
  package let stratum: UInt8
  /// Monotonic time of the sending (t1), nanoseconds.
  package let sentMonotonicNanoseconds: Int64
  /// Monotonic time of the receipt (t4), nanoseconds: when the sample was taken.
  package let monotonicNanoseconds: Int64
  /// The local raw clock at the receipt, nanoseconds since 1970.
  package let rawNanoseconds: Int64
  /// Remote clock − local monotonic clock: ((t2 − t1) + (t3 − t4)) / 2, nanoseconds.
  package let offsetNanoseconds: Int64
  /// (t4 − t1) − (t3 − t2), nanoseconds. Invariant: not negative.
  package let delayNanoseconds: Int64
  /// The remote's own error at its transmission: a server's root delay / 2 + root dispersion +
  /// precision; 0 for a peer, whose raw time is what it is.
  package let remoteErrorNanoseconds: Int64
  /// What a peer claims beside its raw time; `nil` for a time server.
  package let claim: PeerClockClaim?

  /// A sample from the times of one exchange, nanoseconds: t1 and t4 on the local monotonic
  /// clock, t2 and t3 on the remote's.
  package init(
    sentMonotonicNanoseconds t1: Int64, receiveNanoseconds t2: Int64,
    transmitNanoseconds t3: Int64, monotonicNanoseconds t4: Int64, rawNanoseconds: Int64,
    remoteErrorNanoseconds: Int64 = 0, claim: PeerClockClaim? = nil, stratum: UInt8 = 0
  ) throws(ClockSampleRefusal) {
    guard ClockLimits.isTime(t1), ClockLimits.isTime(t2), ClockLimits.isTime(t3),
      ClockLimits.isTime(t4)
    else { throw .timeOutOfRange }
    guard t4 >= t1 else { throw .receivedBeforeSent }
    guard t3 >= t2 else { throw .transmittedBeforeReceived }
    guard t4 - t1 <= Self.delayNanosecondsMax else { throw .delayTooLong }
    let delay = (t4 - t1) - (t3 - t2)
    guard delay >= -Self.delaySlackNanoseconds else { throw .negativeDelay }
    guard remoteErrorNanoseconds >= 0, remoteErrorNanoseconds <= Self.errorNanosecondsMax,
      claim.map({ $0.boundNanoseconds >= 0 }) ?? true
    else { throw .errorOutOfRange }
    sentMonotonicNanoseconds = t1
    monotonicNanoseconds = t4
    self.rawNanoseconds = rawNanoseconds
    self.stratum = stratum
    let toRemote = t2 - t1
    offsetNanoseconds = toRemote + ((t3 - t4) - toRemote) / 2
    delayNanoseconds = max(delay, 0)
    self.remoteErrorNanoseconds = remoteErrorNanoseconds
    self.claim = claim
  }

  /// Remote clock − local raw clock when the sample was taken, nanoseconds: for people to read.
  package var rawOffsetNanoseconds: Int64 {
    offsetNanoseconds - (rawNanoseconds - monotonicNanoseconds)
  }

  /// How far the remote's clock may be from ``offsetNanoseconds`` at a monotonic time, with
  /// `rate` (parts per billion) as the most that the two clocks drift apart.
  ///
  /// The path may be as asymmetric as it likes: delay / 2 covers it. Both clocks run on while the
  /// request travels, and the remote's rate is in the delay: together at most 3/2 of the exchange,
  /// at up to twice `rate` where a peer's raw clock carries its corrected one.
  package func errorNanoseconds(
    atMonotonic now: Int64, remoteError: Int64, rate: Int64
  ) -> Int64 {
    let exchange = monotonicNanoseconds - sentMonotonicNanoseconds
    let age = max(now - monotonicNanoseconds, 0) + 3 * exchange
    // 2 ns: what halving and the wire's resolution round away.
    return (delayNanoseconds + 1) / 2 + remoteError + 2
      + PartsPerBillion.roundedUp(age, rate: rate)
  }
}

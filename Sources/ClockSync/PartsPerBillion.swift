/// Rates in parts per billion of a span of nanoseconds, in integers that cannot overflow.
enum PartsPerBillion {
  static let whole: Int64 = 1_000_000_000

  /// `rate` parts per billion of `span`, cut toward zero: monotone in `span` for one `rate`.
  @inline(__always) static func truncated(_ span: Int64, rate: Int64) -> Int64 {
    span / whole * rate + span % whole * rate / whole
  }

  /// `rate` parts per billion of `span`, rounded up: for errors, which may not come out too small.
  /// Both must not be negative.
  @inline(__always) static func roundedUp(_ span: Int64, rate: Int64) -> Int64 {
    span <= 0 || rate <= 0 ? 0 : truncated(span, rate: rate) + 1
  }

  /// How long `amount` takes at `rate` (positive), rounded up, at most ``ClockLimits``' span.
  static func duration(of amount: Int64, rate: Int64) -> Int64 {
    precondition(rate > 0)
    let exact = (Int128(amount.magnitude) * Int128(whole) + Int128(rate - 1)) / Int128(rate)
    return Int64(min(exact, Int128(ClockLimits.timeNanosecondsMax / 2)))
  }
}

/// What a clock value may be at most, so that sums of a time, a correction and a bound cannot
/// overflow: asserted when a value comes from the wire and when a bound is given out.
package enum ClockLimits {
  /// Largest time, 146 years: the year 2116 for a Unix time.
  package static let timeNanosecondsMax: Int64 = 1 << 62
  /// Largest correction or bound, 2.28 years. A larger bound is given out as this one.
  package static let spanNanosecondsMax: Int64 = 1 << 56

  static func isTime(_ nanoseconds: Int64) -> Bool {
    nanoseconds >= 0 && nanoseconds < timeNanosecondsMax
  }

  static func isSpan(_ nanoseconds: Int64) -> Bool {
    nanoseconds.magnitude <= UInt64(spanNanosecondsMax)
  }
}

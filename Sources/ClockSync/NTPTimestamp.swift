/// The NTP 64-bit timestamp: seconds since 1900 modulo 2^32, and a 32-bit fraction
/// (RFC 5905 §6).
///
/// It names an instant only together with an era; ``unixNanoseconds(near:)`` takes the era that
/// lies nearest a known time, so it is right within 68 years of it (era 1 begins in 2036).
package struct NTPTimestamp: Hashable, Sendable {
  /// Seconds in the upper 32 bits, fraction in the lower.
  package var rawValue: UInt64

  /// A timestamp from its bits.
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// "Unknown or unsynchronized" on the wire (RFC 5905 §6).
  package static var zero: NTPTimestamp { NTPTimestamp(rawValue: 0) }

  /// Seconds from 1900-01-01 to 1970-01-01 (RFC 5905 figure 4).
  private static let unixEpochSeconds: Int64 = 2_208_988_800
  private static let eraSeconds: Int64 = 1 << 32

  /// The timestamp of a Unix time; the era is dropped, the fraction rounded to 2^-32 s.
  package init(unixNanoseconds: Int64) {
    let (seconds, nanoseconds) = unixNanoseconds.flooredByBillion
    let fraction = ((UInt64(nanoseconds) << 32) + 500_000_000) / 1_000_000_000
    let wrapped = UInt64(truncatingIfNeeded: seconds &+ Self.unixEpochSeconds) & 0xffff_ffff
    rawValue = wrapped << 32 | fraction
  }

  /// The Unix time in the era nearest `pivot`, nanoseconds, rounded. Exact for what
  /// ``init(unixNanoseconds:)`` made. `nil` where Int64 nanoseconds do not reach.
  package func unixNanoseconds(near pivot: Int64) -> Int64? {
    let fraction = Int64((rawValue & 0xffff_ffff) &* 1_000_000_000 &+ (1 << 31)) >> 32
    let pivotSeconds = pivot.flooredByBillion.seconds
    let era0 = Int64(rawValue >> 32) - Self.unixEpochSeconds
    // Nearest era: round((pivot − era0) / 2^32), an arithmetic shift being a floor.
    let era = (pivotSeconds - era0 + Self.eraSeconds / 2) >> 32
    let seconds = era0 + era * Self.eraSeconds
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(fraction)
    return overflow || carry ? nil : sum
  }
}

/// The NTP 32-bit short format: unsigned seconds with a 16-bit fraction (RFC 5905 §6).
package struct NTPShort: Hashable, Sendable {
  /// Seconds × 2^16.
  package var rawValue: UInt32

  /// A span from its bits.
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A span rounded up (it is an error bound), at most 65,536 s; a negative one is 0.
  package init(nanoseconds: Int64) {
    let bounded = UInt64(min(max(nanoseconds, 0), 65_536_000_000_000))
    let scaled = ((bounded << 16) + 999_999_999) / 1_000_000_000
    rawValue = UInt32(min(scaled, UInt64(UInt32.max)))
  }

  /// Nanoseconds, rounded up.
  package var nanoseconds: Int64 {
    Int64((UInt64(rawValue) * 1_000_000_000 + 0xffff) >> 16)
  }
}

extension Int64 {
  /// Whole seconds, rounded down, and the nanoseconds above them.
  fileprivate var flooredByBillion: (seconds: Int64, nanoseconds: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: 1_000_000_000)
    return remainder < 0 ? (quotient - 1, remainder + 1_000_000_000) : (quotient, remainder)
  }
}

/// A day of the proleptic Gregorian calendar.
///
/// Both ways by Hinnant, "chrono-compatible low-level date algorithms": days_from_civil and
/// civil_from_days, on years that begin in March.
package struct CivilDate: Hashable, Sendable {
  /// The year; 0 is 1 BC, as in ISO 8601.
  package let year: Int
  /// The month, 1 to 12.
  package let month: Int
  /// The day of the month, from 1.
  package let day: Int

  /// A date by its numbers; nil where the calendar has no such day.
  ///
  /// Precondition: `year` has at most nine digits.
  package init?(year: Int, month: Int, day: Int) {
    precondition(year.magnitude < 1_000_000_000)
    guard (1...12).contains(month), (1...31).contains(day) else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    guard Self(daysSince1970: daysSince1970) == self else { return nil }
  }

  /// The date that many days after 1970-01-01, before it where negative.
  ///
  /// Precondition: `days` has at most eleven digits, which is more than 64 bits of seconds need
  /// for any time in nanoseconds.
  package init(daysSince1970 days: Int) {
    precondition(days.magnitude < 1_000_000_000_000)
    let (era, dayOfEra) = divideDown(days + 719_468, by: 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Days from 1970-01-01 to this date, negative before it.
  package var daysSince1970: Int {
    let (era, yearOfEra) = divideDown(month <= 2 ? year - 1 : year, by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}

/// A quotient rounded down, and the remainder that belongs to it, never negative.
///
/// Precondition: `divisor` is positive.
package func divideDown<Number: FixedWidthInteger & SignedInteger>(
  _ value: Number, by divisor: Number
) -> (quotient: Number, remainder: Number) {
  precondition(divisor > 0)
  let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

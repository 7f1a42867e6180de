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
  /// Precondition: its days since 1970 fit 64 bits.
  package init?(year: Int, month: Int, day: Int) {
    guard (1...12).contains(month), (1...31).contains(day) else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    guard Self(daysSince1970: daysSince1970) == self else { return nil }
  }

  /// The date a number of days after 1970-01-01, before it where negative.
  ///
  /// Precondition: `days` is at least a million from either end of 64 bits.
  package init(daysSince1970 days: Int) {
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

/// A time in UTC by the calendar, without leap seconds.
package struct CivilTime: Hashable, Sendable {
  /// The day.
  package let date: CivilDate
  /// Seconds since midnight, below 86 400.
  package let secondOfDay: Int
  /// Nanoseconds since that second began, below 1 000 000 000.
  package let nanosecond: Int

  /// The time so many seconds after 1970 began, before it where negative.
  package init(secondsSince1970 seconds: Int) { self.init(second: seconds, nanosecond: 0) }

  /// The time so many nanoseconds after 1970 began, before it where negative.
  package init(nanosecondsSince1970 nanoseconds: Int64) {
    let (second, nanosecond) = divideDown(Int(nanoseconds), by: 1_000_000_000)
    self.init(second: second, nanosecond: nanosecond)
  }

  private init(second: Int, nanosecond: Int) {
    let (day, secondOfDay) = divideDown(second, by: 86_400)
    date = CivilDate(daysSince1970: day)
    self.secondOfDay = secondOfDay
    self.nanosecond = nanosecond
  }

  /// The hour, 0 to 23.
  package var hour: Int { secondOfDay / 3600 }
  /// The minute, 0 to 59.
  package var minute: Int { secondOfDay / 60 % 60 }
  /// The second, 0 to 59.
  package var second: Int { secondOfDay % 60 }
}

/// A quotient rounded down, and the remainder that belongs to it, never negative.
private func divideDown(_ value: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
  let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

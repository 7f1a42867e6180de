/// Times as people write them: RFC 3339 in UTC, without leap seconds.
package enum TimeText {
  private static let nanosecondsPerSecond: Int64 = 1_000_000_000
  private static let secondsPerDay: Int64 = 86_400

  /// Appends a time as `2026-01-02T03:04:05.678901Z`, the fraction cut off after `decimals` digits.
  ///
  /// `nanoseconds` are since 1970. Precondition: `decimals` is 0 to 9.
  package static func append(
    nanoseconds: Int64, decimals: Int, to text: inout [UInt8]
  ) {
    precondition((0...9).contains(decimals))
    let (second, fraction) = divide(nanoseconds, by: nanosecondsPerSecond)
    let (day, secondOfDay) = divide(second, by: secondsPerDay)
    let date = civil(day: day)
    appendDigits(date.year, 4, to: &text)
    text.append(UInt8(ascii: "-"))
    appendDigits(date.month, 2, to: &text)
    text.append(UInt8(ascii: "-"))
    appendDigits(date.day, 2, to: &text)
    text.append(UInt8(ascii: "T"))
    appendDigits(secondOfDay / 3600, 2, to: &text)
    text.append(UInt8(ascii: ":"))
    appendDigits(secondOfDay / 60 % 60, 2, to: &text)
    text.append(UInt8(ascii: ":"))
    appendDigits(secondOfDay % 60, 2, to: &text)
    if decimals > 0 {
      text.append(UInt8(ascii: "."))
      appendDigits(fraction / powerOfTen(9 - decimals), decimals, to: &text)
    }
    text.append(UInt8(ascii: "Z"))
  }

  /// A time as text.
  package static func text(nanoseconds: Int64, decimals: Int = 6) -> String {
    var bytes: [UInt8] = []
    append(nanoseconds: nanoseconds, decimals: decimals, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads `2026-01-02`, `2026-01-02T03:04:05.5Z`, `…+02:00`, or seconds since 1970 such as
  /// `1727123456.789`, as nanoseconds since 1970; nil for anything else or outside 1678–2261.
  package static func nanoseconds(_ text: String) -> Int64? {
    var scanner = TimeScanner(text)
    if let time = scanner.date(), scanner.isAtEnd { return time }
    scanner = TimeScanner(text)
    if let time = scanner.seconds(), scanner.isAtEnd { return time }
    return nil
  }

  /// Quotient rounded down, and the remainder that belongs to it.
  private static func divide(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  /// Year, month and day of a day since 1970 (Hinnant, "chrono-compatible low-level date
  /// algorithms", civil_from_days).
  private static func civil(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = divide(day + 719_468, by: 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }

  /// The day since 1970 of a date (Hinnant, days_from_civil).
  fileprivate static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = divide(shiftedYear, by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  fileprivate static func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return switch month {
    case 2: isLeap ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  fileprivate static func powerOfTen(_ exponent: Int) -> Int64 {
    var result: Int64 = 1
    for _ in 0..<exponent { result *= 10 }
    return result
  }

  private static func appendDigits(_ value: Int64, _ width: Int, to text: inout [UInt8]) {
    var rest = UInt64(truncatingIfNeeded: value)
    let start = text.count
    text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: width))
    for place in stride(from: start + width - 1, through: start, by: -1) {
      text[place] += UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}

/// Reads the parts of a time from left to right.
private struct TimeScanner {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  var isAtEnd: Bool { offset == bytes.count }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func take(_ letters: StaticString) -> UInt8? {
    guard let next, letters.withUTF8Buffer({ $0.contains(next) }) else { return nil }
    offset += 1
    return next
  }

  /// Exactly `count` digits, or one to 18 where it is nil.
  private mutating func digits(_ count: Int? = nil) -> Int64? {
    let start = offset
    var value: Int64 = 0
    while let digit = next, digit &- 48 < 10, offset - start < count ?? 18 {
      value = value * 10 + Int64(digit - 48)
      offset += 1
    }
    guard offset > start, count == nil || offset - start == count else { return nil }
    return value
  }

  /// Digits after a point as nanoseconds; more than nine are cut off.
  private mutating func fraction() -> Int64? {
    guard take(".,") != nil else { return 0 }
    var value: Int64 = 0
    var count = 0
    while let digit = next, digit &- 48 < 10 {
      if count < 9 { value = value * 10 + Int64(digit - 48) }
      count += 1
      offset += 1
    }
    return count == 0 ? nil : value * TimeText.powerOfTen(max(0, 9 - count))
  }

  mutating func date() -> Int64? {
    guard let year = digits(4), take("-") != nil, let month = digits(2), take("-") != nil,
      let day = digits(2), (1...12).contains(month),
      (1...TimeText.daysInMonth(month, year: year)).contains(day)
    else { return nil }
    let midnight = TimeText.day(year: year, month: month, day: day) * 86_400
    if isAtEnd { return combine(midnight, 0) }
    guard take("Tt ") != nil, let hour = digits(2), take(":") != nil, let minute = digits(2),
      take(":") != nil, let second = digits(2), hour < 24, minute < 60, second < 61,
      let fraction = fraction(), let zone = zone()
    else { return nil }
    return combine(midnight + hour * 3600 + minute * 60 + second - zone, fraction)
  }

  /// Seconds east of UTC.
  private mutating func zone() -> Int64? {
    if take("Zz") != nil { return 0 }
    guard let sign = take("+-"), let hour = digits(2), take(":") != nil, let minute = digits(2),
      hour < 24, minute < 60
    else { return nil }
    return (sign == UInt8(ascii: "-") ? -1 : 1) * (hour * 3600 + minute * 60)
  }

  mutating func seconds() -> Int64? {
    guard let whole = digits(), let fraction = fraction() else { return nil }
    return combine(whole, fraction)
  }

  private func combine(_ seconds: Int64, _ fraction: Int64) -> Int64? {
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = scaled.addingReportingOverflow(fraction)
    return overflow || carry ? nil : sum
  }
}

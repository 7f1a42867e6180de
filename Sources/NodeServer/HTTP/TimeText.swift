/// Times as people and protocols write them; days by the proleptic Gregorian calendar.
enum TimeText {
  /// Nanoseconds since 1970 from seconds with up to nine decimals, or from RFC 3339 §5.6; nil for
  /// any other text and for what 64 bits do not hold.
  static func nanoseconds(_ bytes: [UInt8]) -> Int64? {
    var cursor = Cursor(bytes: bytes[...])
    return bytes.contains(UInt8(ascii: "T")) || bytes.contains(UInt8(ascii: "t"))
      ? cursor.dateTime() : cursor.seconds()
  }

  /// Days from 1970-01-01 to a date (Hinnant, "chrono-compatible low-level date algorithms").
  static func days(year: Int, month: Int, day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The date of a number of days from 1970-01-01: the inverse of ``days(year:month:day:)``.
  static func date(days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// The IMF-fixdate of a time (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
  ///
  /// Precondition: not before 1970.
  static func httpDate(unixSeconds: Int64) -> String {
    let days = Int(unixSeconds / 86_400)
    let second = Int(unixSeconds % 86_400)
    let (year, month, day) = date(days: days)
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
    let name = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ][month - 1]
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(weekday), \(two(day)) \(name) \(year) "
      + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) GMT"
  }
}

/// Takes text apart from the left.
private struct Cursor {
  var bytes: ArraySlice<UInt8>

  mutating func take(_ byte: UInt8) -> Bool {
    guard bytes.first == byte else { return false }
    bytes.removeFirst()
    return true
  }

  /// A number of `count` digits.
  mutating func number(_ count: Int) -> Int? {
    var value = 0
    for _ in 0..<count {
      guard let byte = bytes.popFirst(), byte &- 48 < 10 else { return nil }
      value = value * 10 + Int(byte - 48)
    }
    return value
  }

  /// One to nine decimals as nanoseconds.
  mutating func fraction() -> Int64? {
    var value: Int64 = 0
    var count = 0
    while let byte = bytes.first, byte &- 48 < 10 {
      bytes.removeFirst()
      guard count < 9 else { return nil }
      value = value * 10 + Int64(byte - 48)
      count += 1
    }
    guard count > 0 else { return nil }
    for _ in count..<9 { value *= 10 }
    return value
  }

  /// Seconds since 1970, with or without sign and decimals, to the end of the text.
  mutating func seconds() -> Int64? {
    let isNegative = take(UInt8(ascii: "-"))
    var whole: Int64 = 0
    var count = 0
    while let byte = bytes.first, byte &- 48 < 10 {
      bytes.removeFirst()
      count += 1
      guard count <= 10 else { return nil }
      whole = whole * 10 + Int64(byte - 48)
    }
    guard count > 0 else { return nil }
    var nanoseconds: Int64 = 0
    if take(UInt8(ascii: ".")) {
      guard let fraction = fraction() else { return nil }
      nanoseconds = fraction
    }
    guard bytes.isEmpty else { return nil }
    return Self.joined(isNegative ? -whole : whole, isNegative ? -nanoseconds : nanoseconds)
  }

  /// An RFC 3339 date-time to the end of the text. A leap second counts as the second after it.
  mutating func dateTime() -> Int64? {
    guard let year = number(4), take(UInt8(ascii: "-")), let month = number(2),
      take(UInt8(ascii: "-")), let day = number(2), (1...12).contains(month),
      take(UInt8(ascii: "T")) || take(UInt8(ascii: "t")), let hour = number(2),
      take(UInt8(ascii: ":")), let minute = number(2), take(UInt8(ascii: ":")),
      let second = number(2), hour < 24, minute < 60, second <= 60
    else { return nil }
    var nanoseconds: Int64 = 0
    if take(UInt8(ascii: ".")) {
      guard let fraction = fraction() else { return nil }
      nanoseconds = fraction
    }
    guard let offset = offset(), bytes.isEmpty else { return nil }
    let days = TimeText.days(year: year, month: month, day: day)
    guard TimeText.date(days: days) == (year, month, day) else { return nil }
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return Self.joined(Int64(seconds), nanoseconds)
  }

  /// Z or ±hh:mm in seconds. A plus that a form decoder made a space counts as a plus.
  private mutating func offset() -> Int? {
    if take(UInt8(ascii: "Z")) || take(UInt8(ascii: "z")) { return 0 }
    let isNegative = take(UInt8(ascii: "-"))
    guard isNegative || take(UInt8(ascii: "+")) || take(UInt8(ascii: " ")),
      let hours = number(2), take(UInt8(ascii: ":")), let minutes = number(2), hours < 24,
      minutes < 60
    else { return nil }
    let seconds = hours * 3600 + minutes * 60
    return isNegative ? -seconds : seconds
  }

  private static func joined(_ seconds: Int64, _ nanoseconds: Int64) -> Int64? {
    let (whole, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = whole.addingReportingOverflow(nanoseconds)
    return overflowed || carried ? nil : sum
  }
}

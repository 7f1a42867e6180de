import Glibc

/// Times as a person reads and types them, in UTC, without a binary float on the way.
enum Moment {
  /// `1727123456.789` as `2024-09-23T20:30:56.789Z`; `nil` when the text is not such a number.
  static func utc(secondsText text: String) -> String? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = Int(parts[0]), whole >= 0, whole < 253_402_300_800 else { return nil }
    let fraction = parts.count == 2 ? String(parts[1].prefix(9)) : ""
    guard fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    let (year, month, day) = civil(days: whole / 86_400)
    let second = whole % 86_400
    let clock = [second / 3_600, second / 60 % 60, second % 60].map { two($0) }
    let tail = fraction.isEmpty ? "" : "." + fraction
    return "\(year)-\(two(month))-\(two(day))T\(clock.joined(separator: ":"))\(tail)Z"
  }

  /// Seconds since 1970 from what was typed: such seconds themselves, a date, or a date and a time
  /// (`2024-09-23T20:30:56.789Z`, an offset as `+02:00`; UTC when none is given).
  static func secondsText(typed text: String) -> String? {
    if ExactDecimal(text) != nil { return text }
    let pieces = text.split(maxSplits: 1, omittingEmptySubsequences: false) {
      $0 == "T" || $0 == "t" || $0 == " "
    }
    guard let days = days(String(pieces[0])) else { return nil }
    guard pieces.count == 2 else { return String(days * 86_400) }
    return clock(String(pieces[1])).map { String(days * 86_400 + $0.seconds) + $0.fraction }
  }

  /// Milliseconds since 1970 by this machine's clock.
  static func millisecondsNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(max(0, now.tv_sec)) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
  }

  private static func two(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }

  private static func days(_ text: String) -> Int? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.count) == [4, 2, 2], let year = number(parts[0]),
      let month = number(parts[1]), let day = number(parts[2])
    else { return nil }
    let count = days(year: year, month: month, day: day)
    let back = civil(days: count)
    return back == (year, month, day) && count >= 0 ? count : nil
  }

  private static func clock(_ text: String) -> (seconds: Int, fraction: String)? {
    var clock = text
    var offset = 0
    if clock.hasSuffix("Z") || clock.hasSuffix("z") {
      clock.removeLast()
    } else if let sign = clock.lastIndex(where: { $0 == "+" || $0 == "-" }) {
      let parts = clock[clock.index(after: sign)...].split(separator: ":")
      guard parts.map(\.count) == [2, 2], let hours = number(parts[0]), hours < 24,
        let minutes = number(parts[1]), minutes < 60
      else { return nil }
      offset = (hours * 3_600 + minutes * 60) * (clock[sign] == "+" ? 1 : -1)
      clock = String(clock[..<sign])
    }
    let halves = clock.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: ":", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { $0.count == 2 ? number($0) : nil }
    guard (2...3).contains(parts.count), numbers.count == parts.count,
      numbers[0] < 24, numbers[1] < 60, numbers.count < 3 || numbers[2] < 60,
      halves.count == 1 || (parts.count == 3 && halves[1].count <= 9 && number(halves[1]) != nil)
    else { return nil }
    let seconds = numbers[0] * 3_600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
    return (seconds - offset, halves.count == 2 ? "." + halves[1] : "")
  }

  private static func number(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  /// Days since 1970 of a date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  private static func days(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The date of a number of days since 1970 (the same source).
  private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}

/// A number with so many decimals, for clocks, rates and latencies.
func fixed(_ value: Double, decimals: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "-" }
  var factor = 1
  for _ in 0..<decimals { factor *= 10 }
  let scaled = Int((abs(value) * Double(factor)).rounded())
  let sign = value < 0 && scaled != 0 ? "-" : ""
  guard decimals > 0 else { return sign + String(scaled) }
  let fraction = String(scaled % factor)
  let zeros = String(repeating: "0", count: decimals - fraction.count)
  return sign + String(scaled / factor) + "." + zeros + fraction
}

/// Seconds as milliseconds: `0.001234` is `1.234 ms`.
func milliseconds(_ seconds: Double) -> String { fixed(seconds * 1_000, decimals: 3) + " ms" }

extension Duration {
  /// For rates and for printing.
  var secondsDouble: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

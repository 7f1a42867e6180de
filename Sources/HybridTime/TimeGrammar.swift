/// What a reader of times takes: always RFC 3339 §5.6 (`2026-01-02T03:04:05.5+02:00`) and seconds
/// since 1970 (`1727123456.789`), each to at most nine decimals, and the freedoms it names.
///
/// A second 60 counts as the second after it.
package struct TimeGrammar: OptionSet, Sendable {
  /// One bit for each freedom.
  package let rawValue: UInt8

  /// The freedoms of a set of bits.
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `2026-01-02` is its midnight in UTC.
  package static let bareDate = TimeGrammar(rawValue: 1 << 0)
  /// A space may stand for the `T` (the note in RFC 3339 §5.6).
  package static let spaceForT = TimeGrammar(rawValue: 1 << 1)
  /// A space may stand for the `+` of an offset: a form decoder makes one of it.
  package static let spaceForPlus = TimeGrammar(rawValue: 1 << 2)
  /// A comma may stand for the point, as in ISO 8601.
  package static let decimalComma = TimeGrammar(rawValue: 1 << 3)
  /// Decimals after the ninth are cut off.
  package static let excessDecimals = TimeGrammar(rawValue: 1 << 4)
  /// Seconds may have a minus.
  package static let negativeSeconds = TimeGrammar(rawValue: 1 << 5)
  /// Seconds may have zeros in front, to 18 digits; else they have at most the ten that can count.
  package static let paddedSeconds = TimeGrammar(rawValue: 1 << 6)

  /// Nanoseconds since 1970 of a time; nil for other text and for what 64 bits do not hold, so
  /// for all but the years 1678 to 2261.
  package func nanoseconds(_ utf8: [UInt8]) -> Int64? {
    var dateScanner = TimeScanner(utf8, grammar: self)
    if let time = dateScanner.dateTime(), dateScanner.isAtEnd { return time }
    var secondsScanner = TimeScanner(utf8, grammar: self)
    if let time = secondsScanner.seconds(), secondsScanner.isAtEnd { return time }
    return nil
  }
}

/// Reads the parts of a time from left to right.
private struct TimeScanner {
  private let bytes: [UInt8]
  private let grammar: TimeGrammar
  private var offset = 0

  init(_ bytes: [UInt8], grammar: TimeGrammar) {
    self.bytes = bytes
    self.grammar = grammar
  }

  var isAtEnd: Bool { offset == bytes.count }

  /// A date and its time, or the date alone where the grammar has it.
  mutating func dateTime() -> Int64? {
    guard let year = digits(4), take("-"), let month = digits(2), take("-"),
      let day = digits(2), let date = CivilDate(year: year, month: month, day: day)
    else { return nil }
    let midnight = date.daysSince1970 * 86_400
    if isAtEnd && grammar.contains(.bareDate) { return Self.joined(midnight, 0) }
    guard take("T") || take("t") || take(" ", where: .spaceForT),
      let hour = digits(2), take(":"), let minute = digits(2), take(":"), let second = digits(2),
      hour < 24, minute < 60, second <= 60, let fraction = fraction(), let zone = zone()
    else { return nil }
    return Self.joined(midnight + hour * 3600 + minute * 60 + second - zone, fraction)
  }

  /// Seconds since 1970.
  mutating func seconds() -> Int64? {
    let isNegative = take("-", where: .negativeSeconds)
    guard let whole = digits(upTo: grammar.contains(.paddedSeconds) ? 18 : 10),
      let fraction = fraction()
    else { return nil }
    return isNegative ? Self.joined(-whole, -fraction) : Self.joined(whole, fraction)
  }

  private mutating func take(_ letter: Unicode.Scalar) -> Bool {
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: letter) else { return false }
    offset += 1
    return true
  }

  private mutating func take(_ letter: Unicode.Scalar, where freedom: TimeGrammar) -> Bool {
    grammar.contains(freedom) && take(letter)
  }

  private mutating func digit() -> Int? {
    guard offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 else { return nil }
    offset += 1
    return Int(bytes[offset - 1] - UInt8(ascii: "0"))
  }

  /// A number of one to `countMax` digits; what comes after them is left.
  private mutating func digits(upTo countMax: Int) -> Int? {
    guard var value = digit() else { return nil }
    var count = 1
    while count < countMax, let digit = digit() {
      value = value * 10 + digit
      count += 1
    }
    return value
  }

  /// A number of exactly `count` digits.
  private mutating func digits(_ count: Int) -> Int? {
    let start = offset
    guard let value = digits(upTo: count), offset - start == count else { return nil }
    return value
  }

  /// A point and decimals as nanoseconds; zero where there is no point.
  private mutating func fraction() -> Int? {
    guard take(".") || take(",", where: .decimalComma) else { return 0 }
    let start = offset
    guard var value = digits(upTo: 9) else { return nil }
    for _ in (offset - start)..<9 { value *= 10 }
    if grammar.contains(.excessDecimals) { while digit() != nil {} }
    return value
  }

  /// Z or ±hh:mm in seconds east of UTC.
  private mutating func zone() -> Int? {
    if take("Z") || take("z") { return 0 }
    let isWest = take("-")
    guard isWest || take("+") || take(" ", where: .spaceForPlus), let hour = digits(2),
      take(":"), let minute = digits(2), hour < 24, minute < 60
    else { return nil }
    let seconds = hour * 3600 + minute * 60
    return isWest ? -seconds : seconds
  }

  private static func joined(_ seconds: Int, _ nanoseconds: Int) -> Int64? {
    let (whole, overflowed) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carried) = whole.addingReportingOverflow(Int64(nanoseconds))
    return overflowed || carried ? nil : sum
  }
}

import HybridTime

/// Times as people write them: RFC 3339 in UTC, without leap seconds.
package enum TimeText {
  /// What a person may write beside RFC 3339 and seconds since 1970.
  private static let grammar: TimeGrammar = [
    .bareDate, .spaceForT, .decimalComma, .excessDecimals, .paddedSeconds,
  ]

  /// Appends a time as `2026-01-02T03:04:05.678901Z`, the fraction cut off after `decimals` digits.
  ///
  /// `nanoseconds` are since 1970. Precondition: `decimals` is 0 to 9.
  package static func append(
    nanoseconds: Int64, decimals: Int, to text: inout [UInt8]
  ) {
    precondition((0...9).contains(decimals))
    let time = CivilTime(nanosecondsSince1970: nanoseconds)
    appendDigits(time.date.year, 4, to: &text)
    text.append(UInt8(ascii: "-"))
    appendDigits(time.date.month, 2, to: &text)
    text.append(UInt8(ascii: "-"))
    appendDigits(time.date.day, 2, to: &text)
    text.append(UInt8(ascii: "T"))
    appendDigits(time.hour, 2, to: &text)
    text.append(UInt8(ascii: ":"))
    appendDigits(time.minute, 2, to: &text)
    text.append(UInt8(ascii: ":"))
    appendDigits(time.second, 2, to: &text)
    if decimals > 0 {
      text.append(UInt8(ascii: "."))
      var fraction = time.nanosecond
      for _ in decimals..<9 { fraction /= 10 }
      appendDigits(fraction, decimals, to: &text)
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
    grammar.nanoseconds(Array(text.utf8))
  }

  /// Appends the last `width` digits of a number that is not negative.
  private static func appendDigits(_ value: Int, _ width: Int, to text: inout [UInt8]) {
    var rest = value
    let start = text.count
    text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: width))
    for place in stride(from: start + width - 1, through: start, by: -1) {
      text[place] += UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
  }
}

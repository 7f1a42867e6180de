extension Amount {
  /// Appends minor units as a decimal number with exactly the currency's decimals: 15075 with 2
  /// as `150.75`, −5 as `-0.05`, 100 with 0 as `100`.
  ///
  /// The text is also a JSON number (RFC 8259 §6), so it serves both people and answers.
  public static func append(minorUnits: Int128, exponent: Int, to text: inout [UInt8]) {
    precondition(exponent >= 0 && exponent <= Currency.exponentMax)
    if minorUnits < 0 { text.append(UInt8(ascii: "-")) }
    let start = text.count
    // Lowest digit first, turned round at the end; at least one digit before the point.
    var rest = minorUnits.magnitude
    var digitCount = 0
    while rest != 0 || digitCount <= exponent {
      if digitCount == exponent && exponent > 0 { text.append(UInt8(ascii: ".")) }
      let digit: UInt8
      if let small = UInt64(exactly: rest) {
        digit = UInt8(truncatingIfNeeded: small % 10)
        rest = UInt128(small / 10)
      } else {
        let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
        digit = UInt8(truncatingIfNeeded: remainder)
        rest = quotient
      }
      text.append(UInt8(ascii: "0") + digit)
      digitCount += 1
    }
    text[start...].reverse()
  }

  /// Minor units as decimal digits, ASCII.
  public static func formatted(minorUnits: Int128, exponent: Int) -> [UInt8] {
    var text: [UInt8] = []
    append(minorUnits: minorUnits, exponent: exponent, to: &text)
    return text
  }

  /// Minor units as decimal digits, for people and logs: `150.75`.
  public static func text(minorUnits: Int128, currency: Currency) -> String {
    String(
      decoding: formatted(minorUnits: minorUnits, exponent: currency.exponent), as: UTF8.self)
  }
}

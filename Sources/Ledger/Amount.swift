/// Why a number is not an amount.
public enum AmountProblem: Error, Hashable, Sendable {
  /// Not a number in the grammar of RFC 8259 §6.
  case notANumber
  /// Below zero.
  case negative
  /// Zero, whatever its sign and exponent.
  case zero
  /// A digit other than zero stands beyond the currency's decimals; `allowed` is how many it has.
  case tooManyDecimals(allowed: Int)
  /// More than `limit` minor units.
  case overLimit(limit: Int64)
}

/// Money as people write it, read exactly: no binary floating point is ever involved.
public enum Amount {
  /// Exponents beyond ± this mean the same: far over any limit, or far below any minor unit.
  private static let exponentMagnitudeMax = 1_000_000_000
  /// Most decimal digits that a value of 64 bits can have.
  private static let digitCountMax = 19

  /// Reads a JSON number's own digits as minor units of `currency`, between 1 and `limit`.
  ///
  /// Work is one pass over the bytes. `150.7500` is 15075 cents, `1.5e2` is 15000; `150.755` has
  /// too many decimals. What is wrong with the text comes first, then sign and zero, then
  /// decimals, then size.
  public static func minorUnits(
    of bytes: borrowing RawSpan, currency: Currency, limit: Int64
  ) throws(AmountProblem) -> Int64 {
    let number = try JSONNumber(bytes)
    guard number.significantCount > 0 else { throw .zero }
    guard !number.isNegative else { throw .negative }
    let scale = number.scale + currency.exponent
    guard scale >= 0 else { throw .tooManyDecimals(allowed: currency.exponent) }
    guard number.significantCount + scale <= digitCountMax else { throw .overLimit(limit: limit) }
    var value: UInt64 = 0
    for offset in number.firstSignificant...number.lastSignificant {
      let byte = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      // 19 digits fit 64 bits: 10^19 − 1 < 2^64.
      if byte != UInt8(ascii: ".") { value = value * 10 + UInt64(byte - UInt8(ascii: "0")) }
    }
    for _ in 0..<scale { value *= 10 }
    guard value <= UInt64(max(limit, 0)) else { throw .overLimit(limit: limit) }
    return Int64(value)
  }

  /// Where the parts of a JSON number are (RFC 8259 §6).
  private struct JSONNumber {
    var isNegative = false
    /// Offsets of the first and last digit of the mantissa that is not zero.
    var firstSignificant = 0
    var lastSignificant = 0
    /// Digits from the first to the last significant one. Zero for a zero.
    var significantCount = 0
    /// Power of ten of the last significant digit.
    var scale = 0

    init(_ bytes: borrowing RawSpan) throws(AmountProblem) {
      var offset = 0
      if Self.byte(0, bytes) == UInt8(ascii: "-") {
        isNegative = true
        offset = 1
      }
      let integerStart = offset
      try mantissaDigits(&offset, bytes)
      let hasLeadingZero = Self.byte(integerStart, bytes) == UInt8(ascii: "0")
      guard !hasLeadingZero || offset == integerStart + 1 else { throw .notANumber }
      let integerEnd = offset
      var fractionEnd = offset
      if Self.byte(offset, bytes) == UInt8(ascii: ".") {
        offset += 1
        try mantissaDigits(&offset, bytes)
        fractionEnd = offset
      }
      let exponent = try Self.exponentPart(&offset, bytes)
      guard offset == bytes.byteCount else { throw .notANumber }
      guard significantCount > 0 else { return }
      let firstInInteger = firstSignificant < integerEnd
      let lastInInteger = lastSignificant < integerEnd
      significantCount =
        lastSignificant - firstSignificant + (firstInInteger == lastInInteger ? 1 : 0)
      scale =
        exponent
        + (lastInInteger ? integerEnd - 1 - lastSignificant : integerEnd - lastSignificant)
      assert(lastSignificant < fractionEnd)
    }

    /// Moves over one or more digits and notes which are not zero.
    private mutating func mantissaDigits(
      _ offset: inout Int, _ bytes: borrowing RawSpan
    ) throws(AmountProblem) {
      let start = offset
      while let byte = Self.byte(offset, bytes), byte &- 48 < 10 {
        if byte != 48 {
          if significantCount == 0 { firstSignificant = offset }
          lastSignificant = offset
          significantCount = 1
        }
        offset += 1
      }
      guard offset > start else { throw .notANumber }
    }

    private static func exponentPart(
      _ offset: inout Int, _ bytes: borrowing RawSpan
    ) throws(AmountProblem) -> Int {
      guard let mark = byte(offset, bytes), mark | 0x20 == UInt8(ascii: "e") else { return 0 }
      offset += 1
      var isNegative = false
      if let sign = byte(offset, bytes), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        isNegative = sign == UInt8(ascii: "-")
        offset += 1
      }
      let start = offset
      var magnitude = 0
      while let digit = byte(offset, bytes), digit &- 48 < 10 {
        magnitude = min(magnitude * 10 + Int(digit - 48), exponentMagnitudeMax)
        offset += 1
      }
      guard offset > start else { throw .notANumber }
      return isNegative ? -magnitude : magnitude
    }

    private static func byte(_ offset: Int, _ bytes: borrowing RawSpan) -> UInt8? {
      offset < bytes.byteCount ? bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) : nil
    }
  }
}

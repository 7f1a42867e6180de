extension JSONWriter {
  /// Writes a whole number.
  public mutating func integer(_ value: some FixedWidthInteger) {
    let wide = Int128(value)
    number { appendDecimal(wide, decimals: 0, to: &$0) }
  }

  /// Writes `units` × 10^−`decimals` with all its decimals: 15075 and 2 give 150.75, 30 gives 0.30.
  ///
  /// Precondition: `decimals` is 0 to 38.
  public mutating func decimal(_ units: Int128, decimals: Int) {
    number { appendDecimal(units, decimals: decimals, to: &$0) }
  }

  /// Writes nanoseconds as seconds with `decimals` of them, the rest cut off toward zero:
  /// 1727123456789012345 and 3 give 1727123456.789.
  ///
  /// Precondition: `decimals` is 0 to 9.
  public mutating func seconds(nanoseconds: Int64, decimals: Int) {
    precondition((0...9).contains(decimals))
    var divisor: Int64 = 1
    for _ in decimals..<9 { divisor *= 10 }
    decimal(Int128(nanoseconds / divisor), decimals: decimals)
  }

  /// Writes a number whose text the caller vouches for, as it is.
  public mutating func number(verbatim text: String) { verbatim(text.utf8) }
}

/// Appends `units` × 10^−`decimals` to a text: sign, at least one digit, and the decimals asked for.
///
/// Zero has no sign. Precondition: `decimals` is 0 to 38.
public func appendDecimal(_ units: Int128, decimals: Int, to text: inout [UInt8]) {
  precondition((0...38).contains(decimals))
  if units < 0 { text.append(UInt8(ascii: "-")) }
  withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 41) { digits in
    var next = digits.count
    func put(_ byte: UInt8) {
      next -= 1
      digits[next] = byte
    }
    var written = 0
    func putDigit(_ digit: UInt8) {
      if written == decimals && decimals > 0 { put(UInt8(ascii: ".")) }
      put(UInt8(ascii: "0") + digit)
      written += 1
    }
    var wide = units.magnitude
    while wide > UInt128(UInt64.max) {
      let (quotient, remainder) = wide.quotientAndRemainder(dividingBy: 10)
      putDigit(UInt8(remainder))
      wide = quotient
    }
    var rest = UInt64(wide)
    while rest > 0 || written <= decimals {
      putDigit(UInt8(rest % 10))
      rest /= 10
    }
    text.append(contentsOf: digits[next...])
  }
}

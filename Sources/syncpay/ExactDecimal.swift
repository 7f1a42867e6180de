/// A decimal number as it is written: digits and a scale, so that sums of money are exact.
struct ExactDecimal: Sendable {
  /// The most digits of an amount that is read; longer texts are not amounts.
  static let digitsMax = 30

  /// The number times ten to the power of `scale`.
  private var units: Int128
  private var scale: Int

  static let zero = ExactDecimal(units: 0, scale: 0)

  private init(units: Int128, scale: Int) {
    self.units = units
    self.scale = scale
  }

  /// So many hundredths.
  init(cents: Int) {
    self.init(units: Int128(cents), scale: 2)
  }

  /// Reads `-150.75`; `nil` for anything else, exponents included.
  init?(_ text: String) {
    let isNegative = text.hasPrefix("-")
    let parts = text.dropFirst(isNegative ? 1 : 0)
      .split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let digits = parts.joined()
    let isDecimal = digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
    guard parts.allSatisfy({ !$0.isEmpty }), isDecimal, digits.count <= Self.digitsMax,
      let units = Int128(digits)
    else { return nil }
    self.init(units: isNegative ? -units : units, scale: parts.count == 2 ? parts[1].count : 0)
  }

  var isZero: Bool { units == 0 }

  static func + (left: ExactDecimal, right: ExactDecimal) -> ExactDecimal {
    let scale = max(left.scale, right.scale)
    return ExactDecimal(units: left.units(at: scale) + right.units(at: scale), scale: scale)
  }

  static prefix func - (value: ExactDecimal) -> ExactDecimal {
    ExactDecimal(units: -value.units, scale: value.scale)
  }

  private func units(at scale: Int) -> Int128 {
    var units = units
    for _ in self.scale..<max(self.scale, scale) { units *= 10 }
    return units
  }
}

extension ExactDecimal: Equatable, CustomStringConvertible {
  /// Equal as numbers: `0.3` is `0.30`.
  static func == (left: ExactDecimal, right: ExactDecimal) -> Bool {
    let scale = max(left.scale, right.scale)
    return left.units(at: scale) == right.units(at: scale)
  }

  var description: String {
    let digits = String(units.magnitude)
    let filled = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    let whole = (units < 0 ? "-" : "") + filled.dropLast(scale)
    return scale == 0 ? whole : whole + "." + filled.suffix(scale)
  }
}

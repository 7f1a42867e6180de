/// An ISO 4217 currency: its alphabetic code and how many decimals its minor unit has.
///
/// The exponent travels with the code in every event, so that reading a log never depends on
/// which edition of the table the reader was built with. The table (``init(iso4217:)``) is
/// asked once, where a payment comes in.
public struct Currency: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// Most decimals a minor unit can have; ISO 4217 has no more than 4.
  public static let exponentMax = 4
  /// Length of the code in bytes.
  public static let codeByteCount = 3
  /// How many different codes can be written: 26³.
  static let codeCount = 26 * 26 * 26

  /// The code's three letters in bits 31–8, the first letter highest; the exponent in bits 7–0.
  public let packed: UInt32

  /// A currency from three upper-case ASCII letters and its exponent, or nil.
  @inlinable public init?(letters: (UInt8, UInt8, UInt8), exponent: Int) {
    guard Self.isLetter(letters.0), Self.isLetter(letters.1), Self.isLetter(letters.2),
      exponent >= 0, exponent <= Self.exponentMax
    else { return nil }
    packed =
      UInt32(letters.0) << 24 | UInt32(letters.1) << 16 | UInt32(letters.2) << 8
      | UInt32(truncatingIfNeeded: exponent)
  }

  @inlinable static func isLetter(_ byte: UInt8) -> Bool { byte &- 65 < 26 }

  /// Decimals of the minor unit: 2 for USD, 0 for JPY, 3 for KWD, 4 for CLF.
  @inlinable public var exponent: Int { Int(packed & 0xff) }

  /// The three letters.
  @inlinable public var letters: (UInt8, UInt8, UInt8) {
    (
      UInt8(truncatingIfNeeded: packed >> 24), UInt8(truncatingIfNeeded: packed >> 16),
      UInt8(truncatingIfNeeded: packed >> 8)
    )
  }

  /// The three letters as text: `USD`.
  public var code: String {
    String(decoding: [letters.0, letters.1, letters.2], as: UTF8.self)
  }

  /// The code's place among all codes, below 26³.
  var codeIndex: Int {
    (Int(letters.0 &- 65) * 26 + Int(letters.1 &- 65)) * 26 + Int(letters.2 &- 65)
  }

  /// Minor units in one unit: 100 for USD, 1 for JPY.
  public var minorUnitsPerUnit: Int64 {
    var scale: Int64 = 1
    for _ in 0..<exponent { scale *= 10 }
    return scale
  }

  /// Orders by code, then exponent.
  @inlinable public static func < (left: Self, right: Self) -> Bool { left.packed < right.packed }
}

/// How much of a JSON text a scanner takes before it refuses (RFC 8259 §9 allows such limits).
public struct JSONLimits: Hashable, Sendable {
  /// Deepest nesting that any limit may ask for: ``JSONScanner/skip(in:)`` keeps one bit a level.
  public static let depthCeiling = 64

  /// Objects and arrays open at once; at most ``depthCeiling``.
  public let depthMax: Int
  /// Bytes between the quotes of one string, as they stand in the text.
  public let stringByteCountMax: Int
  /// Bytes of one number, sign and exponent included.
  public let numberByteCountMax: Int

  /// Limits from their values.
  public init(depthMax: Int = 16, stringByteCountMax: Int = 4096, numberByteCountMax: Int = 64) {
    precondition((1...Self.depthCeiling).contains(depthMax))
    precondition(stringByteCountMax >= 0 && numberByteCountMax >= 1)
    self.depthMax = depthMax
    self.stringByteCountMax = stringByteCountMax
    self.numberByteCountMax = numberByteCountMax
  }
}

/// Why bytes are not a transaction id.
public enum TransactionIDProblem: Error, Hashable, Sendable {
  /// No bytes, or more than ``TransactionID/textByteCountMax``.
  case length
  /// A byte that is not visible ASCII (0x21–0x7E).
  case notVisibleASCII
}

/// What makes a payment happen once: the client's own name for it, or one made at the ingress.
///
/// Ids of the form `txn_` + 26 Crockford base-32 characters (a ULID) are held as 128 bits; any
/// other visible ASCII as it is. One text has exactly one form, so equal texts are equal ids.
/// Letters are not folded: `txn_01h…` in lower case is another id than `txn_01H…`.
public struct TransactionID: Hashable, Sendable {
  /// Most bytes of an id's text.
  public static let textByteCountMax = 100
  /// Bytes of a compact id's text: `txn_` and 26 digits.
  public static let compactTextByteCount = 30

  /// The two forms.
  enum Form: Hashable, Sendable {
    case compact(high: UInt64, low: UInt64)
    /// Invariant: 1–100 bytes of visible ASCII that are not a compact id's text.
    case text([UInt8])
  }

  let form: Form

  /// The compact id with these 128 bits.
  public init(high: UInt64, low: UInt64) { self.init(form: .compact(high: high, low: low)) }

  /// A new compact id, shaped like a ULID: 48 bits of milliseconds since 1970, 80 random bits.
  public init(unixMilliseconds: UInt64, randomHigh: UInt16, randomLow: UInt64) {
    self.init(high: unixMilliseconds << 16 | UInt64(randomHigh), low: randomLow)
  }

  /// The id with this text.
  public init(validating bytes: borrowing RawSpan) throws(TransactionIDProblem) {
    guard bytes.byteCount >= 1, bytes.byteCount <= Self.textByteCountMax else { throw .length }
    if let (high, low) = Self.compactBits(0..<bytes.byteCount, in: bytes) {
      self.init(high: high, low: low)
      return
    }
    guard Self.isVisibleASCII(0..<bytes.byteCount, in: bytes) else { throw .notVisibleASCII }
    self.init(form: .text(bytes.withUnsafeBytes { [UInt8]($0) }))
  }

  private init(form: Form) { self.form = form }

  /// The id whose text a checked record has at `range`.
  init(stored range: Range<Int>, in records: borrowing RawSpan) {
    self.init(form: .text(records.extracting(range).withUnsafeBytes { [UInt8]($0) }))
  }

  /// The id with this text.
  public init(validating text: String) throws(TransactionIDProblem) {
    let bytes = Array(text.utf8)
    try self.init(validating: bytes.span.bytes)
  }

  /// The 128 bits of a compact id, or nil for any other.
  public var compactBits: (high: UInt64, low: UInt64)? {
    if case .compact(let high, let low) = form { (high, low) } else { nil }
  }

  /// The id's text, ASCII.
  public var bytes: [UInt8] {
    switch form {
    case .text(let bytes): return bytes
    case .compact(let high, let low):
      var text: [UInt8] = []
      Self.appendText(high: high, low: low, to: &text)
      return text
    }
  }

  /// The id's text.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Appends the text of the compact id with these 128 bits.
  public static func appendText(high: UInt64, low: UInt64, to text: inout [UInt8]) {
    text.append(contentsOf: "txn_".utf8)
    var rest = UInt128(high) << 64 | UInt128(low)
    let start = text.count
    for _ in 0..<26 {
      text.append(digits[Int(truncatingIfNeeded: rest & 31)])
      rest >>= 5
    }
    text[start...].reverse()
  }

  /// The bits of a compact id's text, or nil where the bytes are anything else.
  static func compactBits(
    _ range: Range<Int>, in bytes: borrowing RawSpan
  ) -> (high: UInt64, low: UInt64)? {
    guard range.count == compactTextByteCount else { return nil }
    let start = range.lowerBound
    let prefix = bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
    // "txn_" in little-endian order.
    guard UInt32(littleEndian: prefix) == 0x5f6e_7874 else { return nil }
    var value: UInt128 = 0
    for offset in start + 4..<range.upperBound {
      let digit = values[Int(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))]
      guard digit < 32, offset > start + 4 || digit < 8 else { return nil }
      value = value << 5 | UInt128(digit)
    }
    return (UInt64(truncatingIfNeeded: value >> 64), UInt64(truncatingIfNeeded: value))
  }

  static func isVisibleASCII(_ range: Range<Int>, in bytes: borrowing RawSpan) -> Bool {
    for offset in range {
      let byte = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      if byte < 0x21 || byte > 0x7e { return false }
    }
    return true
  }

  /// Crockford's base 32: no I, L, O, U.
  private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  private static let values: [UInt8] = {
    var table = [UInt8](repeating: 255, count: 256)
    for (value, digit) in digits.enumerated() { table[Int(digit)] = UInt8(value) }
    return table
  }()
}

/// A value as the scanner finds it; for an object or an array, only that it is open.
public enum JSONValue: Hashable, Sendable {
  /// An object is open: ask for its members.
  case object
  /// An array is open: ask for its elements.
  case array
  /// A string, checked.
  case string(JSONString)
  /// A number, checked.
  case number(JSONNumber)
  /// true or false.
  case boolean(Bool)
  /// null.
  case null

  /// What it is, with its article, for a sentence: "a string", "null".
  public var noun: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .number: "a number"
    case .boolean(let value): value ? "true" : "false"
    case .null: "null"
    }
  }
}

/// Where a number stands. Its text is exactly what RFC 8259 §6 allows.
public struct JSONNumber: Hashable, Sendable {
  /// The bytes of the number in the text.
  public let range: Range<Int>

  /// The number's characters.
  public func text(in bytes: borrowing RawSpan) -> [UInt8] {
    bytes.extracting(range).withUnsafeBytes { [UInt8]($0) }
  }
}

/// Where a string stands. Its escapes and its UTF-8 have been checked; its text is decoded on demand.
public struct JSONString: Hashable, Sendable {
  /// The bytes between the quotes.
  public let range: Range<Int>
  /// Whether there is a backslash among them.
  public let hasEscapes: Bool

  /// The text as UTF-8, escapes decoded.
  public func utf8(in bytes: borrowing RawSpan) -> [UInt8] {
    let raw = bytes.extracting(range)
    guard hasEscapes else { return raw.withUnsafeBytes { [UInt8]($0) } }
    var text: [UInt8] = []
    text.reserveCapacity(range.count)
    var decoder = EscapeDecoder(offset: range.lowerBound, end: range.upperBound)
    while let piece = decoder.next(in: bytes) { piece.append(to: &text) }
    return text
  }

  /// The text, escapes decoded.
  public func text(in bytes: borrowing RawSpan) -> String {
    String(decoding: utf8(in: bytes), as: UTF8.self)
  }

  /// Whether the text is `name`. Allocates only when there are escapes.
  public func equals(_ name: StaticString, in bytes: borrowing RawSpan) -> Bool {
    precondition(name.hasPointerRepresentation)
    let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard hasEscapes else {
      return bytes.extracting(range).withUnsafeBytes { $0.elementsEqual(wanted) }
    }
    return utf8(in: bytes).elementsEqual(wanted)
  }

  /// Whether two strings of one text have the same decoded text: what makes keys duplicates.
  public func equals(_ other: JSONString, in bytes: borrowing RawSpan) -> Bool {
    if !hasEscapes && !other.hasEscapes {
      guard range.count == other.range.count else { return false }
      let mine = bytes.extracting(range)
      let its = bytes.extracting(other.range)
      return mine.withUnsafeBytes { left in
        its.withUnsafeBytes { right in left.elementsEqual(right) }
      }
    }
    return utf8(in: bytes) == other.utf8(in: bytes)
  }
}

/// Walks a checked string and gives its decoded bytes.
private struct EscapeDecoder {
  var offset: Int
  let end: Int

  /// Up to four decoded bytes.
  struct Piece {
    var bytes: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    var count = 1

    init(_ byte: UInt8) { bytes.0 = byte }

    /// The UTF-8 of a scalar value (RFC 3629 §3).
    init(scalar: UInt32) {
      func tail(_ shift: UInt32) -> UInt8 { UInt8(scalar >> shift & 0x3f | 0x80) }
      switch scalar {
      case 0..<0x80: bytes.0 = UInt8(scalar)
      case 0x80..<0x800: (bytes, count) = ((UInt8(scalar >> 6 | 0xc0), tail(0), 0, 0), 2)
      case 0x800..<0x10000:
        (bytes, count) = ((UInt8(scalar >> 12 | 0xe0), tail(6), tail(0), 0), 3)
      default:
        (bytes, count) = ((UInt8(scalar >> 18 | 0xf0), tail(12), tail(6), tail(0)), 4)
      }
    }

    func append(to text: inout [UInt8]) {
      withUnsafeBytes(of: bytes) { text.append(contentsOf: $0.prefix(count)) }
    }
  }

  mutating func next(in bytes: borrowing RawSpan) -> Piece? {
    guard offset < end else { return nil }
    let byte = take(in: bytes)
    guard byte == UInt8(ascii: "\\") else { return Piece(byte) }
    let kind = take(in: bytes)
    switch kind {
    case UInt8(ascii: "b"): return Piece(0x08)
    case UInt8(ascii: "f"): return Piece(0x0c)
    case UInt8(ascii: "n"): return Piece(0x0a)
    case UInt8(ascii: "r"): return Piece(0x0d)
    case UInt8(ascii: "t"): return Piece(0x09)
    case UInt8(ascii: "u"):
      let unit = codeUnit(in: bytes)
      guard (0xd800..<0xdc00).contains(unit) else { return Piece(scalar: unit) }
      offset += 2
      return Piece(scalar: 0x10000 + ((unit - 0xd800) << 10) + (codeUnit(in: bytes) - 0xdc00))
    default: return Piece(kind)
    }
  }

  private mutating func take(in bytes: borrowing RawSpan) -> UInt8 {
    defer { offset += 1 }
    return bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  private mutating func codeUnit(in bytes: borrowing RawSpan) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 { unit = unit << 4 | (hexadecimalDigit(take(in: bytes)) ?? 0) }
    return unit
  }
}

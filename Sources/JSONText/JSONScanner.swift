/// A strict, bounded reader of one JSON text (RFC 8259): the caller pulls values, members and
/// elements in order; nothing is built that was not asked for, and scanning itself allocates nothing.
///
/// The bytes are passed to each call, so that the scanner needs no lifetime of its own. All calls
/// of one scanner must pass the same span; a shorter one traps, it never reads outside.
///
/// ```swift
/// guard case .object = try scanner.value(in: bytes) else { … }
/// while let key = try scanner.member(in: bytes) {
///   if key.equals("amount", in: bytes) { … try scanner.value(in: bytes) … }
///   else { try scanner.skip(in: bytes) }
/// }
/// try scanner.finish(in: bytes)
/// ```
public struct JSONScanner: Sendable {
  /// What is refused for its size.
  public let limits: JSONLimits
  /// The next byte to read, from the start of the span. Invariant: `offset <= end`.
  public private(set) var offset = 0
  /// One past the last byte.
  private let end: Int
  /// Objects and arrays open now. Invariant: `depth <= limits.depthMax`.
  private var depth = 0
  /// Whether the innermost open object or array has had no member or element yet.
  private var isFresh = false

  /// A scanner at the start of `bytes`.
  public init(_ bytes: borrowing RawSpan, limits: JSONLimits = JSONLimits()) {
    self.limits = limits
    end = bytes.byteCount
  }

  /// Reads the next value; of an object or an array only its opening.
  public mutating func value(in bytes: borrowing RawSpan) throws(JSONError) -> JSONValue {
    skipSpace(in: bytes)
    guard offset < end else { throw atEnd(in: bytes) }
    switch byte(in: bytes) {
    case UInt8(ascii: "\""): return .string(try string(in: bytes))
    case UInt8(ascii: "{"):
      try open()
      return .object
    case UInt8(ascii: "["):
      try open()
      return .array
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"),
      UInt8(ascii: "."):
      return .number(try number(in: bytes))
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
      return try word(in: bytes)
    case 0xef where depth == 0 && offset == 0: throw JSONError(.byteOrderMark, at: offset)
    default: throw JSONError(.expectedValue, at: offset)
    }
  }

  /// Reads the next key of the innermost open object up to its colon, or closes the object.
  public mutating func member(in bytes: borrowing RawSpan) throws(JSONError) -> JSONString? {
    guard
      try separated(by: UInt8(ascii: "}"), else: .expectedCommaOrBrace, in: bytes)
    else { return nil }
    guard byte(in: bytes) == UInt8(ascii: "\"") else {
      throw JSONError(.expectedKey, at: offset)
    }
    let key = try string(in: bytes)
    skipSpace(in: bytes)
    guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
    guard byte(in: bytes) == UInt8(ascii: ":") else { throw JSONError(.expectedColon, at: offset) }
    offset += 1
    return key
  }

  /// Moves to the next element of the innermost open array, or closes the array and returns false.
  public mutating func element(in bytes: borrowing RawSpan) throws(JSONError) -> Bool {
    try separated(by: UInt8(ascii: "]"), else: .expectedCommaOrBracket, in: bytes)
  }

  /// Checks and skips one whole value, whatever it holds.
  public mutating func skip(in bytes: borrowing RawSpan) throws(JSONError) {
    try skipRest(of: value(in: bytes), in: bytes)
  }

  /// Checks and skips what is left of a value that was just read.
  public mutating func skipRest(
    of opened: JSONValue, in bytes: borrowing RawSpan
  ) throws(JSONError) {
    // One bit for each level that this call opened, the innermost lowest: 1 for an object.
    var kinds: UInt64 = 0
    var levels = 0
    var value = opened
    while true {
      switch value {
      case .object: (kinds, levels) = (kinds << 1 | 1, levels + 1)
      case .array: (kinds, levels) = (kinds << 1, levels + 1)
      case .string, .number, .boolean, .null: break
      }
      while levels > 0 {
        let hasNext =
          kinds & 1 == 1 ? try member(in: bytes) != nil : try element(in: bytes)
        if hasNext { break }
        (kinds, levels) = (kinds >> 1, levels - 1)
      }
      guard levels > 0 else { return }
      value = try self.value(in: bytes)
    }
  }

  /// Checks that nothing but white space follows the value.
  public mutating func finish(in bytes: borrowing RawSpan) throws(JSONError) {
    skipSpace(in: bytes)
    guard offset == end else { throw JSONError(.trailingText, at: offset) }
  }

  /// Checks that `bytes` are one JSON text within `limits`.
  public static func check(
    _ bytes: borrowing RawSpan, limits: JSONLimits = JSONLimits()
  ) throws(JSONError) {
    var scanner = JSONScanner(bytes, limits: limits)
    try scanner.skip(in: bytes)
    try scanner.finish(in: bytes)
  }
}

extension JSONScanner {
  @inline(__always)
  private func byte(in bytes: borrowing RawSpan) -> UInt8 {
    bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  @inline(__always)
  private mutating func skipSpace(in bytes: borrowing RawSpan) {
    while offset < end {
      switch byte(in: bytes) {
      case 0x20, 0x0a, 0x0d, 0x09: offset += 1
      default: return
      }
    }
  }

  private func atEnd(in bytes: borrowing RawSpan) -> JSONError {
    var probe = JSONScanner(bytes, limits: limits)
    probe.skipSpace(in: bytes)
    return JSONError(probe.offset == end ? .empty : .unexpectedEnd, at: offset)
  }

  private mutating func open() throws(JSONError) {
    guard depth < limits.depthMax else {
      throw JSONError(.tooDeep(limit: limits.depthMax), at: offset)
    }
    depth += 1
    offset += 1
    isFresh = true
  }

  /// Stands before the next member or element, or takes the closing byte and returns false.
  private mutating func separated(
    by closing: UInt8, else problem: JSONError.Reason, in bytes: borrowing RawSpan
  ) throws(JSONError) -> Bool {
    precondition(depth > 0, "no object or array is open")
    skipSpace(in: bytes)
    guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
    if byte(in: bytes) == closing {
      offset += 1
      depth -= 1
      isFresh = false
      return false
    }
    if isFresh {
      isFresh = false
      return true
    }
    guard byte(in: bytes) == UInt8(ascii: ",") else { throw JSONError(problem, at: offset) }
    let comma = offset
    offset += 1
    skipSpace(in: bytes)
    guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
    guard byte(in: bytes) != closing else { throw JSONError(.trailingComma, at: comma) }
    return true
  }

  private mutating func word(in bytes: borrowing RawSpan) throws(JSONError) -> JSONValue {
    let start = offset
    while offset < end, isWordByte(byte(in: bytes)) { offset += 1 }
    let word = JSONString(range: start..<offset, hasEscapes: false)
    if word.equals("true", in: bytes) { return .boolean(true) }
    if word.equals("false", in: bytes) { return .boolean(false) }
    if word.equals("null", in: bytes) { return .null }
    throw JSONError(.unknownWord, at: start)
  }

  private func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

// MARK: - Numbers

extension JSONScanner {
  /// number = [ minus ] int [ frac ] [ exp ] (RFC 8259 §6)
  private mutating func number(in bytes: borrowing RawSpan) throws(JSONError) -> JSONNumber {
    let start = offset
    if byte(in: bytes) == UInt8(ascii: "-") {
      offset += 1
      if offset < end, isWordByte(byte(in: bytes)), !isDigit(byte(in: bytes)) {
        throw JSONError(.unknownWord, at: start)
      }
    }
    let isLeadingZero = offset < end && byte(in: bytes) == UInt8(ascii: "0")
    let count = try digits(from: start, in: bytes)
    guard !isLeadingZero || count == 1 else { throw JSONError(.malformedNumber, at: start) }
    if offset < end, byte(in: bytes) == UInt8(ascii: ".") {
      offset += 1
      _ = try digits(from: start, in: bytes)
    }
    if offset < end, byte(in: bytes) | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if offset < end, byte(in: bytes) == UInt8(ascii: "+") || byte(in: bytes) == UInt8(ascii: "-")
      {
        offset += 1
      }
      _ = try digits(from: start, in: bytes)
    }
    if offset < end, isWordByte(byte(in: bytes)) || byte(in: bytes) == UInt8(ascii: ".") {
      throw JSONError(.malformedNumber, at: start)
    }
    return JSONNumber(range: start..<offset)
  }

  /// Takes one digit or more and returns how many.
  private mutating func digits(
    from start: Int, in bytes: borrowing RawSpan
  ) throws(JSONError) -> Int {
    let first = offset
    while offset < end, isDigit(byte(in: bytes)) {
      offset += 1
      guard offset - start <= limits.numberByteCountMax else {
        throw JSONError(.numberTooLong(limit: limits.numberByteCountMax), at: start)
      }
    }
    guard offset > first else {
      throw JSONError(offset == end ? .unexpectedEnd : .malformedNumber, at: start)
    }
    return offset - first
  }

  @inline(__always)
  private func isDigit(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10
  }
}

// MARK: - Strings

extension JSONScanner {
  private mutating func string(in bytes: borrowing RawSpan) throws(JSONError) -> JSONString {
    offset += 1
    let start = offset
    var hasEscapes = false
    while true {
      guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
      guard offset - start <= limits.stringByteCountMax else {
        throw JSONError(.stringTooLong(limit: limits.stringByteCountMax), at: start - 1)
      }
      let byte = byte(in: bytes)
      switch byte {
      case UInt8(ascii: "\""):
        defer { offset += 1 }
        return JSONString(range: start..<offset, hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        try escape(in: bytes)
      case 0..<0x20: throw JSONError(.controlCharacter(byte), at: offset)
      case 0x20..<0x80: offset += 1
      default:
        let length = utf8SequenceLength(at: offset, end: end, in: bytes)
        guard length > 0 else { throw JSONError(.invalidUTF8, at: offset) }
        offset += length
      }
    }
  }

  private mutating func escape(in bytes: borrowing RawSpan) throws(JSONError) {
    let start = offset
    offset += 1
    guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
    switch byte(in: bytes) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 1
    case UInt8(ascii: "u"):
      let unit = try codeUnit(from: start, in: bytes)
      guard (0xd800..<0xe000).contains(unit) else { return }
      guard unit < 0xdc00, end - offset >= 2, byte(in: bytes) == UInt8(ascii: "\\"),
        bytes.unsafeLoad(fromByteOffset: offset + 1, as: UInt8.self) == UInt8(ascii: "u")
      else { throw JSONError(.loneSurrogate, at: start) }
      offset += 1
      guard (0xdc00..<0xe000).contains(try codeUnit(from: start, in: bytes)) else {
        throw JSONError(.loneSurrogate, at: start)
      }
    default: throw JSONError(.malformedEscape, at: start)
    }
  }

  /// Takes the u and four hexadecimal digits.
  private mutating func codeUnit(
    from start: Int, in bytes: borrowing RawSpan
  ) throws(JSONError) -> UInt32 {
    offset += 1
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard offset < end else { throw JSONError(.unexpectedEnd, at: offset) }
      guard let digit = hexadecimalDigit(byte(in: bytes)) else {
        throw JSONError(.malformedEscape, at: start)
      }
      unit = unit << 4 | digit
      offset += 1
    }
    return unit
  }
}

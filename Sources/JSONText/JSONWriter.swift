/// Appends JSON text (RFC 8259) to a byte array. Commas are its own care; that every `begin` has
/// its `end` and every member its key is the caller's.
public struct JSONWriter: Sendable {
  /// What has been written.
  public private(set) var bytes: [UInt8]
  /// Whether a comma must come before the next key or value.
  private var needsComma = false

  /// An empty writer with room for `capacity` bytes.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Forgets what was written and keeps the room: for one writer over many lines.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    needsComma = false
  }

  /// Ends the line: JSON Lines, one value to a line.
  public mutating func endLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  /// Opens an object.
  public mutating func beginObject() { open(UInt8(ascii: "{")) }

  /// Closes an object.
  public mutating func endObject() { close(UInt8(ascii: "}")) }

  /// Opens an array.
  public mutating func beginArray() { open(UInt8(ascii: "[")) }

  /// Closes an array.
  public mutating func endArray() { close(UInt8(ascii: "]")) }

  /// Writes a key that is written in the source: plain ASCII with nothing to escape.
  public mutating func key(_ name: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a key from UTF-8, escaped.
  public mutating func key(utf8 name: [UInt8]) {
    string(utf8: name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a string.
  public mutating func string(_ text: String) {
    var text = text
    separate()
    text.withUTF8 { quote(UnsafeRawBufferPointer($0).bytes) }
    needsComma = true
  }

  /// Writes a string from UTF-8; what is not UTF-8 becomes U+FFFD.
  public mutating func string(utf8 text: [UInt8]) {
    separate()
    quote(text.span.bytes)
    needsComma = true
  }

  /// Writes true or false.
  public mutating func boolean(_ value: Bool) { word(value ? "true" : "false") }

  /// Writes null.
  public mutating func null() { word("null") }

  /// Appends bytes that are one JSON value already, as they are.
  public mutating func verbatim(_ value: some Collection<UInt8>) {
    separate()
    bytes.append(contentsOf: value)
    needsComma = true
  }

  /// Writes a number by appending its text.
  mutating func number(_ append: (inout [UInt8]) -> Void) {
    separate()
    append(&bytes)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func close(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func word(_ text: StaticString) {
    separate()
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    needsComma = true
  }
}

// MARK: - Strings

extension JSONWriter {
  private mutating func quote(_ text: borrowing RawSpan) {
    bytes.append(UInt8(ascii: "\""))
    let end = text.byteCount
    var offset = 0
    var plain = 0
    while offset < end {
      let length = plainLength(at: offset, end: end, in: text)
      if length > 0 {
        offset += length
        continue
      }
      append(text, plain..<offset)
      offset += escape(at: offset, end: end, in: text)
      plain = offset
    }
    append(text, plain..<end)
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func append(_ text: borrowing RawSpan, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    text.extracting(range).withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// The length of the character at `offset` if it can stand as it is, or 0.
  private func plainLength(at offset: Int, end: Int, in text: borrowing RawSpan) -> Int {
    switch text.unsafeLoad(fromByteOffset: offset, as: UInt8.self) {
    case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x7f: 0
    case 0x20..<0x80: 1
    case 0xe2 where lineSeparator(at: offset, end: end, in: text) != nil: 0
    default: utf8SequenceLength(at: offset, end: end, in: text)
    }
  }

  /// U+2028 and U+2029 end lines in JavaScript source: the last hexadecimal digit of such a one.
  private func lineSeparator(at offset: Int, end: Int, in text: borrowing RawSpan) -> UInt8? {
    guard end - offset >= 3,
      text.unsafeLoad(fromByteOffset: offset, as: UInt8.self) == 0xe2,
      text.unsafeLoad(fromByteOffset: offset + 1, as: UInt8.self) == 0x80
    else { return nil }
    let last = text.unsafeLoad(fromByteOffset: offset + 2, as: UInt8.self)
    guard last == 0xa8 || last == 0xa9 else { return nil }
    return last == 0xa8 ? UInt8(ascii: "8") : UInt8(ascii: "9")
  }

  /// Writes the escape of the character at `offset` and returns the character's length.
  private mutating func escape(at offset: Int, end: Int, in text: borrowing RawSpan) -> Int {
    let byte = text.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): escape(byte)
    case 0x08: escape(UInt8(ascii: "b"))
    case 0x09: escape(UInt8(ascii: "t"))
    case 0x0a: escape(UInt8(ascii: "n"))
    case 0x0c: escape(UInt8(ascii: "f"))
    case 0x0d: escape(UInt8(ascii: "r"))
    case 0..<0x80:
      bytes.append(contentsOf: #"\u00"#.utf8)
      for digit in [byte >> 4, byte & 15] {
        bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      }
    default:
      if let digit = lineSeparator(at: offset, end: end, in: text) {
        bytes.append(contentsOf: #"\u202"#.utf8)
        bytes.append(digit)
        return 3
      }
      bytes.append(contentsOf: #"\ufffd"#.utf8)
    }
    return 1
  }

  private mutating func escape(_ letter: UInt8) {
    bytes.append(UInt8(ascii: "\\"))
    bytes.append(letter)
  }
}

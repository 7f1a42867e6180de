/// A JSON value whose numbers keep their digits, so that money can be compared as it was written.
indirect enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// The digits as they stand in the text.
  case number(String)
  case string(String)
  case array([JSON])
  /// Members in the order of the text; a key may stand twice, so that a test can see it.
  case object([Member])

  struct Member: Equatable, Sendable {
    var key: String
    var value: JSON
  }

  struct Malformed: Error {
    var text: String
  }

  init(_ text: String) throws {
    var parser = JSONParser(bytes: Array(text.utf8))
    guard let value = parser.value(), parser.isAtEnd else { throw Malformed(text: text) }
    self = value
  }

  subscript(_ path: String...) -> JSON {
    var value = self
    for key in path {
      guard case .object(let members) = value else { return .null }
      value = members.first { $0.key == key }?.value ?? .null
    }
    return value
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }
  /// The digits of a number.
  var digits: String? { if case .number(let text) = self { text } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var integer: Int? { digits.flatMap { Int($0) } }
  var double: Double? { digits.flatMap { Double($0) } }
  var array: [JSON] { if case .array(let values) = self { values } else { [] } }
  var members: [Member] { if case .object(let members) = self { members } else { [] } }
  var keys: [String] { members.map(\.key) }
}

private struct JSONParser {
  let bytes: [UInt8]
  var place = 0

  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return place == bytes.count
    }
  }

  mutating func value() -> JSON? {
    skipSpace()
    guard place < bytes.count else { return nil }
    switch bytes[place] {
    case UInt8(ascii: "{"): return object()
    case UInt8(ascii: "["): return array()
    case UInt8(ascii: "\""): return text().map { .string($0) }
    default: return word()
    }
  }

  private mutating func skipSpace() {
    while place < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[place]) { place += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard place < bytes.count, bytes[place] == character.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func object() -> JSON? {
    var members: [JSON.Member] = []
    place += 1
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard let key = text(), take(":"), let value = value() else { return nil }
      members.append(JSON.Member(key: key, value: value))
    } while take(",")
    return take("}") ? .object(members) : nil
  }

  private mutating func array() -> JSON? {
    var values: [JSON] = []
    place += 1
    if take("]") { return .array(values) }
    repeat {
      guard let value = value() else { return nil }
      values.append(value)
    } while take(",")
    return take("]") ? .array(values) : nil
  }

  private mutating func word() -> JSON? {
    let start = place
    while place < bytes.count, !" ,]}\n\r\t".utf8.contains(bytes[place]) { place += 1 }
    let word = String(decoding: bytes[start..<place], as: UTF8.self)
    switch word {
    case "null": return .null
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: return Double(word) == nil ? nil : .number(word)
    }
  }

  private mutating func text() -> String? {
    guard take("\"") else { return nil }
    var result: [UInt8] = []
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard place < bytes.count, let escaped = escape() else { return nil }
      result += escaped
    }
    return nil
  }

  private mutating func escape() -> [UInt8]? {
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "u"):
      guard place + 4 <= bytes.count,
        let code = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16),
        let scalar = Unicode.Scalar(code)
      else { return nil }
      place += 4
      return Array(String(Character(scalar)).utf8)
    default: return [byte]
    }
  }
}

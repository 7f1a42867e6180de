/// A JSON document that keeps what others lose: the digits of every number, the order of members.
///
/// Money travels as JSON numbers; read through a binary float, `900000000000.01` is no longer what
/// was written. Here a number is its text.
enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// The number's text, as it stood in the document (RFC 8259 §6).
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// One member of an object, in its place.
  struct Member: Equatable, Sendable {
    var name: String
    var value: JSONValue
  }

  /// The first member of that name; `nil` for anything but an object.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text of a string or of a number.
  var text: String? {
    switch self {
    case .string(let text), .number(let text): text
    case .null, .bool, .array, .object: nil
    }
  }

  var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  var integer: Int? {
    guard case .number(let text) = self else { return nil }
    return Int(text)
  }

  /// For times, clocks and rates; never for money.
  var double: Double? {
    guard case .number(let text) = self else { return nil }
    return Double(text)
  }

  var elements: [JSONValue]? {
    guard case .array(let elements) = self else { return nil }
    return elements
  }

  var members: [Member]? {
    guard case .object(let members) = self else { return nil }
    return members
  }

  /// The document with the value at that path put in, its objects made where they are missing.
  func setting(_ path: ArraySlice<String>, to value: JSONValue) -> JSONValue {
    guard let name = path.first else { return value }
    var members = self.members ?? []
    let changed = (self[name] ?? .object([])).setting(path.dropFirst(), to: value)
    if let place = members.firstIndex(where: { $0.name == name }) {
      members[place].value = changed
    } else {
      members.append(Member(name: name, value: changed))
    }
    return .object(members)
  }
}

extension JSONValue: CustomStringConvertible {
  /// The document on one line.
  var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let text): text
    case .string(let text): Self.quoted(text)
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.name) + ":\($0.value)" }.joined(separator: ",") + "}"
    }
  }

  /// The document for a person, two spaces a level.
  func pretty(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .object(let members) where !members.isEmpty:
      let lines = members.map {
        inner + Self.quoted($0.name) + ": " + $0.value.pretty(indent: inner)
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n" + indent + "}"
    case .array(let elements) where !elements.isEmpty:
      let lines = elements.map { inner + $0.pretty(indent: inner) }
      return "[\n" + lines.joined(separator: ",\n") + "\n" + indent + "]"
    case .null, .bool, .number, .string, .array, .object:
      return description
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Reads `name=value&…` (WHATWG URL §5.1, application/x-www-form-urlencoded).
struct QueryText {
  /// Names and values in order, decoded.
  private(set) var pairs: [(name: String, value: [UInt8])] = []

  /// Reads a query, and refuses names that are not in `known` or that stand twice.
  init(_ query: Substring, known: [String]) throws(HTTPProblem) {
    for part in query.split(separator: "&") {
      let mark = part.firstIndex(of: "=") ?? part.endIndex
      let rest = mark == part.endIndex ? "" : part[part.index(after: mark)...]
      guard let nameBytes = Self.decoded(part[..<mark]), let value = Self.decoded(rest) else {
        throw HTTPProblem(
          400, "parameter_malformed",
          "A % in the query must be followed by two hexadecimal digits",
          field: String(part[..<mark].prefix(100)))
      }
      let name = String(decoding: nameBytes, as: UTF8.self)
      guard known.contains(name) else {
        throw HTTPProblem(
          400, "parameter_unknown",
          "There is no parameter \(name.prefix(100)); there are \(known.joined(separator: ", "))",
          field: String(name.prefix(100)))
      }
      guard self[name] == nil else {
        throw HTTPProblem(
          400, "parameter_repeated", "Parameter \(name) stands twice; give it once", field: name)
      }
      pairs.append((name, value))
    }
  }

  /// The value of a parameter, or nil where it is absent.
  subscript(_ name: String) -> [UInt8]? {
    pairs.first { $0.name == name }?.value
  }

  /// Percent-decoded bytes, or nil where a % is not followed by two hexadecimal digits.
  static func decoded(_ text: Substring, plusIsSpace: Bool = true) -> [UInt8]? {
    var decoded: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+") where plusIsSpace: decoded.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = rest.popFirst().flatMap(hexadecimal),
          let low = rest.popFirst().flatMap(hexadecimal)
        else { return nil }
        decoded.append(high << 4 | low)
      default: decoded.append(byte)
      }
    }
    return decoded
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8? {
    Character(Unicode.Scalar(digit)).hexDigitValue.map { UInt8($0) }
  }
}

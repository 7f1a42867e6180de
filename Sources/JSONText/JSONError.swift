/// Why bytes are not the JSON that was asked for, and where.
public struct JSONError: Error, Hashable, Sendable {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// There is nothing but white space.
    case empty
    /// The text starts with a byte order mark (RFC 8259 §8.1).
    case byteOrderMark
    /// The text ends inside a value.
    case unexpectedEnd
    /// Something other than a value stands where one must.
    case expectedValue
    /// A word that is not true, false or null: NaN and Infinity among them (RFC 8259 §6).
    case unknownWord
    /// Something other than a string in double quotes stands where a key must.
    case expectedKey
    /// No colon after a key.
    case expectedColon
    /// Neither a comma nor the closing brace after a member.
    case expectedCommaOrBrace
    /// Neither a comma nor the closing bracket after an element.
    case expectedCommaOrBracket
    /// A comma with nothing after it.
    case trailingComma
    /// More text after the value.
    case trailingText
    /// A number that RFC 8259 §6 does not allow: leading zero or plus, no digit where one must be.
    case malformedNumber
    /// A byte sequence that is not UTF-8 (RFC 3629 §4).
    case invalidUTF8
    /// A control character that is not escaped (RFC 8259 §7).
    case controlCharacter(UInt8)
    /// A backslash followed by something that is no escape (RFC 8259 §7).
    case malformedEscape
    /// Half of a surrogate pair: no character (RFC 8259 §8.2).
    case loneSurrogate
    /// Nested deeper than the limit.
    case tooDeep(limit: Int)
    /// A string longer than the limit, bytes.
    case stringTooLong(limit: Int)
    /// A number longer than the limit, bytes.
    case numberTooLong(limit: Int)
    /// A key that its object has already.
    case duplicateKey
    /// More members than the reader of this object takes.
    case tooManyMembers(limit: Int)
  }

  /// What is wrong.
  public let reason: Reason
  /// Where: bytes from the start of the text.
  public let offset: Int

  /// An error from its parts.
  public init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  /// One sentence for a person, with the place counted from 1.
  public var sentence: String { "\(explanation), at byte \(offset + 1)." }

  private var explanation: String {
    switch reason {
    case .empty: "There is no JSON here; send one value"
    case .byteOrderMark: "JSON must not start with a byte order mark; leave it out"
    case .unexpectedEnd: "The JSON ends in the middle of a value; send all of it"
    case .expectedValue:
      "A JSON value must stand here: an object, an array, a string in double quotes, a number, "
        + "true, false or null"
    case .unknownWord:
      "JSON knows only the words true, false and null; NaN and Infinity are not JSON numbers, and "
        + "text goes in double quotes"
    case .expectedKey: "A key in double quotes must stand here"
    case .expectedColon: "A colon must follow the key"
    case .expectedCommaOrBrace: "A comma or a closing brace must follow the value"
    case .expectedCommaOrBracket: "A comma or a closing bracket must follow the value"
    case .trailingComma: "Nothing follows this comma; leave it out"
    case .trailingText: "More text follows the JSON value; send one value only"
    case .malformedNumber:
      "This is not a JSON number; write digits as in 150.75, with no leading zero or plus sign"
    case .invalidUTF8: "This is not valid UTF-8; encode the text as UTF-8"
    case .controlCharacter(let byte):
      "A control character (code \(byte)) stands in a string; leave it out or escape it"
    case .malformedEscape:
      "A backslash must be followed by one of \" \\ / b f n r t, or by u and four hexadecimal "
        + "digits"
    case .loneSurrogate: "Half of a surrogate pair is no character; send both halves"
    case .tooDeep(let limit): "JSON nested deeper than \(limit) levels is not taken"
    case .stringTooLong(let limit): "A string longer than \(limit) bytes is not taken"
    case .numberTooLong(let limit): "A number longer than \(limit) characters is not taken"
    case .duplicateKey: "This key stands twice in its object; send it once"
    case .tooManyMembers(let limit): "An object of more than \(limit) members is not taken here"
    }
  }
}

import Bytes
import Ledger

extension TransactionQuery {
  /// Reads the query of `GET /transactions`.
  init(_ query: Substring) throws(HTTPProblem) {
    let text = try QueryText(
      query,
      known: [
        "limit", "cursor", "account", "from", "to", "node", "order", QueryText.consistencyName,
      ])
    consistency = try text.consistency(default: consistency)
    limit = try text.limit(default: Self.limitDefault, max: Self.limitMax)
    account = try text.account()
    fromNanoseconds = try text.time("from")
    toNanoseconds = try text.time("to")
    if let bytes = text["cursor"] {
      guard let sequence = CursorText.sequence(bytes) else { throw .badCursor }
      cursor = sequence
    }
    if let bytes = text["node"] { node = String(decoding: bytes, as: UTF8.self) }
    if let bytes = text["order"] {
      switch String(decoding: bytes, as: UTF8.self) {
      case "asc": newestFirst = false
      case "desc": newestFirst = true
      default:
        throw HTTPProblem(
          400, "parameter_invalid", "order must be asc or desc", field: "order")
      }
    }
  }
}

extension BalanceQuery {
  /// Reads the query of `GET /get_ledger`.
  init(_ query: Substring) throws(HTTPProblem) {
    let text = try QueryText(
      query, known: ["account", "cursor", "limit", QueryText.consistencyName])
    consistency = try text.consistency(default: consistency)
    limit = try text.limit(default: Self.limitDefault, max: Self.limitMax)
    account = try text.account()
    if let bytes = text["cursor"] {
      guard let name = CursorText.account(bytes) else { throw .badCursor }
      cursor = name
    }
  }
}

extension QueryText {
  fileprivate func limit(default usual: Int, max most: Int) throws(HTTPProblem) -> Int {
    guard let bytes = self["limit"] else { return usual }
    guard let limit = Int(String(decoding: bytes, as: UTF8.self)), (1...most).contains(limit) else {
      throw HTTPProblem(
        400, "parameter_invalid", "limit must be a whole number from 1 to \(most)", field: "limit")
    }
    return limit
  }

  fileprivate func account() throws(HTTPProblem) -> [UInt8]? {
    guard let bytes = self["account"] else { return nil }
    do { return try NameText.accountName(bytes) } catch {
      throw HTTPProblem(
        400, "parameter_invalid",
        "account must be 1 to \(NameText.nameScalarCountMax) characters of UTF-8 without control "
          + "characters", field: "account")
    }
  }

  fileprivate func time(_ name: String) throws(HTTPProblem) -> Int64? {
    guard let bytes = self[name] else { return nil }
    guard let nanoseconds = TimeText.nanoseconds(bytes) else {
      throw HTTPProblem(
        400, "parameter_invalid",
        "\(name) must be seconds since 1970, such as 1727123456.789, or a time such as "
          + "2024-09-23T20:30:56.789Z, of the years 1678 to 2261", field: name)
    }
    return nanoseconds
  }
}

extension HTTPProblem {
  fileprivate static let badCursor = HTTPProblem(
    400, "cursor_invalid", "cursor must be a next_cursor of an earlier answer", field: "cursor")
}

/// The text form of a place in a list. It stays good as long as the log does.
enum CursorText {
  /// `s` and the sequence in hexadecimal.
  static func text(_ sequence: EventSequence) -> String {
    "s" + String(sequence.rawValue, radix: 16)
  }

  /// The sequence of a cursor's text, or nil where it is none.
  static func sequence(_ bytes: [UInt8]) -> EventSequence? {
    guard bytes.first == UInt8(ascii: "s"), (2...17).contains(bytes.count), bytes[1] != 0x2b,
      let value = UInt64(String(decoding: bytes.dropFirst(), as: UTF8.self), radix: 16)
    else { return nil }
    return EventSequence(value)
  }

  /// `a` and the account's bytes in hexadecimal.
  static func text(account: [UInt8]) -> String { "a" + account.hexadecimal }

  /// The account of a cursor's text, or nil where it is none.
  static func account(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.first == UInt8(ascii: "a"), bytes.count <= 1 + 2 * NameText.nameByteCountMax,
      let name = [UInt8](hexadecimal: String(decoding: bytes.dropFirst(), as: UTF8.self)),
      !name.isEmpty
    else { return nil }
    return name
  }
}

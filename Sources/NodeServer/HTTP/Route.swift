/// What a request asks for: its method and path, looked up in one table.
enum Route: Hashable {
  /// Most bytes of a path with its query.
  static let targetByteCountMax = 8192

  case pay
  case transactions(query: Substring)
  case transaction(id: String)
  case ledger(query: Substring)
  case health
  case status
  case ping
  case live
  case ready

  /// The route of a request's method and target (RFC 9112 §3.2.1), or why there is none.
  init(method: String, target: String) throws(HTTPProblem) {
    if target == "/payment" && method == "POST" {
      self = .pay
      return
    }
    let bytes = target.utf8
    guard bytes.count <= Self.targetByteCountMax else { throw .targetTooLong }
    let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
    let path = target[..<mark]
    let query = mark == bytes.endIndex ? "" : target[bytes.index(after: mark)...]
    guard let found = try Self.find(path, query: query) else {
      throw .unknownPath(String(path))
    }
    guard method == "GET" || method == "HEAD" || method == "POST",
      (method == "POST") == found.isPost
    else { throw .wrongMethod(allow: found.isPost ? "POST" : "GET, HEAD", path: String(path)) }
    self = found
  }

  /// Whether it changes something.
  var isPost: Bool { self == .pay }

  private static func find(
    _ path: Substring, query: Substring
  ) throws(HTTPProblem) -> Route? {
    switch path {
    case "/payment", "/pay": return .pay
    case "/transactions": return .transactions(query: query)
    case "/get_ledger": return .ledger(query: query)
    case "/health": return .health
    case "/status": return .status
    case "/ping": return .ping
    case "/livez": return .live
    case "/readyz": return .ready
    default:
      let prefix = "/transactions/"
      guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count else { return nil }
      let escaped = path.dropFirst(prefix.count)
      guard let id = QueryText.decoded(escaped, plusIsSpace: false) else {
        throw HTTPProblem(
          400, "path_malformed", "A % in the path must be followed by two hexadecimal digits")
      }
      return .transaction(id: String(decoding: id, as: UTF8.self))
    }
  }
}

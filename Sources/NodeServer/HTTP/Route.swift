/// What a request asks for: its method and path, looked up in one table.
enum Route: Hashable {
  /// Most bytes of a path with its query.
  static let targetByteCountMax = 8192

  case pay(query: Substring)
  case transactions(query: Substring)
  case transaction(id: String, query: Substring)
  case ledger(query: Substring)
  case health(query: Substring)
  case status(query: Substring)
  case ping
  case live
  case ready
  case members(query: Substring)
  case leader(query: Substring)
  case policy(query: Substring)
  case receipt(id: String)
  case checkpoint
  case trustPolicy
  case consistency(query: Substring)
  case log
  case segment(name: String, query: Substring)
  case operate(OperatorAction)

  /// The route of a request's method and target (RFC 9112 §3.2.1), or why there is none.
  init(method: String, target: String) throws(HTTPProblem) {
    if target == "/payment" && method == "POST" {
      self = .pay(query: "")
      return
    }
    let bytes = target.utf8
    guard bytes.count <= Self.targetByteCountMax else { throw .targetTooLong }
    let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
    let path = target[..<mark]
    let query = mark == bytes.endIndex ? "" : target[bytes.index(after: mark)...]
    let read = try Self.read(path, query: query)
    let write = Self.write(path, query: query)
    switch method {
    case "GET", "HEAD":
      if let read {
        self = read
        return
      }
    case "POST":
      if let write {
        self = write
        return
      }
    case "PUT":
      // A rule is set to a value, however often.
      if let write, write == .operate(.policy) {
        self = write
        return
      }
    default: break
    }
    throw Self.problem(path, canRead: read != nil, write: write)
  }

  /// Whether its request has a body.
  var hasBody: Bool {
    switch self {
    case .pay, .operate: true
    case .transactions, .transaction, .ledger, .health, .status, .ping, .live, .ready, .members,
      .leader, .policy, .receipt, .checkpoint, .trustPolicy, .consistency,
      .log, .segment:
      false
    }
  }

  private static func write(_ path: Substring, query: Substring) -> Route? {
    switch path {
    case "/payment", "/pay": .pay(query: query)
    case "/v1/members": .operate(.members)
    case "/v1/leader": .operate(.leader)
    case "/v1/policy": .operate(.policy)
    default: nil
    }
  }

  private static func read(
    _ path: Substring, query: Substring
  ) throws(HTTPProblem) -> Route? {
    switch path {
    case "/transactions": return .transactions(query: query)
    case "/get_ledger": return .ledger(query: query)
    case "/health": return .health(query: query)
    case "/status": return .status(query: query)
    case "/ping": return .ping
    case "/livez": return .live
    case "/readyz": return .ready
    case "/v1/members": return .members(query: query)
    case "/v1/leader": return .leader(query: query)
    case "/v1/policy": return .policy(query: query)
    case "/v1/checkpoint": return .checkpoint
    case "/v1/trust-policy": return .trustPolicy
    case "/v1/consistency": return .consistency(query: query)
    case "/v1/log": return .log
    default:
      if let id = try name(in: path, between: "/transactions/", and: "") {
        return .transaction(id: id, query: query)
      }
      if let name = try name(in: path, between: "/v1/log/", and: "") {
        return .segment(name: name, query: query)
      }
      return try name(in: path, between: "/v1/payments/", and: "/receipt").map { .receipt(id: $0) }
    }
  }

  /// What stands between two parts of a path, decoded; nil where the path has not these parts.
  private static func name(
    in path: Substring, between prefix: String, and suffix: String
  ) throws(HTTPProblem) -> String? {
    guard path.hasPrefix(prefix), path.hasSuffix(suffix),
      path.utf8.count > prefix.utf8.count + suffix.utf8.count
    else { return nil }
    let escaped = path.dropFirst(prefix.count).dropLast(suffix.count)
    guard let name = QueryText.decoded(escaped, plusIsSpace: false) else {
      throw HTTPProblem(
        400, "path_malformed", "A % in the path must be followed by two hexadecimal digits")
    }
    return String(decoding: name, as: UTF8.self)
  }

  private static func problem(_ path: Substring, canRead: Bool, write: Route?) -> HTTPProblem {
    var methods: [String] = []
    if canRead { methods += ["GET", "HEAD"] }
    if let write { methods += write == .operate(.policy) ? ["POST", "PUT"] : ["POST"] }
    guard !methods.isEmpty else { return .unknownPath(String(path)) }
    return .wrongMethod(allow: methods.joined(separator: ", "), path: String(path))
  }
}

/// Where a node answers HTTP.
struct HTTPAddress: Hashable, Sendable, CustomStringConvertible {
  let host: String
  let port: Int

  init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Reads `http://host:port`, `host:port`, or either with a slash at its end.
  init(_ text: String) throws(BenchFailure) {
    var rest = text[...]
    if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    guard let colon = rest.lastIndex(of: ":"), colon > rest.startIndex,
      let port = UInt16(rest[rest.index(after: colon)...]), port > 0
    else { throw BenchFailure("'\(text)' is not an address like http://127.0.0.1:5001.") }
    var host = rest[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }) else {
      throw BenchFailure("'\(text)' is not an address like http://127.0.0.1:5001.")
    }
    self.init(host: String(host), port: Int(port))
  }

  /// As in the Host field (RFC 9110 §7.2).
  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

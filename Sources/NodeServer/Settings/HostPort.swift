/// An address of a socket, not resolved yet.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
  /// Name or address.
  package var host: String
  /// Port.
  package var port: Int

  /// `host:port`.
  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Reads `host:port` or `[address]:port`, or, with a default port, `host`.
  init?(_ text: String, defaultPort: Int? = nil) {
    let isBracketed = text.hasPrefix("[")
    let colon = text.lastIndex(of: ":")
    let closing = text.lastIndex(of: "]")
    if let colon, closing.map({ $0 < colon }) ?? (text.firstIndex(of: ":") == colon) {
      guard let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port) else {
        return nil
      }
      self.port = port
      host = String(text[..<colon])
    } else {
      guard let defaultPort else { return nil }
      port = defaultPort
      host = text
    }
    if isBracketed {
      guard host.hasSuffix("]") else { return nil }
      host = String(host.dropFirst().dropLast())
    }
    guard !host.isEmpty, !host.contains(where: { " /[]".contains($0) }) else { return nil }
  }
}

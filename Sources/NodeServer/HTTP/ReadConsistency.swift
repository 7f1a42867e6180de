/// How new the answer to a read must be.
package enum ReadConsistency: String, Hashable, Sendable {
  /// What this node has applied: at once, and perhaps older than what another node has answered.
  case local
  /// Everything that was acknowledged anywhere before the request came (linearizable): the leader
  /// is asked first, and this node waits until it has applied as much.
  case linearizable
}

extension QueryText {
  /// The parameter that every read takes.
  static let consistencyName = "consistency"

  /// What the parameter `consistency` asks for.
  func consistency(default usual: ReadConsistency) throws(HTTPProblem) -> ReadConsistency {
    guard let bytes = self[Self.consistencyName] else { return usual }
    guard let consistency = ReadConsistency(rawValue: String(decoding: bytes, as: UTF8.self)) else {
      throw HTTPProblem(
        400, "parameter_invalid", "consistency must be local or linearizable",
        field: Self.consistencyName)
    }
    return consistency
  }
}

extension ReadConsistency {
  /// Reads a query that has no other parameter.
  init(_ query: Substring, default usual: ReadConsistency) throws(HTTPProblem) {
    self = try QueryText(query, known: [QueryText.consistencyName]).consistency(default: usual)
  }
}

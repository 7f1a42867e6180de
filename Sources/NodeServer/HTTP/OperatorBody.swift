import Bytes
import JSONText
import Ledger
package import Replica

/// What an operator's request changes: each has a path and a form of body of its own.
package enum OperatorAction: Hashable, CaseIterable {
  /// `POST /v1/members`.
  case members
  /// `POST /v1/leader`.
  case leader
  /// `POST` or `PUT /v1/policy`.
  case policy
}

/// Reads the body of an operator's request: pure, bounded, and strict: a misspelt field must not
/// silently mean another change than was wanted.
package struct OperatorBody {
  /// What a body may hold: an address has at most 64 bytes, and the rest is room for a good answer.
  static let limits = JSONLimits(depthMax: 2, stringByteCountMax: 256, numberByteCountMax: 32)

  /// Names and values in their order; numbers by their digits, texts decoded.
  private var fields: [(name: String, value: String)] = []

  /// The request that `bytes` ask for.
  package static func request(
    _ action: OperatorAction, _ bytes: borrowing RawSpan
  ) throws(HTTPProblem) -> OperatorRequest {
    switch action {
    case .members:
      let body = try OperatorBody(bytes, known: ["action", "id", "peer", "client", "with"])
      return try body.memberRequest()
    case .leader:
      let body = try OperatorBody(bytes, known: ["to"])
      return .transferLeadership(to: try body.nodeIfGiven("to"))
    case .policy:
      let body = try OperatorBody(bytes, known: ["key", "value"])
      return try body.policyRequest()
    }
  }

  private func memberRequest() throws(HTTPProblem) -> OperatorRequest {
    let action = try text("action")
    let isAdding = action == "add"
    let isReplacing = action == "replace"
    for name in ["peer", "client"] where !isAdding && self[name] != nil {
      throw Self.invalid(name, "belongs to the action add only; leave it out")
    }
    if !isReplacing && self["with"] != nil {
      throw Self.invalid("with", "belongs to the action replace only; leave it out")
    }
    switch action {
    case "add": return .addLearner(try member())
    case "promote": return .promote(try node("id"))
    case "demote": return .demote(try node("id"))
    case "remove": return .remove(try node("id"))
    case "replace": return .replace(try node("id"), with: try node("with"))
    default:
      throw Self.invalid("action", "must be add, promote, demote, remove or replace")
    }
  }

  private func member() throws(HTTPProblem) -> ClusterMember {
    let peer = try text("peer")
    let client = self["client"] ?? ""
    for (name, address) in [("peer", peer), ("client", client)] where !address.isEmpty {
      guard HostPort(address) != nil else { throw Self.invalid(name, "must be host:port") }
    }
    guard !peer.isEmpty else { throw Self.invalid("peer", "must be host:port") }
    let member = ClusterMember(id: try node("id"), peerAddress: peer, clientAddress: client)
    guard member.isWellFormed else {
      throw Self.invalid(
        "peer",
        "and client must be visible ASCII of at most \(ClusterMember.addressByteCountMax) characters"
      )
    }
    return member
  }

  private func policyRequest() throws(HTTPProblem) -> OperatorRequest {
    let name = try text("key")
    guard let key = PolicyKey(name: name) else {
      let names = PolicyKey.allCases.map(\.name).joined(separator: ", ")
      throw HTTPProblem(
        404, "policy_unknown", "There is no rule \(name.prefix(64)); there are \(names)",
        field: "key")
    }
    guard let value = key.value(try text("value")) else {
      throw HTTPProblem(
        400, OperatorRefusal.valueInvalid.name, "\(key.name) must be \(key.valuesText)",
        field: "value")
    }
    return .setPolicy(key, to: value)
  }

  // MARK: Fields

  private subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

  private func text(_ name: String) throws(HTTPProblem) -> String {
    guard let value = self[name] else {
      throw HTTPProblem(
        400, "field_missing", "Field \(name) is missing; add it to the request", field: name)
    }
    return value
  }

  private func node(_ name: String) throws(HTTPProblem) -> NodeID {
    guard let number = UInt16(try text(name)), (1...NodeID.countMax).contains(number) else {
      throw Self.invalid(name, "must be a node's number, 1 to \(NodeID.countMax)")
    }
    return NodeID(number)
  }

  private func nodeIfGiven(_ name: String) throws(HTTPProblem) -> NodeID? {
    self[name] == nil ? nil : try node(name)
  }

  private static func invalid(_ name: String, _ what: String) -> HTTPProblem {
    HTTPProblem(400, "field_invalid", "Field \(name) \(what)", field: name)
  }
}

extension OperatorBody {
  /// Reads an object whose members are texts or numbers of known names, each once.
  private init(_ bytes: borrowing RawSpan, known: [String]) throws(HTTPProblem) {
    var scanner = JSONScanner(bytes, limits: Self.limits)
    let body = try Self.value(&scanner, bytes, field: nil)
    guard case .object = body else { throw .operatorBodyNotObject(body.noun) }
    while let name = try Self.member(&scanner, bytes) {
      guard known.contains(name) else {
        throw HTTPProblem(
          400, "field_unknown",
          "There is no field \(name.prefix(64)); there are \(known.joined(separator: ", "))",
          field: String(name.prefix(64)))
      }
      guard self[name] == nil else {
        throw HTTPProblem(
          400, "json_duplicate_key", "Field \(name) stands twice; give it once", field: name)
      }
      switch try Self.value(&scanner, bytes, field: name) {
      case .string(let text): fields.append((name, text.text(in: bytes)))
      case .number(let number):
        fields.append((name, String(decoding: number.text(in: bytes), as: UTF8.self)))
      case .object, .array, .boolean, .null:
        throw Self.invalid(name, "must be a text or a number")
      }
    }
    do { try scanner.finish(in: bytes) } catch { throw HTTPProblem(error, field: nil) }
  }

  private static func value(
    _ scanner: inout JSONScanner, _ bytes: borrowing RawSpan, field: String?
  ) throws(HTTPProblem) -> JSONValue {
    do { return try scanner.value(in: bytes) } catch { throw HTTPProblem(error, field: field) }
  }

  private static func member(
    _ scanner: inout JSONScanner, _ bytes: borrowing RawSpan
  ) throws(HTTPProblem) -> String? {
    do { return try scanner.member(in: bytes)?.text(in: bytes) } catch {
      throw HTTPProblem(error, field: nil)
    }
  }
}

extension PolicyKey {
  /// What it may be, for a sentence.
  var valuesText: String {
    valueNames?.joined(separator: " or ")
      ?? "a whole number from \(range.lowerBound) to \(range.upperBound)"
  }
}

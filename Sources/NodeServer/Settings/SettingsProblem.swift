/// Why a node's settings cannot be used; the description tells the operator what to mend.
package enum SettingsProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file cannot be read.
  case unreadable(path: String, reason: String)
  /// The file has a key that no setting has.
  case unknownKey(String, nearest: String?)
  /// A value is of the wrong kind.
  case wrongKind(key: String, reason: String)
  /// A number is outside its range.
  case outOfRange(key: String, value: Int, range: ClosedRange<Int>)
  /// A setting without a default is missing.
  case missing(key: String)
  /// A member entry is not `id=host:port`.
  case malformedMember(String)
  /// A time server is not `host` or `host:port`.
  case malformedServer(String)
  /// Two members have one number.
  case memberRepeated(Int)
  /// This node is not among the members.
  case notAMember(Int)
  /// Two settings contradict each other.
  case contradiction(String)
  /// A flag is not `key=value`.
  case malformedFlag(String)

  /// A sentence.
  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
    case .unknownKey(let key, let nearest):
      "there is no setting \(key)" + (nearest.map { "; did you mean \($0)?" } ?? "")
    case .wrongKind(let key, let reason): "\(key): \(reason)"
    case .outOfRange(let key, let value, let range):
      "\(key) is \(value); it must be \(range.lowerBound) to \(range.upperBound)"
    case .missing(let key): "\(key) must be set"
    case .malformedMember(let text): "cluster.members: \"\(text)\" is not id=host:port"
    case .malformedServer(let text): "time.servers: \"\(text)\" is not host or host:port"
    case .memberRepeated(let id): "cluster.members: node \(id) is named twice"
    case .notAMember(let id): "node.id is \(id), which cluster.members does not name"
    case .contradiction(let sentence): sentence
    case .malformedFlag(let text): "\"\(text)\" is not key=value"
    }
  }
}

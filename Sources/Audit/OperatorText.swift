import Bytes
import HybridTime
import Ledger

extension Event {
  /// What an operator changed, as a sentence; nil for other events.
  var operatorText: String? {
    switch self {
    case .payment, .clockReport, .beacon, .clockMeasurement, .logProgress, .occurrence: nil
    case .membership(let change):
      "members: " + Self.list("voters", change.voters)
        + (change.outgoing.isEmpty ? "" : ", before " + Self.list("voters", change.outgoing))
        + (change.learners.isEmpty ? "" : ", " + Self.list("learners", change.learners))
    case .policy(let change): "policy: \(change.key.name) = \(change.key.text(of: change.value))"
    case .leadership(let transfer):
      "leadership: from \(transfer.stamp.node.rawValue) to "
        + (transfer.target.map { "\($0.rawValue)" } ?? "any")
    }
  }

  /// The event's kind in JSON; nil where it has fields of its own.
  var operatorKind: String? {
    switch self {
    case .payment, .clockReport, .beacon, .clockMeasurement, .logProgress, .occurrence: nil
    case .membership: "membership"
    case .policy: "policy"
    case .leadership: "leadership"
    }
  }

  private static func list(_ name: String, _ ids: [NodeID]) -> String {
    name + " " + ids.map { "\($0.rawValue)" }.joined(separator: " ")
  }
}

package import Bytes

/// Election safety: at most one node leads in a term (Raft figure 3), whatever was forgotten,
/// restarted or restored in between.
package struct ElectionSafety {
  private var leaders: [Term: NodeID] = [:]

  /// No term has had a leader.
  package init() {}

  /// A node says that it leads.
  package mutating func leads(_ node: NodeID, in term: Term) throws(Violation) {
    if let other = leaders[term], other != node {
      throw Violation(
        "election safety",
        "nodes \(other.rawValue) and \(node.rawValue) both lead in term \(term.rawValue)")
    }
    leaders[term] = node
  }
}

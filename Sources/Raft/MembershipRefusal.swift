package import Bytes

/// Why the members cannot be changed as asked, now.
package enum MembershipRefusal: Error, Hashable, Sendable {
  /// This node does not lead, or hands over, or has not committed an entry of its term yet.
  case notReady
  /// An earlier change is under way.
  case changing
  /// A list names a node twice, a node has two parts, or there are too many.
  case malformed
  /// Somebody must decide.
  case noVoters
  /// A node becomes a voter only after it has been a learner, so that it never has to catch up
  /// while its vote is needed (thesis §4.2.1).
  case notLearner(NodeID)
  /// The learner lacks so many entries that it would hold up commits.
  case behind(NodeID, entryCount: UInt64)
  /// Of the new voters too few are heard now and hold the log into this term: the cluster could
  /// stop.
  case wouldStop
  /// Nothing would change.
  case unchanged
}

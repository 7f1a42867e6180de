package import Bytes
package import Ledger

/// What an operator asks of the cluster. The leader carries it out, and each becomes an event.
package enum OperatorRequest: Hashable, Sendable {
  /// Give the log to a new node that decides nothing.
  case addLearner(ClusterMember)
  /// Make a learner that has caught up a voter.
  case promote(NodeID)
  /// Make a voter a learner.
  case demote(NodeID)
  /// Take a node out, whatever it is.
  case remove(NodeID)
  /// In one change, a learner that has caught up for a voter.
  case replace(NodeID, with: NodeID)
  /// Let another node lead: this one, or whoever has the longest log.
  case transferLeadership(to: NodeID?)
  /// Set a rule for all nodes.
  case setPolicy(PolicyKey, to: Int64)
}

/// Why a request was not carried out.
package enum OperatorRefusal: UInt8, Error, Hashable, Sendable, CaseIterable {
  /// No leader is known.
  case noLeader = 1
  /// The leader is new, or hands over; ask again.
  case notReady
  /// An earlier change is under way.
  case changing
  /// The node would have two parts, or there are too many, or an address is no address.
  case malformed
  /// The last voter cannot go.
  case noVoters
  /// Only a learner becomes a voter.
  case notLearner
  /// The learner has not caught up.
  case behind
  /// Of the new voters too few are up: the cluster could stop.
  case wouldStop
  /// It is so already.
  case unchanged
  /// No member has that number.
  case unknownMember
  /// A member has or had that number or a greater one: numbers are not used twice.
  case numberTaken
  /// The target did not take over in time.
  case transferFailed
  /// The value is outside the rule's range.
  case valueInvalid
  /// It was begun, and this node cannot say what became of it: look at the members.
  case inDoubt

  /// For operators.
  package var sentence: String {
    switch self {
    case .noLeader: "No leader is known; a majority of the voters must be up"
    case .notReady: "The leader is not ready; ask again"
    case .changing: "An earlier change of members is under way; ask again when it is over"
    case .malformed:
      "The members would not make a cluster: each node has one part and an address of its own, at most"
        + " 15 vote and 15 learn, and a new number is at most 100 above the greatest"
    case .noVoters: "The last voter cannot be removed"
    case .notLearner: "Only a learner can become a voter; add it as a learner first"
    case .behind: "The learner has not caught up with the log yet; ask again later"
    case .wouldStop: "Of the voters after this change too few are up: the cluster could stop"
    case .unchanged: "It is so already"
    case .unknownMember: "No member has that number"
    case .numberTaken: "A new node needs a number greater than every number that a member ever had"
    case .transferFailed: "The node did not take over in time; it may be down or behind"
    case .valueInvalid: "The value is outside the rule's range"
    case .inDoubt: "It was begun, and is not known to be done; look at the members"
    }
  }

  /// Its stable name, snake case.
  package var name: String {
    switch self {
    case .noLeader: "no_leader"
    case .notReady: "not_ready"
    case .changing: "change_under_way"
    case .malformed: "members_malformed"
    case .noVoters: "last_voter"
    case .notLearner: "not_a_learner"
    case .behind: "learner_behind"
    case .wouldStop: "would_stop"
    case .unchanged: "unchanged"
    case .unknownMember: "member_unknown"
    case .numberTaken: "number_taken"
    case .transferFailed: "transfer_failed"
    case .valueInvalid: "value_invalid"
    case .inDoubt: "in_doubt"
    }
  }
}

/// What became of an ``OperatorRequest``.
package enum OperatorResult: Hashable, Sendable {
  /// It is done, as of this index: committed and applied where it was carried out.
  case done(LogIndex)
  /// It was not done.
  case refused(OperatorRefusal)
}

/// The answer to one ``ReplicaInput/administer(_:token:)``.
package struct OperatorAnswer: Hashable, Sendable {
  /// The request's token.
  package var token: UInt64
  /// What became of it.
  package var result: OperatorResult
}

package import Bytes

/// Who takes part: the cluster's configuration (Raft §6, thesis §4).
package struct Membership: Hashable, Sendable {
  /// Most voters of one configuration: above it the cost of agreement outgrows what it protects.
  package static let votersCountMax = 15
  /// Most learners.
  package static let learnersCountMax = 15

  /// Who decides, ascending. Empty only on a node that waits to be added to a cluster.
  package let voters: [NodeID]
  /// While the voters change, those before the change: both must agree (joint consensus). Empty
  /// otherwise.
  package let outgoing: [NodeID]
  /// Who gets the log and decides nothing, ascending. Invariant: none is in `voters`.
  package let learners: [NodeID]

  /// A configuration from its parts, in any order.
  ///
  /// Preconditions: no node twice in a list, none both in `voters` and `learners`, at most
  /// ``votersCountMax`` and ``learnersCountMax``.
  package init(voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = []) {
    self.voters = voters.sorted()
    self.outgoing = outgoing.sorted()
    self.learners = learners.sorted()
    precondition(isWellFormed, "a node has one part in a configuration")
  }

  /// The configuration of a node that nobody has added yet.
  package static var none: Membership { Membership(voters: []) }

  /// Whether the voters are changing.
  package var isJoint: Bool { !outgoing.isEmpty }

  /// Everybody in it, ascending, each once.
  package var members: [NodeID] {
    var members = voters
    for list in [outgoing, learners] {
      for id in list where !members.contains(id) { members.append(id) }
    }
    return members.sorted()
  }

  /// Whether `id` has a vote, by the old or the new configuration.
  package func isVoter(_ id: NodeID) -> Bool { voters.contains(id) || outgoing.contains(id) }

  /// Whether such lists could make a configuration, before one is made of them.
  package static func canBe(
    voters: [NodeID], outgoing: [NodeID], learners: [NodeID]
  ) -> Bool {
    voters.count <= votersCountMax && outgoing.count <= votersCountMax
      && learners.count <= learnersCountMax && Set(voters).count == voters.count
      && Set(outgoing).count == outgoing.count && Set(learners).count == learners.count
      && Set(voters).isDisjoint(with: learners)
  }

  private var isWellFormed: Bool {
    Self.canBe(voters: voters, outgoing: outgoing, learners: learners)
  }
}

/// A configuration in the log.
package struct MembershipEntry: Hashable, Sendable {
  /// Where it stands; ``LogIndex/zero`` for the one that a cluster begins with.
  package var index: LogIndex
  /// Who takes part from there on.
  package var membership: Membership

  /// `membership`, written at `index`.
  package init(index: LogIndex, membership: Membership) {
    self.index = index
    self.membership = membership
  }
}

/// The configurations of a log, oldest first. A node uses the latest in its log, committed or not
/// (Raft §6), so a truncation brings an earlier one back.
package struct MembershipLog: Hashable, Sendable {
  /// Invariant: never empty; indices ascend strictly.
  package private(set) var entries: [MembershipEntry]

  /// A log without changes: `initial` holds from the start.
  package init(initial: Membership) {
    entries = [MembershipEntry(index: .zero, membership: initial)]
  }

  /// The one in use.
  package var current: MembershipEntry { entries[entries.count - 1] }

  /// The one before, while it is kept.
  package var previous: MembershipEntry? { entries.dropLast().last }

  /// Notes a configuration further on in the log.
  ///
  /// Precondition: its index is after the current one's.
  package mutating func append(_ entry: MembershipEntry) {
    precondition(entry.index > current.index, "configurations ascend")
    entries.append(entry)
  }

  /// Forgets those at `index` and after it. True if the one in use was among them.
  ///
  /// Precondition: `index` is after the oldest kept: that one is committed.
  package mutating func truncate(from index: LogIndex) -> Bool {
    precondition(index > entries[0].index, "a committed configuration is never dropped")
    let count = entries.count
    while current.index >= index { entries.removeLast() }
    return entries.count != count
  }

  /// Keeps of those up to `commit` only the latest.
  package mutating func compact(committed commit: LogIndex) {
    while entries.count > 1 && entries[1].index <= commit { entries.removeFirst() }
  }
}

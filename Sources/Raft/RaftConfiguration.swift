package import Bytes

/// What a node is told once, when it starts. Time is counted in ticks: the caller gives a tick its
/// length.
package struct RaftConfiguration: Sendable {
  /// Most voters a cluster can have: above it the cost of agreement outgrows what it protects.
  package static let votersCountMax = 15

  /// This node.
  package let id: NodeID
  /// All voters, sorted, without repeats, this node among them.
  package let voters: [NodeID]
  /// Ticks between two heartbeats of a leader.
  package let heartbeatTicks: Int
  /// Fewest ticks of silence before a follower campaigns. Also the time for which a node that hears
  /// its leader refuses votes, in which a leader must hear a majority, and a transfer must succeed.
  package let electionTicksMin: Int
  /// Most ticks of silence before a follower campaigns; each wait is drawn between the two.
  package let electionTicksMax: Int
  /// Most appends with entries on the way to one follower without an answer.
  package let inFlightMessagesMax: Int
  /// Most entries in one append.
  package let entriesPerMessageMax: Int

  /// A checked configuration.
  ///
  /// Preconditions: 1 to ``votersCountMax`` voters, ascending, `id` among them;
  /// `1 <= heartbeatTicks`, `2 * heartbeatTicks <= electionTicksMin < electionTicksMax` (one lost
  /// heartbeat must not depose a leader; equal bounds would not break ties, Raft §5.2);
  /// `inFlightMessagesMax` and `entriesPerMessageMax` at least 1.
  package init(
    id: NodeID, voters: [NodeID], heartbeatTicks: Int, electionTicksMin: Int,
    electionTicksMax: Int, inFlightMessagesMax: Int, entriesPerMessageMax: Int
  ) {
    precondition(voters.contains(id), "a node is one of its voters")
    precondition(voters.count <= Self.votersCountMax, "too many voters")
    precondition(
      zip(voters, voters.dropFirst()).allSatisfy { $0 < $1 }, "voters ascend without repeats")
    precondition(heartbeatTicks >= 1, "a heartbeat takes at least a tick")
    precondition(
      electionTicksMin >= 2 * heartbeatTicks, "one lost heartbeat must not depose a leader")
    precondition(electionTicksMax > electionTicksMin, "election timeouts need room to differ")
    precondition(inFlightMessagesMax >= 1, "one append at least must be allowed on the way")
    precondition(entriesPerMessageMax >= 1, "an append must be allowed an entry")
    self.id = id
    self.voters = voters
    self.heartbeatTicks = heartbeatTicks
    self.electionTicksMin = electionTicksMin
    self.electionTicksMax = electionTicksMax
    self.inFlightMessagesMax = inFlightMessagesMax
    self.entriesPerMessageMax = entriesPerMessageMax
  }
}

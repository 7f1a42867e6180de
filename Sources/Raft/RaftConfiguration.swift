package import Bytes

/// What a node is told once, when it starts. Time is counted in ticks: the caller gives a tick its
/// length.
package struct RaftConfiguration: Sendable {
  /// This node.
  package let id: NodeID
  /// Who takes part until the log says otherwise: the same on every node that starts a cluster,
  /// ``Membership/none`` on a node that is to be added to one.
  package let initial: Membership
  /// Ticks between two heartbeats of a leader, and between two times that a node asks for pre-votes.
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
  /// For how many ticks after a heartbeat round that a majority answered a leader takes it for
  /// certain that there is no other (lease, thesis §6.4.1); 0: never, every read asks a majority.
  ///
  /// HAZARD: a lease trusts that no clock runs faster than another by more than the part of
  /// `electionTicksMin` that is left over.
  package let leaseTicks: Int
  /// The simulator's faults; empty everywhere else.
  package var canary: RaftCanary = []

  /// A checked configuration.
  ///
  /// Preconditions: `1 <= heartbeatTicks`,
  /// `2 * heartbeatTicks <= electionTicksMin < electionTicksMax` (one lost heartbeat must not
  /// depose a leader; equal bounds would not break ties, Raft §5.2);
  /// `inFlightMessagesMax` and `entriesPerMessageMax` at least 1;
  /// `0 <= leaseTicks < electionTicksMin`.
  package init(
    id: NodeID, initial: Membership, heartbeatTicks: Int, electionTicksMin: Int,
    electionTicksMax: Int, inFlightMessagesMax: Int, entriesPerMessageMax: Int,
    leaseTicks: Int = 0
  ) {
    precondition(heartbeatTicks >= 1, "a heartbeat takes at least a tick")
    precondition(
      electionTicksMin >= 2 * heartbeatTicks, "one lost heartbeat must not depose a leader")
    precondition(electionTicksMax > electionTicksMin, "election timeouts need room to differ")
    precondition(inFlightMessagesMax >= 1, "one append at least must be allowed on the way")
    precondition(entriesPerMessageMax >= 1, "an append must be allowed an entry")
    precondition(leaseTicks >= 0 && leaseTicks < electionTicksMin, "a lease ends before elections")
    self.id = id
    self.initial = initial
    self.leaseTicks = leaseTicks
    self.heartbeatTicks = heartbeatTicks
    self.electionTicksMin = electionTicksMin
    self.electionTicksMax = electionTicksMax
    self.inFlightMessagesMax = inFlightMessagesMax
    self.entriesPerMessageMax = entriesPerMessageMax
  }
}

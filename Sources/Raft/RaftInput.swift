package import Bytes

/// What can happen to a node.
package enum RaftInput: Hashable, Sendable {
  /// One unit of time has passed.
  ///
  /// HAZARD: with leases a node that skips ticks holds one for too long, and a node that makes up
  /// for ticks after a message counts its word to the leader as kept too early. So there is one for
  /// each unit that passed, after a pause too, and those due are stepped before what came after
  /// them.
  case tick
  /// A message came. Requests are taken from anybody, for a configuration may not have come here
  /// yet (Raft §6); answers of nodes that are no members are ignored.
  case receive(RaftMessage, from: NodeID)
  /// The caller wants to put `count` entries of the leader's term at `last.index + 1` and on.
  ///
  /// Taken unless the effects hold ``RaftEffect/proposalDropped(count:)``. When taken, the caller
  /// starts their local write after all writes of effects emitted before, and reports it with
  /// ``persisted(_:)``. Precondition: `count >= 0`.
  case propose(count: Int)
  /// The caller wants to put one entry with this configuration at `last.index + 1`: one that
  /// ``RaftNode/membershipChange(voters:learners:)`` or ``RaftNode/membershipDue`` gave in this
  /// state. Taken or dropped like a proposal.
  case proposeMembership(Membership)
  /// The caller's storage made everything up to and including this entry durable, in the order of
  /// the effects. Ignored if the log no longer holds the entry.
  case persisted(EntryID)
  /// Hand leadership to `to`, or to the most caught-up voter that is heard. Ends with
  /// ``RaftEffect/transferEnded(succeeded:)``; abandoned after `electionTicksMin` ticks.
  case transferLeadership(to: NodeID?)
  /// A client wants to read what is true now: answered by ``RaftEffect/readReady(context:index:)``
  /// or ``RaftEffect/readFailed(context:)``, or never, if a message is lost: ask again then, with
  /// another context. `ticksOverdue`: ticks that have passed and were not yet stepped, for a lease
  /// must not outlive a pause of the process.
  case read(context: UInt64, ticksOverdue: Int)
  /// The connection to a member broke: what was on its way is probably lost.
  case unreachable(NodeID)
}

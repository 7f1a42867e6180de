package import Bytes

/// What can happen to a node.
package enum RaftInput: Hashable, Sendable {
  /// One unit of time has passed.
  case tick
  /// A message came. From a node that is not a voter it is ignored.
  case receive(RaftMessage, from: NodeID)
  /// The caller wants to put `count` entries of the leader's term at `last.index + 1` and on.
  ///
  /// Taken unless the effects hold ``RaftEffect/proposalDropped(count:)``. When taken, the caller
  /// starts their local write after all writes of effects emitted before, and reports it with
  /// ``persisted(_:)``. Precondition: `count >= 0`.
  case propose(count: Int)
  /// The caller's storage made everything up to and including this entry durable, in the order of
  /// the effects. Ignored if the log no longer holds the entry.
  case persisted(EntryID)
  /// Hand leadership to `to`, or to the most caught-up voter that is heard. Ends with
  /// ``RaftEffect/transferEnded(succeeded:)``; abandoned after `electionTicksMin` ticks.
  case transferLeadership(to: NodeID?)
  /// The connection to a voter broke: what was on its way is probably lost.
  case unreachable(NodeID)
}

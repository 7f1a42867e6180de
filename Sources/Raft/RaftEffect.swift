package import Bytes

/// What the caller must do, in this order.
///
/// Writes (``persistHardState(_:)``, ``truncate(from:)``, ``append(_:)``, and the caller's own
/// write of a taken proposal) reach storage first in, first out: when a later one is durable, all
/// earlier ones are.
package enum RaftEffect: Hashable, Sendable {
  /// Make this durable. All later writes come after it.
  case persistHardState(HardState)
  /// Drop the entries at this place and after it: they conflict with the leader's. Never at or
  /// below the commit index.
  case truncate(from: LogIndex)
  /// Store these entries of the append request being stepped.
  case append(LogIndexRange)
  /// Send; may leave at once.
  case send(RaftMessage, to: NodeID)
  /// Send, but not before every write emitted before it is durable, the writes of earlier taken
  /// proposals included.
  case sendAfterPersist(RaftMessage, to: NodeID)
  /// Send as an append request, with the payloads of the entries at `previous.index + 1` and on.
  /// May leave before the local write is durable (thesis §10.2.1).
  case sendEntries(AppendRequest, to: NodeID)
  /// Everything up to here is committed. It may be ahead of what is durable locally: a majority
  /// holds it.
  case commit(LogIndex)
  /// The role, its term, or the known leader changed. A node that becomes leader must be given a
  /// proposal of one no-op entry at once: only entries of its own term commit (Raft §5.4.2, §8).
  case roleChanged(RaftRole, term: Term, leader: NodeID?)
  /// The proposal was not taken: not the leader, or about to hand over.
  case proposalDropped(count: Int)
  /// The configuration in use is another: from the log, or back to an earlier one by a truncation.
  case membershipChanged(MembershipEntry)
  /// Whoever has applied the log up to `index` may answer the read `context` with what it sees.
  case readReady(context: UInt64, index: LogIndex)
  /// The read cannot be answered here now: no leader is known, or leadership was lost.
  case readFailed(context: UInt64)
  /// The transfer asked for is over. Succeeded: the target is known to lead.
  case transferEnded(succeeded: Bool)
}

/// Messages a node did not act on because no correct peer sends them, by kind, since it started.
///
/// They are the peers' errors, so they never stop this node; a caller shows them to the operator.
package struct RaftFaults: Hashable, Sendable {
  /// Messages under this node's own number: two nodes run as one.
  package internal(set) var ownNumber: UInt64 = 0
  /// Requests whose terms or indices contradict each other.
  package internal(set) var malformed: UInt64 = 0
  /// Leaders whose log lacks what this node knows as committed. HAZARD: some node of the cluster
  /// lost what it had acknowledged, or belongs to another cluster; this node stays behind.
  package internal(set) var conflictAtCommit: UInt64 = 0
  /// Second leaders of one term. HAZARD: some node forgot a vote.
  package internal(set) var secondLeader: UInt64 = 0
  /// Commit or match indices beyond the log they speak of. HAZARD: a node lost acknowledged entries.
  package internal(set) var beyondLog: UInt64 = 0

  /// None.
  package init() {}
}

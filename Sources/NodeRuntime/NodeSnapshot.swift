package import Bytes
package import ClockSync
package import Ledger
package import Raft
package import Replica

/// What a node knows of itself and its peers at one instant: a value for status pages.
package struct NodeSnapshot: Sendable {
  /// The node.
  package var id: NodeID
  /// When this was taken.
  package var time: HostTime
  /// What the node is in consensus.
  package var role: RaftRole
  /// Its term.
  package var term: Term
  /// The leader it knows, if any.
  package var leader: NodeID?
  /// Highest committed index.
  package var commit: LogIndex
  /// Highest index on this node's stable storage.
  package var durable: LogIndex
  /// The last entry of its log.
  package var last: EntryID
  /// The last entry applied.
  package var applied: EntryID
  /// The chain hash at that entry.
  package var appliedHash: Digest256
  /// The ledger's running digest there.
  package var ledgerDigest: Digest256
  /// The ledger's counts there.
  package var counts: LedgerCounts
  /// Payments that wait for their answer.
  package var pendingCount: Int
  /// Whether the node is about to stop.
  package var isDraining: Bool
  /// Who takes part, by the log.
  package var membership: Membership
  /// Where the log says so; ``LogIndex/zero``: the configuration files do.
  package var membershipIndex: LogIndex
  /// The members with their addresses.
  package var members: [ClusterMember]
  /// The rules that all nodes follow.
  package var policy: ClusterPolicy
  /// Messages of peers that no correct peer sends.
  package var faults: RaftFaults
  /// Stamps of other nodes that were too far ahead to be taken, since the start.
  package var stampRefusals: [NodeID: StampRefusals]
  /// Whether the node abstains from votes, because its disk lost what it had acknowledged.
  package var isAbstaining: Bool
  /// As the leader: the followers' progress.
  package var progress: [PeerProgress]
  /// The peers' liveness.
  package var peers: [PeerLiveness]
  /// The clock and its sources.
  package var clock: ClockSnapshot
}

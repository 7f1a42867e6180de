package import Bytes
package import ClockSync
package import HybridTime
package import NodeRuntime
package import Ledger
package import Raft
package import Replica
package import SegmentLog

/// What the nodes have signed, and with which keys.
package struct EvidenceStatus: Sendable {
  /// The newest checkpoint that a majority has signed.
  package var checkpoint: LogCheckpoint?
  /// The nodes' keys, as far as they are known here.
  package var keys: [NodeID: NodeKeys] = [:]

  /// Nothing is signed.
  package init() {}
}

/// What a node knows of itself at one instant.
package struct NodeStatus: Sendable {
  /// What a node is in its term.
  package enum Role: String, Sendable {
    /// Appends and replicates.
    case leader
    /// Takes what a leader sends.
    case follower
    /// Asks for votes, or asks whether it would get them.
    case candidate
  }

  /// Whether the node is as it should be.
  package enum Health: String, Sendable {
    /// It takes payments and nothing is amiss.
    case healthy
    /// It may work, but something needs a look; the reasons say what.
    case degraded
  }

  // The replica.

  /// The node's role.
  package var role: Role = .follower
  /// Its term.
  package var term: Term = .zero
  /// Who leads, as far as the node knows. A leader cut off from its majority knows of none.
  package var leader: NodeID?
  /// Highest index known to be on a majority.
  package var commitIndex: LogIndex = .zero
  /// Highest index that the ledger has taken in.
  package var appliedIndex: LogIndex = .zero
  /// The last event applied.
  package var lastSequence: EventSequence = .zero
  /// Payments that took effect.
  package var transactionCount: UInt64 = 0
  /// The ledger's running digest after `appliedIndex`: the same on all nodes at the same index.
  package var ledgerDigest = ""
  /// Payments taken in here and not yet answered.
  package var pendingPayments = 0

  // The cluster.

  /// Everybody who takes part, by this node's log, in the order of their numbers.
  package var members: [MemberStatus] = []
  /// Where the log says so; 0: the configuration files do.
  package var membershipIndex: LogIndex = .zero
  /// Whether the voters are changing: the old and the new ones must agree.
  package var isChangingMembers = false
  /// The rules that all nodes follow.
  package var policy = ClusterPolicy()
  /// Messages of peers that no correct peer sends.
  package var faults = RaftFaults()
  /// Stamps of other nodes that were too far ahead to be taken, since the start.
  package var stampRefusals: [NodeID: StampRefusals] = [:]
  /// What the check of the sealed segments has come to.
  package var scrub = ScrubProgress()
  /// What the nodes have signed.
  package var evidence = EvidenceStatus()
  /// How much room its disk has.
  package var disk = DiskRoom(reserveByteCount: 0)

  // The clock.

  /// What the clock says.
  package var clock: ClockReading
  /// What it rests on; nil before the node knows.
  package var clockSnapshot: ClockSnapshot?
  /// The monotonic clock beside it, nanoseconds: sources are as old as they were heard before this.
  package var monotonicNanoseconds: Int64 = 0

  // The rest.

  /// The other nodes, in the order of their numbers.
  package var peers: [PeerStatus] = []
  /// Since the start, nanoseconds on the monotonic clock.
  package var uptimeNanoseconds: Int64 = 0
  /// Whether the node can take a payment now: it knows a leader and is not stopping.
  package var isReady = false
  /// Whether the node is as it should be.
  package var health: Health = .healthy
  /// Why it is degraded, one sentence each.
  package var reasons: [String] = []

  /// A node that has just started.
  package init(clock: ClockReading) { self.clock = clock }

  /// Whether this node leads.
  var isLeader: Bool { role == .leader }
}

/// A node that takes part, as another one sees it.
package struct MemberStatus: Sendable {
  /// What it does.
  package enum Role: String, Sendable {
    /// It decides.
    case voter
    /// It gets the log and decides nothing.
    case learner
    /// It decides until the change of voters under way is over.
    case outgoing
  }

  /// Its number.
  package var id: NodeID
  /// What it does.
  package var role: Role
  /// Its listener for other nodes, `host:port`; nil where nobody has said.
  package var peerAddress: String?
  /// Its listener for clients, `host:port`; nil where nobody has said.
  package var clientAddress: String?
  /// How well it answers.
  package var health: PeerStatus.Health
  /// Highest index known to be on its disk; only a leader knows.
  package var matchIndex: LogIndex?
  /// Batches it is behind the leader's last; only a leader knows.
  package var lagBatches: UInt64?

  /// A member of which nothing is known but that it is one.
  package init(id: NodeID, role: Role, health: PeerStatus.Health) {
    self.id = id
    self.role = role
    self.health = health
  }
}

/// What a node thinks of another one.
package struct PeerStatus: Sendable {
  /// How well it answers.
  package enum Health: String, Sendable {
    /// It answers.
    case healthy
    /// It has been silent for longer than it should.
    case suspect
    /// It has been silent for so long that it counts as gone.
    case down
  }

  /// Its number.
  package var node: NodeID
  /// How well it answers.
  package var health: Health
  /// When it was last heard, corrected nanoseconds since 1970; nil for never.
  package var lastSeenNanoseconds: Int64?
  /// Highest index known to be on its disk; only a leader knows.
  package var matchIndex: LogIndex?
  /// Batches it is behind this leader's last; only a leader knows.
  package var lagBatches: UInt64?
  /// Its clock less this node's, nanoseconds, where measured.
  package var clockOffsetNanoseconds: Int64?
  /// Half of what the measurement leaves open, nanoseconds.
  package var clockOffsetBoundNanoseconds: Int64?

  /// A peer of which nothing is known but its health.
  package init(node: NodeID, health: Health) {
    self.node = node
    self.health = health
  }
}

import Bytes

/// What a node is, with the data only that role has.
enum RaftState: Sendable {
  case follower(FollowerState)
  case preCandidate(Ballot)
  case candidate(Ballot)
  case leader(LeaderState)

  /// The role alone.
  var role: RaftRole {
    switch self {
    case .follower: .follower
    case .preCandidate: .preCandidate
    case .candidate: .candidate
    case .leader: .leader
    }
  }
}

/// A follower's own data.
struct FollowerState: Sendable {
  /// The leader of this term, nil until it is heard.
  var leader: NodeID?
  /// Whom this node, when it led, was handing over to; nil once that is settled.
  var transferTarget: NodeID?
}

/// A leader's own data.
struct LeaderState: Sendable {
  /// A transfer under way.
  struct Transfer: Sendable {
    /// Who shall lead.
    let target: NodeID
    /// Ticks since it began.
    var ticks = 0
  }

  /// What is known of each member, by position; this node's own entry tells what is durable here.
  var progress: [Progress]
  /// The place of the first entry of this term: whoever has applied it has applied all that earlier
  /// terms committed.
  let firstOfTerm: LogIndex
  /// Heartbeats sent in this term.
  var round: UInt64 = 0
  /// Ticks since the last heartbeat.
  var ticksSinceHeartbeat = 0
  /// Ticks since the node leads.
  var ticks = 0
  /// When the latest rounds were sent, oldest first. Invariant: none is older than a lease.
  var rounds: [SentRound] = []
  /// Reads that wait for a majority to answer a round, in the order of their rounds.
  var reads: [WaitingRead] = []
  /// The transfer under way, if any: no proposals are taken then.
  var transfer: Transfer?
  /// Whether a transfer was ever begun in this term: its target may campaign at any time, against
  /// the votes' wait for this leader, so there is no lease any more.
  var hasTransferred = false
}

/// A heartbeat round on its way.
struct SentRound: Sendable {
  let round: UInt64
  /// The leader's ``LeaderState/ticks`` when it was sent.
  let tick: Int
}

/// A read that waits until a majority has answered a heartbeat that left after it came.
struct WaitingRead: Sendable {
  /// The asking node's name for it.
  let context: UInt64
  /// Who asks; nil: this node.
  let origin: NodeID?
  /// What must have been applied.
  let index: LogIndex
  /// The round that confirms it.
  let round: UInt64
}

/// Counts a node's ticks without a leader, up to a limit drawn anew for each election (Raft §5.2).
struct ElectionTimer: Sendable {
  /// Ticks since the last sign of a leader, or since the last campaign or vote.
  private(set) var ticks = 0
  /// Ticks at which the node campaigns, or asks again for pre-votes.
  private(set) var limit: Int
  /// Bounds of a `limit` that is drawn.
  private let limits: ClosedRange<Int>
  private var generator: SeededGenerator

  init(limits: ClosedRange<Int>, seed: UInt64) {
    self.limits = limits
    generator = SeededGenerator(seed: seed)
    limit = Int.random(in: limits, using: &generator)
  }

  /// Counts a tick. True when the limit is reached.
  mutating func tick() -> Bool {
    ticks += 1
    return ticks >= limit
  }

  /// Starts the wait again, with the same limit.
  mutating func restart() { ticks = 0 }

  /// Starts a wait of `limit` ticks.
  mutating func restart(limit: Int) {
    ticks = 0
    self.limit = limit
  }

  /// Starts a wait with a limit of its own.
  mutating func redraw() {
    ticks = 0
    limit = Int.random(in: limits, using: &generator)
  }
}

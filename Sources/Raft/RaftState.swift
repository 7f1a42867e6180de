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

  /// What is known of each voter, by position; this node's own entry tells what is durable here.
  var progress: [Progress]
  /// Heartbeats sent in this term.
  var round: UInt64 = 0
  /// Ticks since the last heartbeat.
  var ticksSinceHeartbeat = 0
  /// The transfer under way, if any: no proposals are taken then.
  var transfer: Transfer?
}

/// Counts a node's ticks without a leader, up to a limit drawn anew for each wait (Raft §5.2).
struct ElectionTimer: Sendable {
  /// Ticks since the last sign of a leader, or since the last campaign or vote.
  private(set) var ticks = 0
  /// Ticks at which the node campaigns.
  private(set) var limit: Int
  /// Bounds of `limit`.
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

  /// Starts a wait with a limit of its own.
  mutating func redraw() {
    ticks = 0
    limit = Int.random(in: limits, using: &generator)
  }
}

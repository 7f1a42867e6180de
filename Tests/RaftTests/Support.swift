import Bytes
import Raft

let nodeA = NodeID(1)
let nodeB = NodeID(2)
let nodeC = NodeID(3)
let nodeD = NodeID(4)
let nodeE = NodeID(5)

extension RaftConfiguration {
  /// Heartbeats every 2 ticks, elections after 10 to 20, 3 appends of 4 entries on the way.
  static func test(_ id: NodeID = nodeA, of count: UInt16 = 3) -> RaftConfiguration {
    .test(id, initial: .voters(count))
  }

  /// The same for other clusters.
  static func test(
    _ id: NodeID, initial: Membership, leaseTicks: Int = 0
  ) -> RaftConfiguration {
    RaftConfiguration(
      id: id, initial: initial, heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20,
      inFlightMessagesMax: 3, entriesPerMessageMax: 4, leaseTicks: leaseTicks)
  }

  /// Elections after 6 to 12 ticks: more of them.
  static func hasty(
    _ id: NodeID, initial: Membership, entriesMax: Int, leaseTicks: Int = 0
  ) -> RaftConfiguration {
    RaftConfiguration(
      id: id, initial: initial, heartbeatTicks: 2, electionTicksMin: 6,
      electionTicksMax: 12, inFlightMessagesMax: 3, entriesPerMessageMax: entriesMax,
      leaseTicks: leaseTicks)
  }
}

extension Membership {
  /// Nodes 1 to `count`, all of them voters.
  static func voters(_ count: UInt16) -> Membership {
    Membership(voters: (1...count).map { NodeID($0) })
  }
}

extension RaftLogTerms {
  /// A log of entries with these terms.
  init(_ terms: [UInt64]) {
    self.init()
    for term in terms { append(term: Term(term), count: 1) }
  }
}

extension EntryID {
  /// The entry `index` of `term`.
  init(_ index: UInt64, _ term: UInt64) { self.init(index: LogIndex(index), term: Term(term)) }
}

extension RaftNode {
  /// Node 1 of `count` with a log of these terms.
  static func test(
    _ id: NodeID = nodeA, of count: UInt16 = 3, term: UInt64 = 1, vote: NodeID? = nil,
    log: [UInt64] = [1], commit: UInt64 = 0, seed: UInt64 = 7
  ) -> RaftNode {
    RaftNode(
      configuration: .test(id, of: count), hardState: HardState(term: Term(term), vote: vote),
      log: RaftLogTerms(log), commit: LogIndex(commit), random: seed)
  }

  /// One step with an effects buffer of its own.
  @discardableResult mutating func take(_ input: RaftInput) -> [RaftEffect] {
    var effects: [RaftEffect] = []
    step(input, into: &effects)
    return effects
  }

  /// One message in.
  @discardableResult mutating func take(
    _ message: RaftMessage, from sender: NodeID
  ) -> [RaftEffect] {
    take(.receive(message, from: sender))
  }

  /// `count` ticks, with all their effects.
  @discardableResult mutating func takeTicks(_ count: Int) -> [RaftEffect] {
    var effects: [RaftEffect] = []
    for _ in 0..<count { step(.tick, into: &effects) }
    return effects
  }

  /// An append of entries with these terms.
  @discardableResult mutating func takeAppend(
    term: UInt64, after previous: EntryID, _ terms: [UInt64], commit: UInt64 = 0,
    from sender: NodeID = nodeB
  ) -> [RaftEffect] {
    let request = AppendRequest(
      term: Term(term), previous: previous, commit: LogIndex(commit),
      entryTerms: terms.map { Term($0) })
    return take(.appendRequest(request), from: sender)
  }

  /// An acknowledgement by `sender` in this node's term.
  @discardableResult mutating func takeAck(
    _ match: UInt64, from sender: NodeID
  ) -> [RaftEffect] {
    take(.accepted(term, match), from: sender)
  }

  /// Ticks until the node asks for pre-votes.
  mutating func becomePreCandidate() {
    for _ in 0..<100 where role == .follower { take(.tick) }
    precondition(role == .preCandidate)
  }

  /// Lets the node win an election, with the effects of the step in which it won.
  @discardableResult mutating func win() -> [RaftEffect] {
    becomePreCandidate()
    let others = roster.voters.filter { $0 != id }.prefix(roster.voters.count / 2)
    for other in others { take(.preVoteResponse(term: term.next, granted: true), from: other) }
    precondition(role == .candidate)
    var effects: [RaftEffect] = []
    for other in others { effects = take(.voteResponse(term: term, granted: true), from: other) }
    precondition(role == .leader)
    return effects
  }

  /// A node that won, wrote its no-op durably, and had it acknowledged by all.
  mutating func winAndSettle() {
    win()
    take(.propose(count: 1))
    take(.persisted(last))
    for other in roster.voters where other != id { takeAck(last.index.rawValue, from: other) }
    precondition(commit == last.index)
  }
}

extension RaftMessage {
  /// The acknowledgement of everything up to `match`.
  static func accepted(_ term: Term, _ match: UInt64) -> RaftMessage {
    .appendResponse(AppendResponse(term: term, outcome: .accepted(match: LogIndex(match))))
  }

  /// The refusal of an append after `previous`.
  static func rejected(
    _ term: Term, previous: UInt64, _ cause: AppendHint.Cause
  ) -> RaftMessage {
    let hint = AppendHint(previous: LogIndex(previous), cause: cause)
    return .appendResponse(AppendResponse(term: term, outcome: .rejected(hint: hint)))
  }
}

extension [RaftEffect] {
  /// The messages to `peer`, whenever they may leave.
  func messages(to peer: NodeID) -> [RaftMessage] {
    compactMap { effect in
      switch effect {
      case .send(let message, peer), .sendAfterPersist(let message, peer): message
      case .sendEntries(let request, peer): .appendRequest(request)
      default: nil
      }
    }
  }

  /// The appends to `peer`, as previous index and count.
  func appends(to peer: NodeID) -> [[UInt64]] {
    messages(to: peer).compactMap { message in
      guard case .appendRequest(let request) = message else { return nil }
      return [request.previous.index.rawValue, UInt64(request.entryTerms.count)]
    }
  }

  /// The writes asked for.
  var writes: [RaftEffect] {
    filter { effect in
      switch effect {
      case .persistHardState, .truncate, .append: true
      default: false
      }
    }
  }
}

extension RaftNode {
  /// A node of a cluster that began with `initial`, whose log holds `changes`.
  static func member(
    _ id: NodeID, of initial: Membership, changes: [MembershipEntry] = [], term: UInt64 = 1,
    log: [UInt64] = [1], commit: UInt64 = 0, distrusted: UInt64? = nil, leaseTicks: Int = 0
  ) -> RaftNode {
    var memberships = MembershipLog(initial: initial)
    for change in changes { memberships.append(change) }
    return RaftNode(
      configuration: .test(id, initial: initial, leaseTicks: leaseTicks),
      hardState: HardState(term: Term(term), vote: nil), log: RaftLogTerms(log),
      commit: LogIndex(commit), memberships: memberships,
      distrusted: distrusted.map { Term($0) }, random: 7)
  }

  /// A heartbeat of `leader` in `term`.
  @discardableResult mutating func takeHeartbeat(
    _ term: UInt64, from leader: NodeID, round: UInt64 = 1
  ) -> [RaftEffect] {
    take(.heartbeatRequest(term: Term(term), commit: .zero, round: round), from: leader)
  }

  /// Proposes a change as a caller does, writes it, and gives the effects of both.
  @discardableResult mutating func change(
    voters: [NodeID], learners: [NodeID] = []
  ) throws(MembershipRefusal) -> [RaftEffect] {
    let membership = try membershipChange(voters: voters, learners: learners)
    return take(.proposeMembership(membership)) + take(.persisted(last))
  }
}

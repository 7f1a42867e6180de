import Bytes

/// Linearizable reads without a log entry (thesis §6.4): a leader names the commit index, makes sure
/// that it still leads, and whoever has applied the log that far answers.
extension RaftNode {
  /// Most reads that wait for a majority; more fail at once.
  package static let waitingReadsMax = 4096

  /// A read of this node's own clients.
  mutating func read(
    context: UInt64, ticksOverdue overdue: Int, into effects: inout [RaftEffect]
  ) {
    switch state {
    case .follower(let follower):
      guard let leader = follower.leader else { break }
      effects.append(.send(.readRequest(term: term, context: context), to: leader))
      return
    case .preCandidate, .candidate: break
    case .leader:
      confirm(context: context, for: nil, ticksOverdue: overdue, into: &effects)
      return
    }
    effects.append(.readFailed(context: context))
  }

  /// A follower's read. Nodes that do not lead leave it unanswered: the asker asks again.
  mutating func receiveRead(
    context: UInt64, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    // Without a lease: how late this node's ticks are is not known here.
    confirm(
      context: context, for: sender, ticksOverdue: configuration.electionTicksMin, into: &effects)
  }

  /// Names the index, at once if it is certain that this node leads, or after a heartbeat round.
  private mutating func confirm(
    context: UInt64, for origin: NodeID?, ticksOverdue overdue: Int,
    into effects: inout [RaftEffect]
  ) {
    guard var leader = takeLeader() else { return }
    defer { state = .leader(leader) }
    // Before the first entry of this term is committed, the commit index may lag behind what
    // earlier leaders had committed; that entry is after all of it.
    let index = max(commit, leader.firstOfTerm)
    if roster.isAlone || hasLease(leader, ticksOverdue: overdue) {
      answer(context: context, index: index, for: origin, into: &effects)
      return
    }
    guard leader.reads.count < Self.waitingReadsMax else {
      if origin == nil { effects.append(.readFailed(context: context)) }
      return
    }
    sendHeartbeats(&leader, into: &effects)
    leader.reads.append(
      WaitingRead(context: context, origin: origin, index: index, round: leader.round))
  }

  /// Answers the reads whose round a majority has answered.
  func answerReads(_ leader: inout LeaderState, into effects: inout [RaftEffect]) {
    guard !leader.reads.isEmpty else { return }
    let confirmed = roster.agreedValue { position in
      position == roster.ownPosition ? leader.round : leader.progress[position].roundHeard
    }
    let count = leader.reads.prefix { $0.round <= confirmed }.count
    for read in leader.reads.prefix(count) {
      answer(context: read.context, index: read.index, for: read.origin, into: &effects)
    }
    leader.reads.removeFirst(count)
  }

  /// This node leads no more: its own clients' reads fail, the others' senders ask again.
  func failReads(into effects: inout [RaftEffect]) {
    guard case .leader(let leader) = state else { return }
    for read in leader.reads where read.origin == nil {
      effects.append(.readFailed(context: read.context))
    }
  }

  private func answer(
    context: UInt64, index: LogIndex, for origin: NodeID?, into effects: inout [RaftEffect]
  ) {
    guard let origin else {
      effects.append(.readReady(context: context, index: index))
      return
    }
    effects.append(
      .send(.readResponse(term: term, context: context, index: index), to: origin))
  }

  // MARK: The lease

  /// Whether a majority answered a round that was sent so lately that none of it can have voted for
  /// another since: voters that hear a leader wait for `electionTicksMin` (thesis §6.4.1).
  private func hasLease(_ leader: LeaderState, ticksOverdue overdue: Int) -> Bool {
    guard configuration.leaseTicks > 0, !leader.hasTransferred else { return false }
    let sent = roster.agreedValue { position in
      position == roster.ownPosition
        ? UInt64(leader.ticks) + 1 : leader.progress[position].roundSent
    }
    return sent > 0 && leader.ticks + 1 - Int(sent) + overdue < configuration.leaseTicks
  }

  /// Remembers when the leader's current round was sent, for as long as it can give a lease.
  func noteRound(_ leader: inout LeaderState) {
    guard configuration.leaseTicks > 0 else { return }
    let now = leader.ticks
    leader.rounds.removeAll { now - $0.tick >= configuration.leaseTicks }
    leader.rounds.append(SentRound(round: leader.round, tick: now))
  }

  /// The follower at `position` answered `round`.
  func noteAnswer(_ leader: inout LeaderState, round: UInt64, by position: Int) {
    leader.progress[position].roundHeard = round
    if let sent = leader.rounds.first(where: { $0.round == round }) {
      leader.progress[position].roundSent = UInt64(sent.tick) + 1
    }
  }
}

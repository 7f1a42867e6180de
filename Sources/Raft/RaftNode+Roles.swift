import Bytes

/// The changes of role (Raft figure 4, with the pre-candidate of thesis §9.6).
extension RaftNode {
  /// Follows `leader`, or nobody yet, in `newTerm`.
  ///
  /// A follower that only learns of a term keeps its election timer: whoever brought the term may
  /// be unable to win (Raft §5.2 restarts it for leaders and granted votes only).
  mutating func becomeFollower(
    term newTerm: Term, leader: NodeID?, into effects: inout [RaftEffect]
  ) {
    failReads(into: &effects)
    if newTerm > term { setHardState(HardState(term: newTerm, vote: nil)) }
    var target = transferTarget
    if role != .follower { timer.redraw() }
    if let leader {
      timer.restart()
      if let awaited = target {
        effects.append(.transferEnded(succeeded: awaited == leader))
        target = nil
      }
    }
    state = .follower(FollowerState(leader: leader, transferTarget: target))
    reportRole(into: &effects)
  }

  /// A node that cannot lead has heard no leader for a whole election timeout.
  mutating func forgetLeader(into effects: inout [RaftEffect]) {
    giveUpTransfer(into: &effects)
    timer.redraw()
    becomeFollower(term: term, leader: nil, into: &effects)
  }

  /// Asks the voters whether a campaign could succeed, before it disturbs anybody's term (thesis
  /// §9.6), and again after a heartbeat interval while it can not: who had heard the leader a little
  /// later than this node refused, and grants when its own wait is over (§4.2.3); requests that were
  /// lost are sent again (Raft §5.1). Each time the answers are counted from nothing, for a voter
  /// that granted may have heard a leader since. A lone voter has nobody to ask.
  mutating func becomePreCandidate(into effects: inout [RaftEffect]) {
    guard !roster.isAlone else {
      becomeCandidate(isTransfer: false, into: &effects)
      return
    }
    giveUpTransfer(into: &effects)
    state = .preCandidate(Ballot(ownPosition: roster.ownPosition))
    timer.restart(limit: configuration.heartbeatTicks)
    reportRole(into: &effects)
    for peer in roster.voters where peer != id {
      effects.append(.send(.preVoteRequest(term: term.next, last: last), to: peer))
    }
  }

  /// Campaigns in a new term with its own vote, which is durable before anybody hears of it.
  mutating func becomeCandidate(isTransfer: Bool, into effects: inout [RaftEffect]) {
    giveUpTransfer(into: &effects)
    setHardState(HardState(term: term.next, vote: id))
    emitHardState(into: &effects)
    let ballot = Ballot(ownPosition: roster.ownPosition)
    guard ballot.outcome(in: roster) == .open else {
      becomeLeader(into: &effects)
      return
    }
    state = .candidate(ballot)
    timer.redraw()
    reportRole(into: &effects)
    for peer in roster.voters where peer != id {
      promise(
        .voteRequest(term: term, last: last, transfer: isTransfer), to: peer, into: &effects)
    }
  }

  /// Leads: tells everybody at once. The caller proposes the no-op (``RaftEffect/roleChanged``).
  mutating func becomeLeader(into effects: inout [RaftEffect]) {
    roster = Roster(membership, own: id)
    let fresh = Progress(
      match: .zero, next: last.index.next, inFlightMessagesMax: configuration.inFlightMessagesMax)
    var leader = LeaderState(
      progress: [Progress](repeating: fresh, count: roster.ids.count),
      firstOfTerm: last.index.next)
    leader.progress[roster.ownPosition].match = durable
    sendHeartbeats(&leader, into: &effects)
    state = .leader(leader)
    reportRole(into: &effects)
  }

  /// Whom this node is or was handing over to, while that is not settled.
  private var transferTarget: NodeID? {
    switch state {
    case .follower(let follower): follower.transferTarget
    case .preCandidate, .candidate: nil
    case .leader(let leader): leader.transfer?.target
    }
  }

  /// This node campaigns itself, or hears nobody: what it handed over for came to nothing, or it
  /// will not learn of it.
  private mutating func giveUpTransfer(into effects: inout [RaftEffect]) {
    if transferTarget != nil { effects.append(.transferEnded(succeeded: false)) }
    state = .follower(FollowerState())
  }
}

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

  /// Asks the voters whether a campaign could succeed, before it disturbs anybody's term. A lone
  /// voter has nobody to ask.
  mutating func becomePreCandidate(into effects: inout [RaftEffect]) {
    guard voters.ids.count > 1 else {
      becomeCandidate(isTransfer: false, into: &effects)
      return
    }
    giveUpTransfer(into: &effects)
    state = .preCandidate(Ballot(ownPosition: ownPosition))
    timer.redraw()
    reportRole(into: &effects)
    for peer in voters.ids where peer != id {
      effects.append(.send(.preVoteRequest(term: term.next, last: last), to: peer))
    }
  }

  /// Campaigns in a new term with its own vote, which is durable before anybody hears of it.
  mutating func becomeCandidate(isTransfer: Bool, into effects: inout [RaftEffect]) {
    giveUpTransfer(into: &effects)
    setHardState(HardState(term: term.next, vote: id))
    emitHardState(into: &effects)
    let ballot = Ballot(ownPosition: ownPosition)
    guard ballot.outcome(among: voters) == .open else {
      becomeLeader(into: &effects)
      return
    }
    state = .candidate(ballot)
    timer.redraw()
    reportRole(into: &effects)
    for peer in voters.ids where peer != id {
      promise(
        .voteRequest(term: term, last: last, transfer: isTransfer), to: peer, into: &effects)
    }
  }

  /// Leads: tells everybody at once. The caller proposes the no-op (``RaftEffect/roleChanged``).
  mutating func becomeLeader(into effects: inout [RaftEffect]) {
    let fresh = Progress(
      match: .zero, next: last.index.next, inFlightMessagesMax: configuration.inFlightMessagesMax)
    var leader = LeaderState(progress: [Progress](repeating: fresh, count: voters.ids.count))
    leader.progress[ownPosition].match = durable
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

  /// This node campaigns itself, so its transfer came to nothing.
  private mutating func giveUpTransfer(into effects: inout [RaftEffect]) {
    if transferTarget != nil { effects.append(.transferEnded(succeeded: false)) }
    state = .follower(FollowerState())
  }
}

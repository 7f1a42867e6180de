package import Bytes

/// Changes of members, through a joint configuration whenever the voters change (Raft §6).
extension RaftNode {
  /// A learner that lacks more entries than this is not made a voter.
  package static let promotionLagMax: UInt64 = 128

  /// The configuration to write for a change to `voters` and `learners`, which are to be all of
  /// them: a joint one if the voters change. To be proposed in this very state.
  package func membershipChange(
    voters: [NodeID], learners: [NodeID]
  ) throws(MembershipRefusal) -> Membership {
    guard case .leader(let leader) = state, leader.transfer == nil, log.term(at: commit) == term
    else { throw .notReady }
    guard !membership.isJoint, memberships.current.index <= commit else { throw .changing }
    guard Membership.canBe(voters: voters, outgoing: [], learners: learners) else {
      throw .malformed
    }
    guard !voters.isEmpty else { throw .noVoters }
    let target = Membership(voters: voters, learners: learners)
    guard target != membership else { throw .unchanged }
    if target.voters == membership.voters { return target }
    try requireCaughtUp(leader, target)
    return Membership(voters: voters, outgoing: membership.voters, learners: learners)
  }

  /// The configuration that this node, as the leader, must write next: the end of a joint one that
  /// is committed. Nil when there is none.
  package var membershipDue: Membership? {
    guard case .leader(let leader) = state, leader.transfer == nil, membership.isJoint,
      memberships.current.index <= commit
    else { return nil }
    return Membership(voters: membership.voters, learners: membership.learners)
  }

  private func requireCaughtUp(
    _ leader: LeaderState, _ target: Membership
  ) throws(MembershipRefusal) {
    var heard: UInt64 = 0
    let counted = Roster(target, own: id)
    for voter in target.voters {
      guard let position = roster.position(of: voter), membership.members.contains(voter) else {
        throw .notLearner(voter)
      }
      let progress = leader.progress[position]
      let lag = last.index.rawValue - min(progress.match, last.index).rawValue
      if !membership.voters.contains(voter), lag > Self.promotionLagMax {
        throw .behind(voter, entryCount: lag)
      }
      // Whoever holds an entry of this term votes, even if it had lost what it acknowledged before.
      let canVote =
        voter == id
        || (progress.ticksSilent < configuration.electionTicksMin
          && progress.match >= leader.firstOfTerm)
      if canVote, let place = counted.position(of: voter) { heard |= 1 << place }
    }
    guard counted.outcome(granted: heard, refused: 0) == .won else { throw .wouldStop }
  }

  /// Puts an entry with `membership` after the log, uses it at once, and sends it on.
  mutating func propose(_ membership: Membership, into effects: inout [RaftEffect]) {
    guard !isTransferring, case .leader = state, memberships.current.index <= commit else {
      effects.append(.proposalDropped(count: 1))
      return
    }
    memberships.append(MembershipEntry(index: last.index.next, membership: membership))
    let before = roster.ids
    useMembership(departing: before, into: &effects)
    propose(count: 1, into: &effects)
  }

  /// Counts by the latest configuration from now on. `departing`: members that are to hear of its
  /// commit although they are none any more.
  mutating func useMembership(departing: [NodeID] = [], into effects: inout [RaftEffect]) {
    let before = roster
    roster = Roster(membership, own: id, departing: departing)
    effects.append(.membershipChanged(memberships.current))
    rearrangeProgress(from: before)
  }

  /// Forgets the members that left once they have been told; a leader that left itself hands over.
  mutating func leaveIfRemoved(into effects: inout [RaftEffect]) {
    guard case .leader(let leader) = state, memberships.current.index <= commit else { return }
    if !membership.isJoint && !roster.hasOwnVote {
      if let successor = mostCaughtUp(leader) {
        effects.append(.send(.timeoutNow(term: term), to: roster.ids[successor]))
      }
      becomeFollower(term: term, leader: nil, into: &effects)
    }
    guard roster.hasDeparting else { return }
    let before = roster
    roster = Roster(membership, own: id)
    rearrangeProgress(from: before)
  }

  /// A leader's knowledge of its members, by their new positions.
  private mutating func rearrangeProgress(from before: Roster) {
    guard var leader = takeLeader() else { return }
    leader.progress = roster.ids.map { member in
      before.position(of: member).map { leader.progress[$0] }
        ?? Progress(
          match: .zero, next: last.index.next,
          inFlightMessagesMax: configuration.inFlightMessagesMax)
    }
    state = .leader(leader)
  }
}

import Bytes

/// Handing leadership over (thesis §3.10): stop taking proposals, bring the target up to date, let
/// it campaign without waiting.
extension RaftNode {
  /// Starts a transfer; every request is answered by exactly one
  /// ``RaftEffect/transferEnded(succeeded:)``, except that asking for the target already under way,
  /// or for any while one is, changes nothing.
  mutating func transferLeadership(to asked: NodeID?, into effects: inout [RaftEffect]) {
    guard var leader = takeLeader() else {
      effects.append(.transferEnded(succeeded: false))
      return
    }
    defer { state = .leader(leader) }
    if let current = leader.transfer {
      guard let asked, asked != current.target else { return }
      leader.transfer = nil
      effects.append(.transferEnded(succeeded: false))
    }
    let position = asked.map { voterPosition(of: $0) } ?? mostCaughtUp(leader)
    guard let position, position != roster.ownPosition else {
      effects.append(.transferEnded(succeeded: position != nil))
      return
    }
    leader.transfer = LeaderState.Transfer(target: roster.ids[position])
    leader.hasTransferred = true
    sendAppends(&leader, to: position, evenIfEmpty: false, into: &effects)
    continueTransfer(leader, to: position, into: &effects)
  }

  /// Lets the follower at `position` campaign if it is the target and has the whole log. Sent again
  /// with each of its answers, in case it was lost.
  func continueTransfer(
    _ leader: LeaderState, to position: Int, into effects: inout [RaftEffect]
  ) {
    guard let transfer = leader.transfer, transfer.target == roster.ids[position] else { return }
    guard leader.progress[position].match == last.index else { return }
    effects.append(.send(.timeoutNow(term: term), to: transfer.target))
  }

  /// The leader of `leaderTerm` wants this node to lead: campaign at once.
  mutating func receiveTimeoutNow(
    term leaderTerm: Term, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    guard leaderTerm >= term, follow(sender, term: leaderTerm, into: &effects) else { return }
    guard mayCampaign else { return }
    becomeCandidate(isTransfer: true, into: &effects)
  }

  /// The position of `id` if it may lead.
  private func voterPosition(of id: NodeID) -> Int? {
    roster.position(of: id).flatMap { roster.isVoter($0) ? $0 : nil }
  }

  /// The position of the other voter with the longest known log, among those heard lately.
  func mostCaughtUp(_ leader: LeaderState) -> Int? {
    var best: Int?
    for (position, progress) in leader.progress.enumerated()
    where position != roster.ownPosition && roster.isVoter(position) {
      guard progress.ticksSilent < configuration.electionTicksMin else { continue }
      if let best, leader.progress[best].match >= progress.match { continue }
      best = position
    }
    return best
  }
}

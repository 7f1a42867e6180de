import Bytes

extension RaftNode {
  /// One unit of time.
  mutating func tick(into effects: inout [RaftEffect]) {
    ticksSinceStart = min(ticksSinceStart + 1, configuration.leaseTicks)
    guard var leader = takeLeader() else {
      guard timer.tick() || roster.isAlone else { return }
      guard roster.hasOwnVote, distrusted == nil else {
        forgetLeader(into: &effects)
        return
      }
      becomePreCandidate(into: &effects)
      return
    }
    countTicks(&leader, into: &effects)
    let hearsMajority = roster.hasMajority { position in
      position == roster.ownPosition
        || leader.progress[position].ticksSilent < configuration.electionTicksMin
    }
    if hearsMajority && leader.ticksSinceHeartbeat >= configuration.heartbeatTicks {
      sendHeartbeats(&leader, into: &effects)
    }
    state = .leader(leader)
    // Check-quorum (thesis §6.2): by now the others may have chosen another leader.
    if !hearsMajority { becomeFollower(term: term, leader: nil, into: &effects) }
  }

  /// A leader's clocks: heartbeat, silence of each peer, transfer.
  private func countTicks(_ leader: inout LeaderState, into effects: inout [RaftEffect]) {
    leader.ticksSinceHeartbeat += 1
    leader.ticks += 1
    for position in leader.progress.indices where position != roster.ownPosition {
      leader.progress[position].ticksSilent += 1
    }
    guard leader.transfer != nil else { return }
    leader.transfer?.ticks += 1
    if let transfer = leader.transfer, transfer.ticks >= configuration.electionTicksMin {
      leader.transfer = nil
      effects.append(.transferEnded(succeeded: false))
    }
  }

  /// Whether this node leads, or heard its leader within the shortest election timeout. While that
  /// holds no other node can be needed as leader, so it refuses to help one (thesis §4.2.3).
  ///
  /// A node that has just started may have heard one right before: where there are leases, it waits
  /// for that long, or a lease would not outlive a follower's restart.
  var hearsLeader: Bool {
    if ticksSinceStart < configuration.leaseTicks { return true }
    switch state {
    case .leader: return true
    case .preCandidate, .candidate: return false
    case .follower(let follower):
      return follower.leader != nil && timer.ticks < configuration.electionTicksMin
    }
  }
}

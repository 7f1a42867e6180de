import Bytes

extension RaftNode {
  /// One unit of time.
  mutating func tick(into effects: inout [RaftEffect]) {
    guard var leader = takeLeader() else {
      if timer.tick() || voters.ids.count == 1 { becomePreCandidate(into: &effects) }
      return
    }
    countTicks(&leader, into: &effects)
    let hearsMajority = voters.hasMajority { position in
      position == ownPosition
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
    for position in leader.progress.indices where position != ownPosition {
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
  /// HAZARD: a node that has just started knows no leader and does not refuse.
  var hearsLeader: Bool {
    switch state {
    case .leader: true
    case .preCandidate, .candidate: false
    case .follower(let follower):
      follower.leader != nil && timer.ticks < configuration.electionTicksMin
    }
  }
}

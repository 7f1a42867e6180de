import Bytes

extension RaftNode {
  /// One unit of time.
  mutating func tick(into effects: inout [RaftEffect]) {
    ticksSinceLeader = min(ticksSinceLeader + 1, configuration.electionTicksMin)
    guard var leader = takeLeader() else {
      // A lone voter need not wait, but for the leader that has just left it alone.
      guard timer.tick() || (roster.isAlone && !hearsLeader) else { return }
      guard mayCampaign else {
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
  var hearsLeader: Bool {
    if isBoundByLease { return true }
    switch state {
    case .leader: return true
    case .preCandidate, .candidate: return false
    case .follower(let follower):
      return follower.leader != nil && timer.ticks < configuration.electionTicksMin
    }
  }

  /// Whether some leader may count on this node for its lease (thesis §6.4.1): one that it followed
  /// in an earlier term just as one of this term, for news of a later term do not reach the holder
  /// of the lease, and one that it followed before a restart.
  var isBoundByLease: Bool {
    configuration.leaseTicks > 0 && ticksSinceLeader < configuration.electionTicksMin
  }

  /// Whether this node may stand for election: it has a vote, or it had one before a configuration
  /// that is not known to be committed. It may be the only one alive that holds it, so that nobody
  /// else can win; it counts no vote of its own (thesis §4.2.2, figure 4.6).
  var mayCampaign: Bool {
    guard distrusted == nil else { return false }
    if roster.hasOwnVote { return true }
    return memberships.current.index > commit
      && memberships.previous?.membership.isVoter(id) ?? false
  }
}

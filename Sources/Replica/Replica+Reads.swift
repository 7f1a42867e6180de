import Bytes
import Raft

/// Reads of what is true now, on any node (thesis §6.4).
extension Replica {
  /// Takes in one client's read, or answers it at once.
  mutating func read(token: UInt64, into effects: inout [ReplicaEffect]) {
    if reads.count >= configuration.pendingReadsMax {
      return refuseRead(token, .overloaded, into: &effects)
    }
    if let since = leaderlessSince, tick - since >= leaderlessTicksMax {
      return refuseRead(token, .noLeader, into: &effects)
    }
    reads.add(token: token, tick: tick)
  }

  /// Asks the leader, once for all that came since the last question.
  mutating func askForReads(ticksOverdue: Int) {
    guard reads.hasUnasked, raft.leader != nil else { return }
    let context = reads.ask(tick: tick)
    raft.step(.read(context: context, ticksOverdue: ticksOverdue), into: &raftEffects)
  }

  /// Answers the reads for which enough has been applied.
  mutating func answerReads(into effects: inout [ReplicaEffect]) {
    for read in reads.takeReady(applied: state.last.index) {
      effects.append(.answerRead(ReadAnswer(token: read.token, result: .granted)))
    }
  }

  /// Asks again what seems lost, and answers what has waited too long.
  mutating func expireReads(into effects: inout [ReplicaEffect]) {
    guard reads.count > 0 else { return }
    reads.giveUp(askedUpTo: tick - configuration.raft.electionTicksMin)
    for read in reads.takeExpired(upTo: tick - configuration.readTicksMax) {
      refuseRead(read.token, .noLeader, into: &effects)
    }
  }

  private func refuseRead(
    _ token: UInt64, _ refusal: PaymentRefusal, into effects: inout [ReplicaEffect]
  ) {
    effects.append(.answerRead(ReadAnswer(token: token, result: .refused(refusal))))
  }
}

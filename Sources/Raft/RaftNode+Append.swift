import Bytes

/// The follower's side of replication (Raft §5.3).
extension RaftNode {
  /// Takes a leader's entries if they join on to the log.
  mutating func receiveAppend(
    _ request: AppendRequest, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    guard request.isWellFormed else {
      faults.malformed += 1
      return
    }
    guard request.term >= term else {
      refuse(request, to: sender, into: &effects)
      return
    }
    guard follow(sender, term: request.term, into: &effects) else { return }
    guard log.term(at: request.previous.index) == request.previous.term else {
      guard request.previous.index > commit else {
        faults.conflictAtCommit += 1
        return
      }
      refuse(request, to: sender, into: &effects)
      return
    }
    guard store(request, into: &effects) else { return }
    let response = AppendResponse(term: term, outcome: .accepted(match: request.lastIndex))
    promise(.appendResponse(response), to: sender, into: &effects)
    advanceCommit(to: min(request.commit, request.lastIndex), into: &effects)
  }

  /// Notes a leader that lives, and what it says is committed.
  mutating func receiveHeartbeat(
    term leaderTerm: Term, commit leaderCommit: LogIndex, round: UInt64, from sender: NodeID,
    into effects: inout [RaftEffect]
  ) {
    guard leaderTerm >= term else {
      // A leader that was cut off learns of this term, and a node that is ahead of everybody's
      // term gets a new election instead of being refused forever.
      answer(.heartbeatResponse(term: term, round: round), to: sender, into: &effects)
      return
    }
    guard follow(sender, term: leaderTerm, into: &effects) else { return }
    answer(.heartbeatResponse(term: term, round: round), to: sender, into: &effects)
    guard leaderCommit <= last.index else {
      faults.beyondLog += 1
      return
    }
    advanceCommit(to: leaderCommit, into: &effects)
  }

  /// Follows `sender`, the leader of `leaderTerm`. False if this term has another leader.
  ///
  /// Precondition: `leaderTerm` is not before this node's term.
  mutating func follow(
    _ sender: NodeID, term leaderTerm: Term, into effects: inout [RaftEffect]
  ) -> Bool {
    if leaderTerm == term, let known = leader {
      guard known == sender else {
        faults.secondLeader += 1
        return false
      }
      timer.restart()
    } else {
      becomeFollower(term: leaderTerm, leader: sender, into: &effects)
    }
    ticksSinceLeader = 0
    return true
  }

  /// Stores what the log lacks, and drops entries only where one really conflicts: a request that
  /// is late or repeated and ends inside the log changes nothing. False if the conflict is with a
  /// committed entry.
  ///
  /// Precondition: the log holds `request.previous`.
  private mutating func store(
    _ request: AppendRequest, into effects: inout [RaftEffect]
  ) -> Bool {
    var first = request.previous.index.next
    var present = 0
    while present < request.entryTerms.count, log.term(at: first) == request.entryTerms[present] {
      present += 1
      first = first.next
    }
    guard present < request.entryTerms.count else { return true }
    guard first > commit else {
      faults.conflictAtCommit += 1
      return false
    }
    emitHardState(into: &effects)
    if first <= last.index {
      droppedFrom = min(droppedFrom, first)
      droppedTerm = max(droppedTerm, last.term)
      log.truncate(from: first)
      durable = min(durable, last.index)
      effects.append(.truncate(from: first))
      if memberships.truncate(from: first) { useMembership(into: &effects) }
    }
    for entryTerm in request.entryTerms[present...] { log.append(term: entryTerm, count: 1) }
    effects.append(.append(LogIndexRange(first: first, last: last.index)))
    for entry in request.memberships where entry.index >= first {
      memberships.append(entry)
      useMembership(into: &effects)
    }
    return true
  }

  /// Tells where this log leaves the leader's, or of a later term.
  private mutating func refuse(
    _ request: AppendRequest, to sender: NodeID, into effects: inout [RaftEffect]
  ) {
    let previous = request.previous.index
    let cause: AppendHint.Cause
    if previous > .zero, let conflict = log.term(at: previous) {
      cause = .conflict(term: conflict, first: log.firstIndex(ofRunHolding: previous))
    } else {
      cause = .logEnd(last: last)
    }
    let hint = AppendHint(previous: previous, cause: cause)
    let response = AppendResponse(term: term, outcome: .rejected(hint: hint))
    answer(.appendResponse(response), to: sender, into: &effects)
  }

  /// Raises the commit index to `index`, never beyond the log.
  private mutating func advanceCommit(to index: LogIndex, into effects: inout [RaftEffect]) {
    guard index > commit else { return }
    precondition(index <= last.index, "commit is within the log")
    commit = index
    memberships.compact(committed: commit)
    effects.append(.commit(index))
  }
}

import Bytes

/// The leader's side of replication (Raft §5.3, thesis §10.2.1).
///
/// The leader's state is taken out of the enum, changed in place, and put back, so that its arrays
/// are not copied.
extension RaftNode {
  /// The leader's state, moved out; nil on other nodes. The caller puts it back.
  mutating func takeLeader() -> LeaderState? {
    guard case .leader(let leader) = state else { return nil }
    state = .follower(FollowerState())
    return leader
  }

  /// Puts `count` entries of this term after the log and sends them on.
  mutating func propose(count: Int, into effects: inout [RaftEffect]) {
    precondition(count >= 0, "a count is not negative")
    guard !isTransferring, var leader = takeLeader() else {
      effects.append(.proposalDropped(count: count))
      return
    }
    log.append(term: term, count: count)
    leader.progress[roster.ownPosition].next = last.index.next
    for position in leader.progress.indices where position != roster.ownPosition {
      sendAppends(&leader, to: position, evenIfEmpty: false, into: &effects)
    }
    state = .leader(leader)
  }

  /// Local storage is durable up to `entry`; a leader counts itself for commit only now.
  mutating func persisted(_ entry: EntryID, into effects: inout [RaftEffect]) {
    guard entry.index > durable, log.term(at: entry.index) == entry.term else { return }
    // An entry that was dropped and came back: the report may be of its first write, with the drop
    // still on its way to the disk. Entries of later terms, which follow soon, are free of that.
    guard entry.index < droppedFrom || entry.term > droppedTerm else { return }
    durable = entry.index
    if let lost = distrusted, entry.term > lost { distrusted = nil }
    guard var leader = takeLeader() else { return }
    leader.progress[roster.ownPosition].match = durable
    let hasCommitted = advanceCommit(leader, into: &effects)
    if hasCommitted { sendCommit(&leader, into: &effects) }
    state = .leader(leader)
    if hasCommitted { leaveIfRemoved(into: &effects) }
  }

  /// The connection to `peer` broke: it is probed again.
  mutating func unreachable(_ peer: NodeID) {
    guard let position = roster.position(of: peer), position != roster.ownPosition else { return }
    guard var leader = takeLeader() else { return }
    leader.progress[position].probe(from: leader.progress[position].match.next)
    state = .leader(leader)
  }

  /// A follower took entries, or tells where its log leaves this one.
  mutating func receiveAppendResponse(
    _ response: AppendResponse, from position: Int, into effects: inout [RaftEffect]
  ) {
    guard isCurrentResponse(term: response.term, into: &effects) else { return }
    guard var leader = takeLeader() else { return }
    leader.progress[position].ticksSilent = 0
    let before = commit
    switch response.outcome {
    case .accepted(let match): accepted(&leader, upTo: match, by: position, into: &effects)
    case .rejected(let hint): rejected(&leader, hint: hint, by: position, into: &effects)
    }
    state = .leader(leader)
    if commit > before { leaveIfRemoved(into: &effects) }
  }

  /// A follower answered a heartbeat: what it should have had by now and has not was lost.
  mutating func receiveHeartbeatResponse(
    term answered: Term, round: UInt64, from position: Int, into effects: inout [RaftEffect]
  ) {
    guard isCurrentResponse(term: answered, into: &effects) else { return }
    guard var leader = takeLeader() else { return }
    defer { state = .leader(leader) }
    guard round <= leader.round else {
      faults.malformed += 1
      return
    }
    guard round > leader.progress[position].roundHeard else { return }
    noteAnswer(&leader, round: round, by: position)
    leader.progress[position].ticksSilent = 0
    leader.progress[position].resume()
    if leader.progress[position].flow != .replicate
      || leader.progress[position].match < last.index
    {
      sendAppends(&leader, to: position, evenIfEmpty: true, into: &effects)
    }
    answerReads(&leader, into: &effects)
    continueTransfer(leader, to: position, into: &effects)
  }

  /// Notes what the follower at `position` holds, commits, and sends it more.
  private mutating func accepted(
    _ leader: inout LeaderState, upTo match: LogIndex, by position: Int,
    into effects: inout [RaftEffect]
  ) {
    guard match <= last.index else {
      faults.beyondLog += 1
      return
    }
    guard leader.progress[position].accept(upTo: match) else { return }
    if match > commit, advanceCommit(leader, into: &effects) {
      sendCommit(&leader, into: &effects)
    } else {
      sendAppends(&leader, to: position, evenIfEmpty: false, into: &effects)
    }
    continueTransfer(leader, to: position, into: &effects)
  }

  /// Goes back to where the follower's log may join, by whole terms (Raft §5.3, end).
  private func rejected(
    _ leader: inout LeaderState, hint: AppendHint, by position: Int,
    into effects: inout [RaftEffect]
  ) {
    guard hint.previous > .zero,
      leader.progress[position].isCurrentRefusal(previous: hint.previous)
    else { return }
    leader.progress[position].probe(from: joint(hint))
    sendAppends(&leader, to: position, evenIfEmpty: true, into: &effects)
  }

  /// The place after the last entry that this log and the refusing follower's may share. Always at
  /// or before the refused place, so that every refusal makes progress.
  private func joint(_ hint: AppendHint) -> LogIndex {
    let limit = hint.previous.previous
    switch hint.cause {
    case .conflict(let term, let first):
      let shared = log.lastEntry(atOrBefore: limit, termMax: term)
      // Without entries of the conflicting term here, none of its run there can be shared.
      guard shared.term != term else { return shared.index.next }
      return min(max(first, .zero.next), shared.index.next)
    case .logEnd(let end):
      return log.lastEntry(atOrBefore: min(limit, end.index), termMax: end.term).index.next
    }
  }

  /// Commits what a majority holds, if it is of this term (Raft §5.3, §5.4.2). True if it did.
  private mutating func advanceCommit(
    _ leader: LeaderState, into effects: inout [RaftEffect]
  ) -> Bool {
    let agreed = roster.agreedIndex { leader.progress[$0].match }
    guard agreed > commit,
      log.term(at: agreed) == term || configuration.canary.contains(.commitsEarlierTerms)
    else { return false }
    commit = agreed
    memberships.compact(committed: commit)
    effects.append(.commit(agreed))
    return true
  }
}

import Bytes

/// What a leader sends, and how much of it at once (thesis §10.2.1).
extension RaftNode {
  /// Says "I lead" to everybody, each with the part of the commit index it surely holds.
  func sendHeartbeats(_ leader: inout LeaderState, into effects: inout [RaftEffect]) {
    leader.round += 1
    leader.ticksSinceHeartbeat = 0
    noteRound(&leader)
    guard maySpeak(leader) else { return }
    for (position, peer) in roster.ids.enumerated() where position != roster.ownPosition {
      let held = min(leader.progress[position].match, commit)
      effects.append(
        .send(.heartbeatRequest(term: term, commit: held, round: leader.round), to: peer))
    }
  }

  /// Brings a new commit index to all: followers answer their clients by it.
  func sendCommit(_ leader: inout LeaderState, into effects: inout [RaftEffect]) {
    for position in leader.progress.indices where position != roster.ownPosition {
      sendAppends(&leader, to: position, evenIfEmpty: true, into: &effects)
    }
  }

  /// Sends the follower at `position` all that its flow allows; when it has all, and `evenIfEmpty`,
  /// an append without entries.
  func sendAppends(
    _ leader: inout LeaderState, to position: Int, evenIfEmpty: Bool,
    into effects: inout [RaftEffect]
  ) {
    guard maySpeak(leader) else { return }
    switch leader.progress[position].flow {
    case .probe(isPaused: true): return
    case .probe(isPaused: false):
      let count = countToSend(from: leader.progress[position].next)
      guard count > 0 || evenIfEmpty else { return }
      leader.progress[position].flow = .probe(isPaused: true)
      sendAppend(leader.progress[position].next, count: count, to: position, into: &effects)
    case .replicate:
      var count = countToSend(from: leader.progress[position].next)
      if count == 0 && evenIfEmpty {
        sendAppend(leader.progress[position].next, count: 0, to: position, into: &effects)
      }
      while count > 0 && !leader.progress[position].window.isFull {
        let next = leader.progress[position].next
        sendAppend(next, count: count, to: position, into: &effects)
        leader.progress[position].next = next.advanced(by: count)
        leader.progress[position].window.add(next.advanced(by: count).previous)
        count = countToSend(from: leader.progress[position].next)
      }
    }
  }

  /// Whether this node's term is durable, so that it cannot lead it again after a crash, with other
  /// entries. It is where others voted; a lone voter leads at once, and is silent to its learners
  /// until its first entry is durable.
  private func maySpeak(_ leader: LeaderState) -> Bool {
    !roster.isAlone || durable >= leader.firstOfTerm
  }

  /// How many entries from `next` on go into one message.
  private func countToSend(from next: LogIndex) -> Int {
    guard next <= last.index else { return 0 }
    return Int(
      min(last.index.rawValue - next.rawValue + 1, UInt64(configuration.entriesPerMessageMax)))
  }

  /// One append of `count` entries from `next` on.
  private func sendAppend(
    _ next: LogIndex, count: Int, to position: Int, into effects: inout [RaftEffect]
  ) {
    guard let previousTerm = log.term(at: next.previous) else {
      preconditionFailure("the log holds what was sent")
    }
    let request = AppendRequest(
      term: term, previous: EntryID(index: next.previous, term: previousTerm), commit: commit,
      entryTerms: log.terms(from: next, count: count))
    let peer = roster.ids[position]
    effects.append(
      count > 0 ? .sendEntries(request, to: peer) : .send(.appendRequest(request), to: peer))
  }
}

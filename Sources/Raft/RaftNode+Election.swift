import Bytes

/// Pre-votes (thesis §9.6) and votes (Raft §5.2, §5.4.1).
extension RaftNode {
  /// Says whether this node would vote for `sender` in `asked`; changes nothing.
  mutating func receivePreVoteRequest(
    term asked: Term, last peerLast: EntryID, from sender: NodeID, into effects: inout [RaftEffect]
  ) {
    let isFree = asked > term || (asked == term && canVote(for: sender))
    let isGranted =
      !hearsLeader && isFree && distrusted == nil && peerLast.isAtLeastAsUpToDate(as: last)
    answer(
      .preVoteResponse(term: isGranted ? asked : term, granted: isGranted), to: sender,
      into: &effects)
  }

  /// Counts an answer; a majority of grants starts the campaign. Refusals of this term end nothing:
  /// the node asks again (``becomePreCandidate(into:)``) until it hears a leader.
  mutating func receivePreVoteResponse(
    term answered: Term, isGranted: Bool, from position: Int, into effects: inout [RaftEffect]
  ) {
    if !isGranted && answered > term {
      becomeFollower(term: answered, leader: nil, into: &effects)
      return
    }
    guard case .preCandidate(var ballot) = state, !isGranted || answered == term.next else {
      return
    }
    ballot.record(position: position, isGranted: isGranted)
    state = .preCandidate(ballot)
    if ballot.outcome(in: roster) == .won { becomeCandidate(isTransfer: false, into: &effects) }
  }

  /// Votes at most once in a term, and only for a log at least as up to date as its own.
  mutating func receiveVoteRequest(
    term asked: Term, last peerLast: EntryID, isTransfer: Bool, from sender: NodeID,
    into effects: inout [RaftEffect]
  ) {
    if asked > term {
      // Not even the term is taken: it would depose a leader that works.
      guard isTransfer || !hearsLeader else { return }
      becomeFollower(term: asked, leader: nil, into: &effects)
    }
    let isGranted =
      asked == term && canVote(for: sender) && distrusted == nil && (isTransfer || !isBoundByLease)
      && peerLast.isAtLeastAsUpToDate(as: last)
    let response = RaftMessage.voteResponse(term: term, granted: isGranted)
    guard isGranted else {
      answer(response, to: sender, into: &effects)
      return
    }
    setHardState(HardState(term: term, vote: sender))
    timer.redraw()
    promise(response, to: sender, into: &effects)
  }

  /// Counts an answer; a majority of grants makes the leader.
  mutating func receiveVoteResponse(
    term answered: Term, isGranted: Bool, from position: Int, into effects: inout [RaftEffect]
  ) {
    guard isCurrentResponse(term: answered, into: &effects) else { return }
    guard case .candidate(var ballot) = state else { return }
    ballot.record(position: position, isGranted: isGranted)
    switch ballot.outcome(in: roster) {
    case .open: state = .candidate(ballot)
    case .won: becomeLeader(into: &effects)
    case .lost: becomeFollower(term: term, leader: nil, into: &effects)
    }
  }

  /// Whether the vote of this term is free, or already `candidate`'s.
  private func canVote(for candidate: NodeID) -> Bool {
    hardState.vote == candidate || (hardState.vote == nil && leader == nil)
  }
}

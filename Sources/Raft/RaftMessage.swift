package import Bytes

/// What nodes say to each other. Any message may be lost, repeated, late or out of order.
package enum RaftMessage: Hashable, Sendable {
  /// "Would you vote for me in `term`?" `term` is the one it would campaign for (thesis §9.6).
  case preVoteRequest(term: Term, last: EntryID)
  /// The answer. Granted: `term` is the term asked about. Refused: the answering node's own.
  case preVoteResponse(term: Term, granted: Bool)
  /// "Vote for me in `term`." `transfer`: the leader asked for it, so voters that hear the leader
  /// answer all the same (thesis §4.2.3).
  case voteRequest(term: Term, last: EntryID, transfer: Bool)
  /// The answer, with the answering node's term.
  case voteResponse(term: Term, granted: Bool)
  /// The leader's entries, or none: a probe, or news of the commit index.
  case appendRequest(AppendRequest)
  /// The answer.
  case appendResponse(AppendResponse)
  /// "I lead." `commit` is never above what the leader knows this follower to hold; `round` counts
  /// the leader's heartbeats in its term and comes back in the answer.
  case heartbeatRequest(term: Term, commit: LogIndex, round: UInt64)
  /// The answer, with the answering node's term.
  case heartbeatResponse(term: Term, round: UInt64)
  /// "Campaign now": the leader hands over (thesis §3.10).
  case timeoutNow(term: Term)
  /// "Up to where must I have applied, so that I answer with what is true now?" `context` is the
  /// asking node's own name for the question (thesis §6.4).
  case readRequest(term: Term, context: UInt64)
  /// The answer; only a leader that a majority has just followed gives one.
  case readResponse(term: Term, context: UInt64, index: LogIndex)

  /// The term the message speaks of.
  package var term: Term {
    switch self {
    case .preVoteRequest(let term, _), .preVoteResponse(let term, _),
      .voteRequest(let term, _, _), .voteResponse(let term, _),
      .heartbeatRequest(let term, _, _), .heartbeatResponse(let term, _), .timeoutNow(let term),
      .readRequest(let term, _), .readResponse(let term, _, _):
      term
    case .appendRequest(let request): request.term
    case .appendResponse(let response): response.term
    }
  }
}

/// Entries for a follower (AppendEntries, Raft figure 2), without their payloads.
package struct AppendRequest: Hashable, Sendable {
  /// The leader's term.
  package var term: Term
  /// The entry just before the first of these: the follower must hold it.
  package var previous: EntryID
  /// The leader's commit index.
  package var commit: LogIndex
  /// The terms of the entries at `previous.index + 1` and on.
  package var entryTerms: [Term]
  /// The configurations among the entries, ascending: read from the payloads by the receiver, not
  /// sent apart. Empty in requests of effects.
  package var memberships: [MembershipEntry]

  /// An append of `entryTerms.count` entries after `previous`.
  package init(
    term: Term, previous: EntryID, commit: LogIndex, entryTerms: [Term],
    memberships: [MembershipEntry] = []
  ) {
    self.memberships = memberships
    self.term = term
    self.previous = previous
    self.commit = commit
    self.entryTerms = entryTerms
  }

  /// The place of the last entry, or of `previous` when there are none.
  package var lastIndex: LogIndex { previous.index.advanced(by: entryTerms.count) }

  /// Whether a leader could have sent it: terms never fall along the log nor exceed the leader's,
  /// the place before the first entry has term 0 and is the only one, and indices do not overflow.
  var isWellFormed: Bool {
    guard (previous.index == .zero) == (previous.term == .zero) else { return false }
    guard previous.index.rawValue <= .max - UInt64(entryTerms.count) else { return false }
    var before = max(previous.term, .zero.next)
    for entryTerm in entryTerms {
      guard entryTerm >= before else { return false }
      before = entryTerm
    }
    var configured = previous.index
    for entry in memberships {
      guard entry.index > configured, entry.index <= lastIndex else { return false }
      configured = entry.index
    }
    return entryTerms.isEmpty ? previous.term <= term : before <= term
  }
}

/// A follower's answer to an ``AppendRequest``.
package struct AppendResponse: Hashable, Sendable {
  /// What became of the entries.
  package enum Outcome: Hashable, Sendable {
    /// The follower's log is the leader's up to `match`, durably.
    case accepted(match: LogIndex)
    /// The follower does not hold `previous`.
    case rejected(hint: AppendHint)
  }

  /// The follower's term.
  package var term: Term
  /// What became of the entries.
  package var outcome: Outcome

  /// The answer `outcome` in `term`.
  package init(term: Term, outcome: Outcome) {
    self.term = term
    self.outcome = outcome
  }
}

/// Where a follower's log leaves the leader's, so that the leader goes back by whole terms instead
/// of by single entries (Raft §5.3, end).
package struct AppendHint: Hashable, Sendable {
  /// Why `previous` is not there.
  package enum Cause: Hashable, Sendable {
    /// Another term stands there: `term`, whose first entry in the follower's log is at `first`.
    case conflict(term: Term, first: LogIndex)
    /// The follower's log ends before it, with `last`.
    case logEnd(last: EntryID)
  }

  /// `previous.index` of the refused request: tells the leader a late answer from a new one.
  package var previous: LogIndex
  /// Why it is not there.
  package var cause: Cause

  /// The hint that the entry at `previous` is missing because of `cause`.
  package init(previous: LogIndex, cause: Cause) {
    self.previous = previous
    self.cause = cause
  }
}

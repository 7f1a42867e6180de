package import Bytes

/// The name of one entry of the log: where it stands, and the term of the leader that made it.
///
/// Two logs that hold the same name hold the same entries up to it (Log Matching, Raft §5.3).
package struct EntryID: Hashable, Sendable {
  /// The entry's place in the log; ``LogIndex/zero`` is the place before the first entry.
  package var index: LogIndex
  /// The term of the leader that made the entry; ``Term/zero`` for the place before the first.
  package var term: Term

  /// Names the entry of `term` at `index`.
  package init(index: LogIndex, term: Term) {
    self.index = index
    self.term = term
  }

  /// The place before the first entry, which every log holds.
  package static var zero: EntryID { EntryID(index: .zero, term: .zero) }

  /// Whether a log that ends here is at least as up to date as one that ends at `other`: the later
  /// term wins, then the longer log (Raft §5.4.1).
  func isAtLeastAsUpToDate(as other: EntryID) -> Bool {
    term > other.term || (term == other.term && index >= other.index)
  }
}

/// What a node must remember before it answers for it (Raft figure 2, "persistent state").
package struct HardState: Hashable, Sendable {
  /// Latest term the node has seen.
  package var term: Term
  /// Who got the node's vote in `term`, nil before it voted.
  package var vote: NodeID?

  /// The hard state `term`, `vote`.
  package init(term: Term, vote: NodeID?) {
    self.term = term
    self.vote = vote
  }

  /// The hard state of a node that never ran.
  package static var initial: HardState { HardState(term: .zero, vote: nil) }
}

/// What a node is at the moment (Raft §5.1, thesis §9.6 for the pre-candidate).
package enum RaftRole: Hashable, Sendable {
  /// Answers leaders and candidates.
  case follower
  /// Asks whether it could win an election, without touching anybody's term.
  case preCandidate
  /// Asks for votes in its own new term.
  case candidate
  /// Replicates its log; at most one node per term.
  case leader
}

/// A non-empty run of places in the log, both ends included.
package struct LogIndexRange: Hashable, Sendable {
  /// The first place.
  package let first: LogIndex
  /// The last place. Invariant: `first <= last`.
  package let last: LogIndex

  /// The places `first` through `last`.
  ///
  /// Precondition: `first <= last`.
  package init(first: LogIndex, last: LogIndex) {
    precondition(first <= last, "an index range is never empty")
    self.first = first
    self.last = last
  }

  /// How many places it spans.
  package var count: Int { Int(last.rawValue - first.rawValue) + 1 }
}

extension LogIndex {
  /// The place `count` places further on.
  func advanced(by count: Int) -> LogIndex { LogIndex(rawValue + UInt64(count)) }
}

package import Bytes
package import SegmentLog

/// Log matching: two logs that hold an entry of one index and term hold the same entry, and so, by
/// the chained hash, the same log before it (Raft figure 3).
package struct LogMatching {
  private struct Name: Hashable {
    let index: LogIndex
    let term: Term
  }

  private var hashes: [Name: Digest256] = [:]

  /// No entry has been seen.
  package init() {}

  /// A node holds a batch. True for one that no node held before.
  package mutating func holds(_ batch: BatchHeader) throws(Violation) -> Bool {
    let name = Name(index: batch.index, term: batch.term)
    guard let known = hashes[name] else {
      hashes[name] = batch.hash
      return true
    }
    guard known == batch.hash else {
      throw Violation(
        "log matching",
        "two batches at index \(batch.index.rawValue) of term \(batch.term.rawValue)")
    }
    return false
  }
}

/// The committed history, as the first node that knew of each commit told it. Three properties:
///
/// - What is committed stays: no node ever commits another batch at that index.
/// - Leader completeness: who leads in a later term holds all of it (Raft figure 3).
/// - Commit never regresses while a process lives (asked of it by the world).
package struct CommittedLog {
  /// One committed batch.
  package struct Entry: Sendable {
    /// The batch.
    package let batch: Batch
    /// The term in which it was first known as committed.
    package let term: Term
  }

  /// From index 1 on.
  package private(set) var entries: [Entry] = []

  /// Nothing is committed.
  package init() {}

  /// The last committed index.
  package var last: LogIndex { LogIndex(UInt64(entries.count)) }

  /// The batch at an index, if it is committed.
  package subscript(index: LogIndex) -> Batch? {
    index > .zero && index <= last ? entries[Int(index.rawValue) - 1].batch : nil
  }

  /// A node of `term` calls everything from `first` through `commit` committed; `log` is its log.
  /// Returns the batches that nobody knew to be committed before.
  package mutating func commits(
    _ node: NodeID, from first: LogIndex, through commit: LogIndex, of log: [Batch], in term: Term
  ) throws(Violation) -> ArraySlice<Entry> {
    guard commit.rawValue <= UInt64(log.count) else {
      throw Violation(
        "committed entries stay",
        "node \(node.rawValue) commits \(commit.rawValue) of a log of \(log.count)")
    }
    let known = entries.count
    var index = first
    while index <= commit {
      let batch = log[Int(index.rawValue) - 1]
      if index <= last {
        let agreed = entries[Int(index.rawValue) - 1].batch
        guard agreed.header.hash == batch.header.hash else {
          throw Violation(
            "committed entries stay",
            "node \(node.rawValue) commits another batch at index \(index.rawValue): of term "
              + "\(batch.term.rawValue), not \(agreed.term.rawValue)")
        }
      } else {
        entries.append(Entry(batch: batch, term: term))
      }
      index = index.next
    }
    return entries[known...]
  }

  /// A node leads in `term` with `log`.
  package func leads(_ node: NodeID, in term: Term, with log: [Batch]) throws(Violation) {
    for (place, entry) in entries.enumerated() where entry.term < term {
      guard place < log.count, log[place].header.hash == entry.batch.header.hash else {
        throw Violation(
          "leader completeness",
          "node \(node.rawValue) leads in term \(term.rawValue) without the batch at index "
            + "\(place + 1), committed in term \(entry.term.rawValue)")
      }
    }
  }
}

/// State-machine safety: whoever has applied up to an index, in whatever incarnation, has the same
/// chain hash and the same ledger digest there.
package struct StateMachineSafety {
  private struct State: Equatable {
    let hash: Digest256
    let ledger: Digest256
  }

  private var states: [LogIndex: State] = [:]

  /// Nothing is applied.
  package init() {}

  /// A node has applied up to an index.
  package mutating func applied(
    _ node: NodeID, through index: LogIndex, hash: Digest256, ledger: Digest256
  ) throws(Violation) {
    let state = State(hash: hash, ledger: ledger)
    guard let known = states[index] else {
      states[index] = state
      return
    }
    guard known == state else {
      throw Violation(
        "state machine safety",
        "node \(node.rawValue) has another \(known.hash == hash ? "ledger" : "log") after index "
          + "\(index.rawValue)")
    }
  }
}

package import Bytes

/// The terms of a log's entries, kept as runs: memory grows with the number of terms, not of
/// entries. All the core knows about the log.
package struct RaftLogTerms: Hashable, Sendable {
  /// Neighbouring entries of one term.
  package struct Run: Hashable, Sendable {
    /// The term of them all.
    package let term: Term
    /// The place of the first.
    package let firstIndex: LogIndex

    /// The entries of `term` from `firstIndex` up to the next run.
    package init(term: Term, firstIndex: LogIndex) {
      self.term = term
      self.firstIndex = firstIndex
    }
  }

  /// The runs. Invariant: terms and first places ascend strictly, the first run starts at 1.
  package private(set) var runs: [Run]
  /// The last entry; ``EntryID/zero`` when there is none. Invariant: its term is the last run's.
  package private(set) var last: EntryID

  /// A log without entries.
  package init() {
    runs = []
    last = .zero
  }

  /// The log of `runs` that ends at `last`.
  ///
  /// Precondition: the invariants of ``runs``, and `last` is not before the last run.
  package init(runs: [Run], last: LogIndex) {
    precondition(
      (runs.first?.firstIndex ?? .zero.next) == .zero.next, "the first run starts at index 1")
    precondition(
      zip(runs, runs.dropFirst()).allSatisfy {
        $0.term < $1.term && $0.firstIndex < $1.firstIndex
      }, "runs ascend")
    precondition((runs.first?.term ?? .zero.next) > .zero, "entries have a term")
    precondition(last >= (runs.last?.firstIndex ?? .zero), "the log ends in its last run")
    precondition(!runs.isEmpty || last == .zero, "a log without runs is empty")
    self.runs = runs
    self.last = EntryID(index: last, term: runs.last?.term ?? .zero)
  }

  /// The term of the entry at `index`: ``Term/zero`` at 0, nil beyond the end.
  package func term(at index: LogIndex) -> Term? {
    guard index <= last.index else { return nil }
    guard index > .zero else { return .zero }
    return runs[runPosition(holding: index)].term
  }

  /// The first place of the run that holds `index`.
  ///
  /// Precondition: `index` is an entry's.
  package func firstIndex(ofRunHolding index: LogIndex) -> LogIndex {
    precondition(index > .zero && index <= last.index, "no entry at this index")
    return runs[runPosition(holding: index)].firstIndex
  }

  /// The last entry at or before `index` whose term is at most `term`; ``EntryID/zero`` if none.
  package func lastEntry(atOrBefore index: LogIndex, termMax term: Term) -> EntryID {
    var end = min(index, last.index)
    guard end > .zero else { return .zero }
    var position = runPosition(holding: end)
    while runs[position].term > term {
      guard position > 0 else { return .zero }
      end = runs[position].firstIndex.previous
      position -= 1
    }
    return EntryID(index: end, term: runs[position].term)
  }

  /// The terms of the `count` entries from `first` on.
  ///
  /// Precondition: the log holds them.
  package func terms(from first: LogIndex, count: Int) -> [Term] {
    guard count > 0 else { return [] }
    let end = first.advanced(by: count)
    precondition(first > .zero && end.previous <= last.index, "the log does not hold these")
    var position = runPosition(holding: first)
    if position == runs.count - 1 || end <= runs[position + 1].firstIndex {
      return [Term](repeating: runs[position].term, count: count)
    }
    var terms: [Term] = []
    terms.reserveCapacity(count)
    var index = first
    while index < end {
      if position + 1 < runs.count && runs[position + 1].firstIndex <= index { position += 1 }
      terms.append(runs[position].term)
      index = index.next
    }
    return terms
  }

  /// Adds `count` entries of `term` at the end.
  ///
  /// Precondition: `term` is not before the last entry's and not 0.
  package mutating func append(term: Term, count: Int) {
    precondition(term >= last.term && term > .zero, "terms never fall along a log")
    guard count > 0 else { return }
    if term > last.term { runs.append(Run(term: term, firstIndex: last.index.next)) }
    last = EntryID(index: last.index.advanced(by: count), term: term)
  }

  /// Drops the entries at `index` and after it.
  ///
  /// Precondition: `index` is an entry's.
  package mutating func truncate(from index: LogIndex) {
    precondition(index > .zero && index <= last.index, "nothing to drop at this index")
    while let run = runs.last, run.firstIndex >= index { runs.removeLast() }
    last =
      runs.last.map { EntryID(index: index.previous, term: $0.term) } ?? .zero
  }

  /// The position of the run that holds `index`, an entry's; the last run is tried first.
  private func runPosition(holding index: LogIndex) -> Int {
    var low = 0
    var high = runs.count - 1
    if runs[high].firstIndex <= index { return high }
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].firstIndex <= index { low = middle } else { high = middle }
    }
    return low
  }
}

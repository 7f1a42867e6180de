import Bytes
import Raft
import Testing

/// The terms of a log against a plain array of them.
@Suite struct RaftLogTermsTests {
  @Test func `runs answer as an array does`() {
    for seed in UInt64(0)..<200 {
      var generator = SeededGenerator(seed: seed)
      var model: [UInt64] = []
      var log = RaftLogTerms()
      for _ in 0..<40 {
        if Int.random(in: 0..<4, using: &generator) == 0 && !model.isEmpty {
          let index = Int.random(in: 1...model.count, using: &generator)
          model.removeSubrange((index - 1)...)
          log.truncate(from: LogIndex(UInt64(index)))
        } else {
          let term = max(model.last ?? 1, 1) + UInt64.random(in: 0...2, using: &generator)
          let count = Int.random(in: 0...3, using: &generator)
          model += [UInt64](repeating: term, count: count)
          log.append(term: Term(term), count: count)
        }
        check(log, against: model, seed: seed, &generator)
      }
    }
  }

  private func check(
    _ log: RaftLogTerms, against model: [UInt64], seed: UInt64, _ generator: inout SeededGenerator
  ) {
    let all = (0...(model.count + 1)).map { log.term(at: LogIndex(UInt64($0))) }
    #expect(all == [.zero] + model.map { Term($0) } + [nil], "seed \(seed)")
    #expect(log.last == EntryID(UInt64(model.count), model.last ?? 0), "seed \(seed)")
    #expect(RaftLogTerms(runs: log.runs, last: log.last.index) == log, "seed \(seed)")
    guard !model.isEmpty else { return }
    let from = Int.random(in: 1...model.count, using: &generator)
    let count = Int.random(in: 0...(model.count - from + 1), using: &generator)
    #expect(
      log.terms(from: LogIndex(UInt64(from)), count: count)
        == model[(from - 1)..<(from - 1 + count)].map { Term($0) }, "seed \(seed)")
    let run = model.firstIndex(of: model[from - 1]).map { $0 + 1 }
    #expect(
      log.firstIndex(ofRunHolding: LogIndex(UInt64(from))) == run.map { LogIndex(UInt64($0)) },
      "seed \(seed)")
    let termMax = UInt64.random(in: 0...12, using: &generator)
    let entry = model.prefix(from).lastIndex { $0 <= termMax }
    #expect(
      log.lastEntry(atOrBefore: LogIndex(UInt64(from)), termMax: Term(termMax))
        == (entry.map { EntryID(UInt64($0 + 1), model[$0]) } ?? .zero), "seed \(seed)")
  }
}

/// Majorities (Raft §5.2, figure 2 "Leaders", last rule).
@Suite struct RosterTests {
  @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (15, 8)])
  func `a majority is more than half`(count: Int, majority: Int) {
    let roster = Roster(.voters(UInt16(count)), own: nodeA)
    #expect(roster.hasMajority { $0 < majority })
    #expect(!roster.hasMajority { $0 < majority - 1 })
  }

  @Test func `the agreed index is the highest that a majority reached`() {
    for seed in UInt64(0)..<500 {
      var generator = SeededGenerator(seed: seed)
      let count = Int.random(in: 1...15, using: &generator)
      let roster = Roster(.voters(UInt16(count)), own: nodeA)
      let matches = (0..<count).map { _ in UInt64.random(in: 0...9, using: &generator) }
      let expected = (UInt64(0)...9).last { index in
        matches.count { $0 >= index } > count / 2
      }
      #expect(
        roster.agreedIndex { LogIndex(matches[$0]) } == expected.map { LogIndex($0) },
        "seed \(seed): \(matches)")
    }
  }

  @Test func `a vote is lost as soon as it cannot be won`() {
    let roster = Roster(.voters(4), own: nodeA)
    #expect(roster.outcome(granted: 0b0111, refused: 0) == .won)
    #expect(roster.outcome(granted: 0b0011, refused: 0b0100) == .open)
    #expect(roster.outcome(granted: 0b0011, refused: 0b1100) == .lost)
  }
}

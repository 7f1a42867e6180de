import Bytes
import Ledger
import Synchronization
import Testing

/// The records that a ledger was made from, to be asked for old transactions.
private final class Past: PastTransactions {
  struct State {
    var batches: [(first: EventSequence, records: [UInt8])] = []
    var searchable = EventSequence.zero
    var isFailing = false
    var questionCount = 0
    var hitCount = 0
  }

  let state = Mutex(State())

  var searchableThrough: EventSequence { state.withLock { $0.searchable } }

  func find(
    _ id: TransactionID, through last: EventSequence
  ) throws(PastProblem) -> PastTransaction? {
    let (batches, isFailing) = state.withLock { state in
      state.questionCount += 1
      return (state.batches, state.isFailing)
    }
    if isFailing { throw PastProblem(segment: LogIndex(7)) }
    for batch in batches where batch.first <= last {
      let found = try? PastTransaction.first(
        id, in: batch.records.span.bytes, from: batch.first, through: last)
      if let found {
        state.withLock { $0.hitCount += 1 }
        return found
      }
    }
    return nil
  }
}

/// A ledger that lets go of old transactions gives what one gives that keeps them all.
@Suite struct AgingTests {
  /// Random payments: new ones, old ones again soon or late, ids used again, texts, refused ones.
  private func stream(_ count: Int, _ random: inout SeededGenerator) throws -> [PaymentDraft] {
    var drafts = try randomDrafts(count, accounts: 6, using: &random)
    for place in drafts.indices where place > 20 && Int.random(in: 0..<4, using: &random) == 0 {
      let old = drafts[Int.random(in: 0..<place, using: &random)]
      drafts[place] = old
      if Int.random(in: 0..<3, using: &random) == 0 {
        drafts[place] = try draft(old.id.text, "7.25", "account 1", "someone else")
      }
    }
    return drafts
  }

  private func expectSame(
    _ exact: borrowing LedgerState, _ aging: borrowing LedgerState, _ drafts: [PaymentDraft],
    _ seed: UInt64
  ) throws {
    #expect(exact.digest == aging.digest && exact.counts == aging.counts, "seed \(seed)")
    for draft in drafts {
      let isSame =
        try exact.lookup(draft.id) == aging.lookup(draft.id)
        && exact.precheck(draft) == aging.precheck(draft)
      if !isSame { Issue.record("seed \(seed): \(draft.id.text) differs") }
    }
    #expect(try aging.lookup(TransactionID(high: 1, low: seed)) == .unknown)
  }

  @Test(arguments: [1, 7, 100])
  func `outcomes and answers are those of a ledger that keeps all`(heldCount: Int) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    let past = Past()
    var exact = LedgerState(seed: 1)
    var aging = LedgerState(seed: 2)
    aging.keep(newest: heldCount, past: past)
    let drafts = try stream(4000, &random)
    var (next, failures) = (0, 0)
    while next < drafts.count {
      let end = min(next + Int.random(in: 1...60, using: &random), drafts.count)
      var bytes = records(Array(drafts[next..<end]))
      var count = end - next
      // Now and then nobody may owe: many payments are refused.
      if Int.random(in: 0..<8, using: &random) == 0 {
        let change = PolicyChange(
          stamp: stamp(), key: .overdraft, value: Int64.random(in: 0...1, using: &random))
        bytes += records([Event.policy(change)])
        count += 1
      }
      let first = exact.lastSequence.next
      let expected = try exact.apply(bytes: bytes, count: count)
      let before = aging.digest
      let fails = Int.random(in: 0..<4, using: &random) == 0
      past.state.withLock { $0.isFailing = fails }
      var outcomes: [Outcome]?
      do throws(LedgerError) { outcomes = try aging.applied(bytes, count) } catch {
        #expect(error == .pastUnreadable(segment: LogIndex(7)))
        #expect(aging.digest == before && aging.lastSequence.next == first)
        failures += 1
      }
      past.state.withLock { $0.isFailing = false }
      if outcomes == nil { outcomes = try aging.applied(bytes, count) }
      #expect(outcomes == expected, "seed \(seed)")
      past.state.withLock { state in
        state.batches.append((first, bytes))
        // The last segment is never searchable, and sealing may lag.
        if Int.random(in: 0..<3, using: &random) == 0 {
          state.searchable = EventSequence(first.rawValue - 1)
        }
      }
      if Int.random(in: 0..<15, using: &random) == 0 {
        aging.gatherHeld()
        aging = try LedgerState(pieces: aging.pieces())
        aging.keep(newest: heldCount, past: past)
      }
      next = end
    }
    try expectSame(exact, aging, drafts, seed)
    #expect(aging.agedTransactionCount > 1000 && aging.heldTransactionCount < 1200)
    let (questions, hits) = past.state.withLock { ($0.questionCount, $0.hitCount) }
    #expect(hits > 300 && questions - hits - failures < 5)
    #expect(failures > 5 && exact.counts.rejected > 100 && exact.counts.applied > 500)
  }

  @Test func `an id that was never used costs no question`() throws {
    var random = SeededGenerator(seed: 3)
    let past = Past()
    var ledger = LedgerState(seed: 9)
    ledger.keep(newest: 500, past: past)
    for _ in 0..<200 {
      let drafts = try (0..<100).map { _ in
        try draft(
          TransactionID(high: random.next(), low: random.next()).text, "1.00", "a", "b")
      }
      _ = try ledger.apply(drafts)
      past.state.withLock { $0.searchable = ledger.lastSequence }
    }
    #expect(ledger.agedTransactionCount > 18_000 && ledger.heldTransactionCount < 1200)
    #expect(past.state.withLock { $0.questionCount } == 0)
  }

  @Test func `a snapshot with aged parts that are wrong is refused`() throws {
    let past = Past()
    var ledger = LedgerState(seed: 4)
    ledger.keep(newest: 10, past: past)
    for number in 0..<30 {
      let drafts = try (0..<4).map { place in
        try draft("p-\(number)-\(place)", "1.00", "a", "b")
      }
      let change = PolicyChange(stamp: stamp(), key: .overdraft, value: Int64(number % 2))
      let bytes = records(drafts) + records([Event.policy(change)])
      _ = try ledger.apply(bytes: bytes, count: 5)
      past.state.withLock { state in
        state.batches.append((EventSequence(UInt64(number * 5 + 1)), bytes))
        state.searchable = EventSequence(UInt64(number * 5))
      }
    }
    ledger.gatherHeld()
    let pieces = ledger.pieces()
    #expect(ledger.agedTransactionCount > 100)
    for index in pieces.indices.suffix(2) {
      for place in pieces[index].indices {
        var changed = pieces
        changed[index][place] ^= 0x80
        // Some bits only name another id, or another reason: a digest is over all of it in a file.
        _ = try? LedgerState(pieces: changed)
      }
      var short = pieces
      short[index].removeLast()
      #expect(throws: DecodeError.self) { _ = try LedgerState(pieces: short) }
      short = pieces
      short.remove(at: index)
      #expect(throws: DecodeError.self) { _ = try LedgerState(pieces: short) }
    }
  }
}

extension LedgerState {
  fileprivate mutating func applied(
    _ bytes: [UInt8], _ count: Int
  ) throws(LedgerError) -> [Outcome] {
    var outcomes: [Outcome] = []
    try apply(
      firstSequence: lastSequence.next, count: UInt64(count), records: bytes.span.bytes,
      batchHash: Digest256Hasher.digest(bytes.span.bytes), outcomes: &outcomes)
    return outcomes
  }
}

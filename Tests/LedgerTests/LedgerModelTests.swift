import Bytes
import HybridTime
import Ledger
import Testing

/// A ledger of dictionaries, obviously right and slow.
private struct ModelLedger {
  struct Account: Hashable {
    var name: [UInt8]
    var currency: Currency
  }

  var balances: [Account: Int128] = [:]
  var known: [TransactionID: (draft: PaymentDraft, sequence: UInt64)] = [:]
  var sequence: UInt64 = 0

  mutating func apply(_ draft: PaymentDraft) -> OutcomeCode {
    sequence += 1
    if let earlier = known[draft.id] { return earlier.draft == draft ? .duplicate : .idReused }
    known[draft.id] = (draft, sequence)
    let amount = Int128(draft.amountMinorUnits)
    balances[Account(name: draft.sender, currency: draft.currency), default: 0] -= amount
    balances[Account(name: draft.receiver, currency: draft.currency), default: 0] += amount
    return .applied
  }
}

@Suite struct LedgerModelTests {
  @Test func `a hundred thousand random payments give what the model gives`() throws {
    let seed: UInt64 = 41
    var generator = SeededGenerator(seed: seed)
    let drafts = try randomDrafts(100_000, accounts: 500, using: &generator)
    var ledger = LedgerState(seed: seed)
    var model = ModelLedger()
    var next = 0
    var appliedCount: UInt64 = 0
    while next < drafts.count {
      let end = min(next + Int.random(in: 1...700, using: &generator), drafts.count)
      let batch = Array(drafts[next..<end])
      let outcomes = try ledger.apply(batch)
      #expect(outcomes.count == batch.count)
      for (offset, draft) in batch.enumerated() {
        let expected = model.apply(draft)
        if expected == .applied { appliedCount += 1 }
        guard
          outcomes[offset].code != expected
            || ledger.wasApplied(EventSequence(UInt64(next + offset + 1))) != (expected == .applied)
        else { continue }
        Issue.record("seed \(seed), event \(next + offset + 1): \(outcomes[offset]) ≠ \(expected)")
        return
      }
      next = end
    }
    #expect(ledger.counts.applied == appliedCount)
    #expect(ledger.counts.events == 100_000)
    #expect(ledger.counts.duplicates > 1_000 && ledger.counts.rejected > 1_000)
    try compare(ledger, model)
  }

  private func compare(_ ledger: borrowing LedgerState, _ model: ModelLedger) throws {
    let balances = ledger.balances()
    #expect(ledger.accountCount == model.balances.count)
    #expect(balances.count == model.balances.count)
    for balance in balances {
      let account = ModelLedger.Account(name: balance.name, currency: balance.currency)
      #expect(model.balances[account] == balance.minorUnits)
      #expect(ledger.balance(of: balance.name, balance.currency) == balance.minorUnits)
    }
    for (left, right) in zip(balances, balances.dropFirst()) {
      #expect(
        left.name.lexicographicallyPrecedes(right.name)
          || left.name == right.name && left.currency < right.currency)
    }
    #expect(ledger.currencyOutOfBalance() == nil)
    for code in ["USD", "JPY", "KWD"] {
      let sum = balances.filter { $0.currency.code == code }.reduce(0) { $0 + $1.minorUnits }
      #expect(sum == 0)
    }
    for (id, payment) in model.known {
      #expect(try ledger.lookup(id) == .applied(EventSequence(payment.sequence)))
      #expect(
        try ledger.precheck(payment.draft) == .known(EventSequence(payment.sequence), .applied))
    }
  }

  /// The digest after these batches.
  private func digest(_ batches: [[PaymentDraft]], seed: UInt64 = 0x5eed) throws -> Digest256 {
    var ledger = LedgerState(seed: seed)
    for batch in batches { _ = try ledger.apply(batch) }
    return ledger.digest
  }

  @Test func `the same batches give the same digest under any table seed`() throws {
    var generator = SeededGenerator(seed: 42)
    let drafts = try randomDrafts(12_000, accounts: 3_000, using: &generator)
    let batches = stride(from: 0, to: drafts.count, by: 97).map {
      Array(drafts[$0..<min($0 + 97, drafts.count)])
    }
    let expected = try digest(batches)
    for seed in [0, 1, .max, 0xdead_beef] as [UInt64] {
      #expect(try digest(batches, seed: seed) == expected)
    }
  }

  @Test func `any other amount, order, split or outcome gives another digest`() throws {
    let first = try draft("p1", "1", "alice", "bob")
    let second = try draft("p2", "1", "alice", "bob")
    let digests = try [
      digest([[first, second]]), digest([[second, first]]), digest([[first], [second]]),
      digest([[first]]), digest([[first, second, second]]), digest([]),
      digest([[first, try draft("p2", "1.01", "alice", "bob")]]),
      digest([[first, try draft("p2", "1", "alice", "carol")]]),
    ]
    #expect(Set(digests).count == digests.count)
  }

  @Test func `what the events gave is in the digest even where the batch hash is the same`() throws
  {
    // Two ledgers with different histories of balances apply one batch under one hash.
    func lastDigest(_ amount: String) throws -> Digest256 {
      var ledger = LedgerState()
      let bytes = records([try draft("p1", amount, "alice", "bob")])
      var outcomes: [Outcome] = []
      try ledger.apply(
        firstSequence: EventSequence(1), count: 1, records: bytes.span.bytes, batchHash: .zero,
        outcomes: &outcomes)
      return ledger.digest
    }
    #expect(try lastDigest("1") != lastDigest("2"))
    #expect(try lastDigest("1") == lastDigest("1"))
  }
}

import Bytes
import HybridTime
import Ledger
import Testing

/// Members and rules as events (DESIGN, "Consensus").
@Suite struct ClusterFactsTests {
  private func apply(_ events: [Event], to ledger: inout LedgerState) throws -> [OutcomeCode] {
    var outcomes: [Outcome] = []
    let bytes = records(events)
    try ledger.apply(
      firstSequence: ledger.lastSequence.next, count: UInt64(events.count),
      records: bytes.span.bytes, batchHash: .zero, outcomes: &outcomes)
    return outcomes.map(\.code)
  }

  private func set(_ key: PolicyKey, _ value: Int64) -> Event {
    .policy(PolicyChange(stamp: stamp(), key: key, value: value))
  }

  private func pay(_ id: String, _ amount: String, _ from: String, _ to: String) throws -> Event {
    .payment(Payment(draft: try draft(id, amount, from, to), stamp: stamp()))
  }

  @Test func `without overdraft a payment of more than the balance is refused and moves nothing`()
    throws
  {
    var ledger = LedgerState()
    #expect(try apply([pay("p1", "10", "bank", "alice")], to: &ledger) == [.applied])
    #expect(try apply([set(.overdraft, 0)], to: &ledger) == [.noted])
    let codes = try apply(
      [pay("p2", "10.01", "alice", "bob"), pay("p3", "10", "alice", "bob")], to: &ledger)
    #expect(codes == [.insufficientFunds, .applied])
    #expect(ledger.balance(of: Array("alice".utf8), .usd) == 0)
    #expect(ledger.balance(of: Array("bob".utf8), .usd) == 1000)
    // A rejected id stays rejected, whatever the rule is later.
    #expect(try apply([set(.overdraft, 1)], to: &ledger) == [.noted])
    #expect(
      try apply([pay("p2", "10.01", "alice", "bob"), pay("p4", "5", "alice", "bob")], to: &ledger)
        == [.duplicate, .applied])
  }

  @Test func `closed accounts are not opened by payments`() throws {
    var ledger = LedgerState()
    _ = try apply([pay("p1", "1", "a", "b"), set(.accountsOpen, 0)], to: &ledger)
    let codes = try apply(
      [pay("p2", "1", "a", "new"), pay("p3", "1", "new", "a"), pay("p4", "1", "b", "a")],
      to: &ledger)
    #expect(codes == [.unknownAccount, .unknownAccount, .applied])
    #expect(ledger.accountCount == 2)
  }

  @Test func `a rule holds from the batch after its own, on every node alike`() throws {
    var ledger = LedgerState()
    let codes = try apply([set(.overdraft, 0), pay("p1", "1", "a", "b")], to: &ledger)
    #expect(codes == [.noted, .applied])
    #expect(ledger.cluster.policy[.overdraft] == 0)
  }

  @Test(arguments: UInt64(0)..<100)
  func `facts survive a snapshot`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var facts = ClusterFacts()
    for _ in 0..<20 { facts.take(try randomEvent(&generator)) }
    var writer = ByteWriter()
    facts.encode(into: &writer)
    #expect(try ClusterFacts(decoding: writer.bytes.span.bytes) == facts, "seed \(seed)")
    for end in 0..<writer.count {
      let cut = Array(writer.bytes[..<end])
      #expect((try? ClusterFacts(decoding: cut.span.bytes)) != facts, "seed \(seed), cut \(end)")
    }
  }

  @Test func `values are written by name or number, and only within their range`() {
    #expect(PolicyKey(name: "clock.policy")?.value("refuse") == 1)
    #expect(PolicyKey.clockPolicy.value("2") == nil)
    #expect(PolicyKey.segmentBytes.value("4095") == nil)
    #expect(PolicyKey.segmentBytes.value("8192") == 8192)
    #expect(PolicyKey.overdraft.text(of: 0) == "no")
    for key in PolicyKey.allCases {
      #expect(PolicyKey(name: key.name) == key)
      #expect(key.range.contains(ClusterPolicy()[key]), "\(key.name)")
    }
  }
}

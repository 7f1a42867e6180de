import Bytes
import HybridTime
import Ledger
import Testing

@Suite struct LedgerTests {
  private let alice = Array("alice".utf8)
  private let bob = Array("bob".utf8)

  @Test func `a payment debits the sender and credits the receiver`() throws {
    var ledger = LedgerState()
    let outcomes = try ledger.apply([try draft("p1", "150.75", "alice", "bob")])
    #expect(outcomes.map(\.code) == [.applied])
    #expect(ledger.balance(of: alice, .usd) == -15075)
    #expect(ledger.balance(of: bob, .usd) == 15075)
    #expect(ledger.balance(of: Array("carol".utf8), .usd) == nil)
    #expect(ledger.balance(of: alice, try Currency(iso4217: "EUR")) == nil)
    #expect(try ledger.lookup(try TransactionID(validating: "p1")) == .applied(EventSequence(1)))
    #expect(try ledger.lookup(try TransactionID(validating: "p2")) == .unknown)
  }

  @Test func `six identical retries are recorded once`() throws {
    var ledger = LedgerState()
    let payment = try draft("p1", "10", "alice", "bob", reference: "rent")
    var outcomes = try ledger.apply([payment, payment, payment])
    outcomes += try ledger.apply([payment])
    outcomes += try ledger.apply([payment, payment])
    #expect(outcomes.map(\.code) == [.applied] + Array(repeating: .duplicate, count: 5))
    for outcome in outcomes.dropFirst() {
      #expect(outcome.original == EventSequence(1))
      #expect(outcome.originalCode == .applied)
      #expect(outcome.stands)
    }
    #expect(ledger.balance(of: bob, .usd) == 1000)
    #expect(ledger.counts.applied == 1)
    #expect(ledger.counts.duplicates == 5)
  }

  @Test func `the same id with another payload is refused, whatever differs`() throws {
    for id in ["p1", TransactionID(high: 5, low: 6).text] {
      var ledger = LedgerState()
      let payment = try draft(id, "10", "alice", "bob", reference: "rent")
      let others = [
        try draft(id, "10.01", "alice", "bob", reference: "rent"),
        try draft(id, "10", "alicf", "bob", reference: "rent"),
        try draft(id, "10", "alice", "bobb", reference: "rent"),
        try draft(id, "10", "bob", "alice", reference: "rent"),
        try draft(id, "10", "alice", "bob", "EUR", reference: "rent"),
        try draft(id, "10", "alice", "bob", reference: "Rent"),
        try draft(id, "10", "alice", "bob"),
      ]
      #expect(try ledger.precheck(payment) == .new)
      let outcomes = try ledger.apply([payment] + others + [payment])
      #expect(
        outcomes.map(\.code) == [.applied] + Array(repeating: .idReused, count: 7) + [.duplicate])
      #expect(outcomes[1].original == EventSequence(1))
      #expect(!outcomes[1].stands)
      #expect(try ledger.precheck(payment) == .known(EventSequence(1), .applied))
      #expect(try ledger.precheck(others[0]) == .conflict(EventSequence(1)))
      #expect(ledger.balance(of: bob, .usd) == 1000)
      #expect(ledger.accountCount == 2)
    }
  }

  @Test func `a compact id and a text id never meet`() throws {
    // A text id's key is the first half of its SHA-256: a compact id with those very bits.
    let digest = Digest256Hasher.digest(Array("p1".utf8).span.bytes)
    let (high, low) = digest.withBytes {
      (
        UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
    var ledger = LedgerState()
    let outcomes = try ledger.apply([
      try draft("p1", "1", "alice", "bob"),
      try draft(TransactionID(high: high, low: low).text, "2", "alice", "bob"),
      try draft(TransactionID(high: 0, low: 0).text, "3", "alice", "bob"),
    ])
    #expect(outcomes.map(\.code) == [.applied, .applied, .applied])
  }

  @Test func `a payment from an account to itself is refused and uses its id up`() throws {
    var ledger = LedgerState()
    // No draft can say it: the names in a good record are made the same.
    var bytes = records([try draft("p1", "1", "alice", "alicf")])
    bytes[bytes.count - 1] = UInt8(ascii: "e")
    let outcomes = try ledger.apply(bytes: bytes + bytes, count: 2)
    #expect(outcomes.map(\.code) == [.sameAccount, .duplicate])
    #expect(outcomes[1].originalCode == .sameAccount)
    #expect(!outcomes[1].stands)
    #expect(
      try ledger.lookup(try TransactionID(validating: "p1"))
        == .rejected(EventSequence(1), .sameAccount))
    #expect(ledger.accountCount == 0)
  }

  @Test func `a currency keeps the decimals of its first payment`() throws {
    var ledger = LedgerState()
    _ = try ledger.apply([try draft("p1", "1", "alice", "bob")])
    // Another edition of the table: USD with three decimals (flags, bits 2–4).
    var bytes = records([try draft("p2", "1", "alice", "bob")])
    bytes[3] = bytes[3] & 3 | 3 << 2
    #expect(try ledger.apply(bytes: bytes, count: 1).map(\.code) == [.exponentMismatch])
    #expect(ledger.accountCount == 2)
  }

  @Test func `clock reports and beacons are noted and move nothing`() throws {
    var ledger = LedgerState()
    let report = ClockReport(stamp: stamp(), driftPartsPerBillion: 7, sources: [])
    let outcomes = try ledger.apply(
      bytes: records([Event.beacon(stamp()), .clockReport(report)]), count: 2)
    #expect(outcomes.map(\.code) == [.noted, .noted])
    #expect(ledger.counts.noted == 2)
    #expect(ledger.lastSequence == EventSequence(2))
    #expect(ledger.digest != .zero)
  }

  @Test func `the applied events are known one by one`() throws {
    var ledger = LedgerState()
    let payment = try draft("p1", "1", "alice", "bob")
    _ = try ledger.apply([payment, payment, try draft("p2", "1", "bob", "alice")])
    _ = try ledger.apply(bytes: records([Event.beacon(stamp())]), count: 1)
    let applied = (0...6).map { ledger.wasApplied(EventSequence(UInt64($0))) }
    #expect(applied == [false, true, false, true, false, false, false])
  }

  // MARK: - Batches that must not be applied

  @Test func `a batch that does not follow the last is refused without a change`() throws {
    var ledger = LedgerState()
    _ = try ledger.apply([try draft("p1", "1", "alice", "bob")])
    let before = ledger.digest
    let bytes = records([try draft("p2", "1", "alice", "bob")])
    for number in [0, 1, 3] as [UInt64] {
      var outcomes: [Outcome] = []
      do {
        try ledger.apply(
          firstSequence: EventSequence(number), count: 1, records: bytes.span.bytes,
          batchHash: .zero, outcomes: &outcomes)
        Issue.record("event \(number) was applied after event 1")
      } catch {
        #expect(
          error == .sequenceGap(expected: EventSequence(2), found: EventSequence(number)))
      }
    }
    #expect(ledger.digest == before)
    #expect(try ledger.apply(bytes: bytes, count: 1).map(\.code) == [.applied])
  }

  /// What applying `bytes` throws, and what the ledger says after that.
  private func failure(_ bytes: [UInt8], count: Int) throws -> (LedgerError?, LedgerError?) {
    var ledger = LedgerState()
    func attempt(_ ledger: inout LedgerState, _ bytes: [UInt8], _ count: Int) -> LedgerError? {
      var outcomes: [Outcome] = []
      do {
        try ledger.apply(
          firstSequence: ledger.lastSequence.next, count: UInt64(count), records: bytes.span.bytes,
          batchHash: .zero, outcomes: &outcomes)
        return nil
      } catch { return error }
    }
    let first = attempt(&ledger, bytes, count)
    return (first, attempt(&ledger, records([try draft("p9", "1", "alice", "bob")]), 1))
  }

  @Test func `an unknown kind stops the ledger for good`() throws {
    for kind in [0, 4, 11, 12, 255] as [UInt8] {
      let bytes = records([try draft("p1", "1", "alice", "bob")]) + [1, 0, kind]
      let (error, after) = try failure(bytes, count: 2)
      #expect(error == .unknownKind(kind, sequence: EventSequence(2)))
      #expect(after == .broken)
    }
  }

  @Test func `a damaged record stops the ledger and names the event`() throws {
    var bytes = records([
      try draft("p1", "1", "alice", "bob"), try draft("p2", "1", "alice", "bob"),
    ])
    bytes.removeLast()
    let (error, after) = try failure(bytes, count: 2)
    guard case .damagedRecord(EventSequence(2), _) = error else {
      Issue.record("got \(String(describing: error))")
      return
    }
    #expect(after == .broken)
  }

  @Test func `a batch with more or fewer events than it says stops the ledger`() throws {
    let drafts = try (0..<70).map { try draft("p\($0)", "1", "alice", "bob") }
    for (said, found) in [(69, 70), (71, 70), (3, 4), (32, 33), (0, 1)] as [(Int, UInt64)] {
      let (error, after) = try failure(records(drafts), count: said)
      #expect(error == .countMismatch(expected: UInt64(said), found: found))
      #expect(after == .broken)
    }
  }
}

import Bytes
import HybridTime
import Ledger
import Replica
import SegmentLog
import Simulation
import Testing

/// Every checker catches what it is there for.
@Suite struct CheckerTests {
  private func batch(
    _ index: UInt64, term: UInt64 = 1, wall: Int64 = 1000, after previous: Batch? = nil
  ) throws -> Batch {
    var builder = BatchBuilder()
    let reading = ClockReading(
      rawNanoseconds: wall, correctionNanoseconds: 0, boundNanoseconds: 10, epoch: 0,
      status: .synchronized, reference: .external)
    let stamp = Stamp(
      reading: reading, hybrid: HybridTimestamp(wallNanoseconds: wall, logical: 0), node: NodeID(1))
    return try builder.build(
      BatchFields(
        startsSegment: index == 1, index: LogIndex(index), term: Term(term),
        firstSequence: EventSequence(1), count: 0, commit: LogIndex(index - 1), stamp: stamp,
        correctedMin: wall, correctedMax: wall, hybridMax: stamp.hybrid,
        previousHash: previous?.header.hash ?? .zero), records: [])
  }

  @Test func `two leaders of one term`() throws {
    var checker = ElectionSafety()
    try checker.leads(NodeID(1), in: Term(3))
    try checker.leads(NodeID(1), in: Term(3))
    try checker.leads(NodeID(2), in: Term(4))
    #expect(throws: Violation.self) { try checker.leads(NodeID(2), in: Term(3)) }
  }

  @Test func `two entries of one index and term`() throws {
    var checker = LogMatching()
    let one = try batch(1)
    #expect(try checker.holds(one.header))
    #expect(try !checker.holds(one.header))
    let other = try batch(1, wall: 2000)
    #expect(throws: Violation.self) { _ = try checker.holds(other.header) }
  }

  @Test func `another entry committed, and a leader without a committed one`() throws {
    var log = CommittedLog()
    let (one, other) = (try batch(1), try batch(1, term: 2))
    let fresh = try log.commits(
      NodeID(1), from: LogIndex(1), through: LogIndex(1), of: [one], in: Term(1))
    #expect(fresh.count == 1)
    try log.leads(NodeID(2), in: Term(2), with: [one])
    try log.leads(NodeID(2), in: Term(1), with: [])
    #expect(throws: Violation.self) { try log.leads(NodeID(2), in: Term(2), with: []) }
    #expect(throws: Violation.self) { try log.leads(NodeID(2), in: Term(2), with: [other]) }
    #expect(throws: Violation.self) {
      _ = try log.commits(
        NodeID(2), from: LogIndex(1), through: LogIndex(1), of: [other], in: Term(2))
    }
  }

  @Test func `ledgers that part`() throws {
    var checker = StateMachineSafety()
    let other = try batch(1).header.hash
    try checker.applied(NodeID(1), through: LogIndex(1), hash: .zero, ledger: .zero)
    #expect(throws: Violation.self) {
      try checker.applied(NodeID(2), through: LogIndex(1), hash: .zero, ledger: other)
    }
  }

  @Test func `a start that does not give the log's ledger`() throws {
    var log = CommittedLog()
    let one = try batch(1)
    _ = try log.commits(
      NodeID(1), from: LogIndex(1), through: LogIndex(1), of: [one], in: Term(1))
    var state = AppliedState(ledger: LedgerState(seed: 9))
    _ = try state.apply(one)
    let digest = state.ledger.digest
    var checker = ReferenceLedger()
    try checker.check(NodeID(1), through: LogIndex(1), ledger: digest, of: log)
    #expect(throws: Violation.self) {
      try checker.check(
        NodeID(1), through: LogIndex(1), ledger: one.header.hash, of: log)
    }
    #expect(throws: Violation.self) {
      try checker.check(NodeID(1), through: LogIndex(2), ledger: digest, of: log)
    }
  }

  @Test func `durable batches that are gone, but for those being cut`() throws {
    let hash = try batch(1).header.hash
    var checker = Durability()
    checker.append(hash)
    checker.append(.zero)
    var cutting = checker
    #expect(throws: Violation.self) { try checker.recovered(NodeID(1), found: [hash]) }
    cutting.mayCut(from: LogIndex(2))
    try cutting.recovered(NodeID(1), found: [hash])
    #expect(throws: Violation.self) { try cutting.recovered(NodeID(1), found: []) }
  }

  @Test func `a repair gives up what is not committed, and nothing else`() throws {
    let one = try batch(1)
    var log = CommittedLog()
    _ = try log.commits(
      NodeID(1), from: LogIndex(1), through: LogIndex(1), of: [one], in: Term(1))
    var checker = Durability()
    checker.append(one.header.hash)
    checker.append(.zero)
    checker.mended(from: LogIndex(1), log)
    var losing = checker
    try checker.recovered(NodeID(1), found: [one.header.hash])
    #expect(throws: Violation.self) { try losing.recovered(NodeID(1), found: []) }
  }

  @Test func `true time outside the bound of a clock that claims it`() throws {
    var checker = HonestTime()
    var reading = ClockReading(
      rawNanoseconds: 1000, correctionNanoseconds: 0, boundNanoseconds: 10, epoch: 0,
      status: .synchronized, reference: .external)
    try checker.check(reading, of: NodeID(1), atTrue: 1010)
    #expect(throws: Violation.self) { try checker.check(reading, of: NodeID(1), atTrue: 1011) }
    reading.reference = .cluster
    try checker.check(reading, of: NodeID(1), atTrue: 5000)
    reading.reference = .external
    reading.status = .disrupted
    try checker.check(reading, of: NodeID(1), atTrue: 5000)
    #expect(checker.checkedCount == 2)
  }

  @Test func `a batch stamped before the one before it`() throws {
    var checker = HybridOrder()
    let (early, late) = (try batch(1, wall: 1000), try batch(1, wall: 2000))
    try checker.check(late, after: early)
    #expect(throws: Violation.self) { try checker.check(early, after: late) }
  }
}

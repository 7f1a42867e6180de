import Audit
import Bytes
import HostFiles
import HybridTime
import Ledger
import SegmentLog
import Testing
import Timeline

/// Calls `body` with each record's stamp.
func forEachStamp(_ batch: Batch, _ body: (Stamp) -> Void) {
  let records = batch.records
  var cursor = RecordCursor(records.span.bytes)
  while let record = try? cursor.next(in: records.span.bytes) {
    if let stamp = try? record.stamp(in: records.span.bytes) { body(stamp) }
  }
}

/// Balances by account and currency of the first payment with each id, among those that pass.
private func model(
  _ payments: [TestPayment], where passes: (Int) -> Bool
) -> [String: Int64] {
  var seen: Set<TransactionID> = []
  var balances: [String: Int64] = [:]
  for (place, payment) in payments.enumerated() {
    guard seen.insert(payment.id).inserted, passes(place) else { continue }
    balances["\(payment.sender) \(payment.currency)", default: 0] -= payment.minorUnits
    balances["\(payment.receiver) \(payment.currency)", default: 0] += payment.minorUnits
  }
  return balances
}

private func text(_ minorUnits: Int64, _ currency: String) throws -> String {
  Amount.text(minorUnits: Int128(minorUnits), currency: try Currency(iso4217: currency))
}

@Test(arguments: 0..<5 as Range<UInt64>)
func `balances equal a model's, sum to zero, and stop where they are asked to`(
  seed: UInt64
) throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: seed)
  try cluster.build(batchCount: 30, eventsPerBatch: 7)
  try cluster.writeAll()
  var stamps: [Stamp] = []
  for batch in cluster.batches { forEachStamp(batch) { stamps.append($0) } }
  let time = stamps[100].correctedNanoseconds
  let moments: [(LedgerMoment, (Int) -> Bool)] = [
    (.end, { _ in true }), (.sequence(EventSequence(33)), { $0 < 33 }),
    (.time(time), { stamps[$0].correctedNanoseconds <= time }),
  ]
  for (moment, passes) in moments {
    var options = LedgerOptions()
    options.moment = moment
    options.includesUncommitted = true
    let transcript = Transcript()
    let summary = try openLog(cluster.all).writeLedger(options, to: transcript.writer)
    let expected = model(cluster.payments, where: passes)
    #expect(summary.isBalanced && summary.accountCount == expected.count, "seed \(seed)")
    let words = transcript.lines.map { $0.split(separator: " ").joined(separator: " ") }
    for (key, minorUnits) in expected {
      let currency = String(key.suffix(3))
      let line = "\(key.dropLast(4)) \(try text(minorUnits, currency)) \(currency)"
      #expect(words.contains(line), "seed \(seed): \(line)")
    }
  }
}

@Test func `one account's postings end at its balance`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 10, eventsPerBatch: 5)
  try cluster.writeAll()
  var options = LedgerOptions()
  options.account = Array("account 1".utf8)
  options.includesUncommitted = true
  let transcript = Transcript()
  _ = try openLog([cluster.data(2)]).writeLedger(options, to: transcript.writer)
  for (key, minorUnits) in model(cluster.payments, where: { _ in true })
  where key.hasPrefix("account 1 ") {
    let currency = String(key.suffix(3))
    #expect(transcript.lines.contains("Balance: \(try text(minorUnits, currency)) \(currency)"))
    let last = transcript.lines.last { $0.contains(" \(currency), balance ") }
    #expect(last?.contains("balance \(try text(minorUnits, currency)), ") == true)
  }
}

@Test func `the tail that is not certainly committed is left out unless asked for`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 10, eventsPerBatch: 5)
  try cluster.writeAll()
  let log = try openLog(cluster.all)
  #expect(log.committed == LogIndex(9) && log.lastIndex == LogIndex(10) && log.tailCount == 1)
  let committed = try log.replaySummary()
  #expect(committed.index == LogIndex(9) && committed.ledgerDigest == cluster.digests[8])
  let all = try log.replaySummary(through: LogIndex(10))
  #expect(all.ledgerDigest == cluster.digests[9])
  #expect(all.chainHash == cluster.batches[9].header.hash && all.counts.events == 50)
  #expect(throws: AuditError.self) { try log.replaySummary(through: LogIndex(11)) }
}

@Test func `the most recent log is the base, whatever its length at the others`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 20, eventsPerBatch: 5)
  try cluster.write(1, Array(cluster.batches[..<3]))
  try cluster.write(2, cluster.batches)
  try cluster.write(3, Array(cluster.batches[..<12]))
  let log = try openLog(cluster.all)
  #expect(log.lastIndex == LogIndex(20) && log.notes.isEmpty)
}

@Test func `a clock two seconds ahead is found within its bound and disorders only raw time`()
  throws
{
  var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: 9)
  try cluster.build(batchCount: 100, eventsPerBatch: 10)
  try cluster.writeAll()
  let report = try openLog(cluster.all).skew(SkewOptions())
  #expect(report.nodes.map(\.node.rawValue) == [1, 2, 3] && report.paymentCount == 1000)
  let ahead = report.nodes[1]
  #expect(abs(ahead.offset.median - 2_000_000_000) <= ahead.bound.median)
  #expect(abs(report.nodes[0].offset.median) <= report.nodes[0].bound.median)
  #expect(report.rawAgainstLog.invertedPairCount > 10_000)
  #expect(
    report.correctedAgainstLog.invertedPairCount * 100 < report.rawAgainstLog.invertedPairCount)
  #expect(
    report.rawAgainstCorrected.invertedPairCount
      >= report.rawAgainstLog.invertedPairCount - report.correctedAgainstLog.invertedPairCount)
  #expect(report.affected.count == 10)
  #expect(
    report.affected.allSatisfy { payment in
      cluster.payments[Int(payment.sequence.rawValue) - 1].id.text == payment.id
    })
  let pairs = report.pairs
  #expect(pairs.ordered + pairs.reversed + pairs.causal + pairs.undecidable == 999)
  #expect(pairs.reversed == 0 && pairs.ordered > 0 && pairs.causal > 0)
  #expect(report.nodes.allSatisfy { $0.buckets.reduce(0) { $0 + $1.count } == $0.count })
}

@Test func `drift is the slope of the offset`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: [TestClock(offset: 0, correction: 0)])
  var builder = BatchBuilder()
  var hash = Digest256.zero
  // The node's clock gains 40 µs a second, and the node knows it.
  for number in 1...50 {
    let time = TestCluster.start + Int64(number) * 1_000_000_000
    let gained = Int64(number) * 40_000
    cluster.clocks[0] = TestClock(offset: gained, correction: -gained)
    let stamp = cluster.stamp(1, at: time)
    var writer = ByteWriter()
    Event.beacon(stamp).encode(into: &writer)
    let fields = BatchFields(
      startsSegment: number == 1, index: LogIndex(UInt64(number)), term: Term(1),
      firstSequence: EventSequence(UInt64(number)), count: 1,
      commit: LogIndex(UInt64(number - 1)), stamp: stamp,
      correctedMin: stamp.correctedNanoseconds, correctedMax: stamp.correctedNanoseconds,
      hybridMax: stamp.hybrid, previousHash: hash)
    let batch = try builder.build(fields, records: writer.bytes)
    cluster.batches.append(batch)
    hash = batch.header.hash
  }
  try cluster.write(1, cluster.batches)
  let report = try openLog(cluster.all).skew(SkewOptions())
  let drift = try #require(report.nodes[0].driftPartsPerBillion)
  #expect(abs(drift - 40_000) < 10)
  #expect(report.paymentCount == 0)
}

@Test func `reports are written in both forms`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 10, eventsPerBatch: 5)
  try cluster.writeAll()
  let log = try openLog(cluster.all)
  for format in ReportFormat.allCases {
    let transcript = Transcript()
    try log.skew(SkewOptions()).write(format, to: transcript.writer)
    try log.writeReplay(try log.replaySummary(), format: format, to: transcript.writer)
    try verify(cluster.all).write(format, elapsed: .milliseconds(5), to: transcript.writer)
    #expect(format == .json ? transcript.lines.count == 3 : transcript.lines.count > 30)
  }
}

@Test func `a reader that goes away ends the report with a typed error`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 3, eventsPerBatch: 2)
  try cluster.writeAll()
  let writer = ReportWriter { _ throws(OutputError) in throw .closed }
  do throws(AuditError) {
    _ = try AgreedLog(cluster.all, in: PosixFileSystem())
      .writeTimeline(TimelineOptions(), to: writer)
    Issue.record("the report went on")
  } catch {
    guard case .output(.closed) = error else {
      Issue.record("another error: \(error)")
      return
    }
  }
}

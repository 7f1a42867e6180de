import Bytes
import HostFiles
import HybridTime
import Ledger
import SegmentLog
import Testing
import Timeline

@testable import Audit

@Suite struct SkewTests {
  private func cluster(
    _ clocks: [TestClock], batchCount: Int = 20, seed: UInt64 = 3
  ) throws -> TestCluster {
    var cluster = TestCluster(nodeCount: clocks.count, clocks: clocks, seed: seed)
    try cluster.build(batchCount: batchCount, eventsPerBatch: 10)
    try cluster.writeAll()
    return cluster
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `what time makes certain is that of a count of all pairs`(seed: UInt64) throws {
    let clocks = [
      TestClock(offset: 0, correction: 0, bound: 9_000_000),
      TestClock(offset: 5_000_000, correction: 0, bound: 30_000_000),
      TestClock(offset: 0, correction: 0, bound: 1000, reference: .external),
      TestClock(offset: 0, correction: 0, bound: 1000, reference: .local),
    ]
    let cluster = try cluster(clocks, seed: seed)
    let report = try openLog(cluster.all).skew(SkewOptions())
    var expected = (
      ordered: UInt64(0), reversed: UInt64(0), causal: UInt64(0), undecidable: UInt64(0)
    )
    for (place, first) in report.payments.enumerated() {
      for second in report.payments[(place + 1)...] {
        let isComparable =
          first.isComparable && second.isComparable && first.reference == second.reference
        if isComparable, first.interval.latest < second.interval.earliest {
          expected.ordered += 1
        } else if isComparable, second.interval.latest < first.interval.earliest {
          expected.reversed += 1
        } else if first.node == second.node {
          expected.causal += 1
        } else {
          expected.undecidable += 1
        }
      }
    }
    let pairs = report.allPairs
    #expect(pairs.ordered == expected.ordered && pairs.reversed == expected.reversed)
    #expect(pairs.causal == expected.causal && pairs.undecidable == expected.undecidable)
    #expect(pairs.causal > 0 && pairs.undecidable > 0)
  }

  @Test func `a forged bound beyond all time ends no audit`() throws {
    let clocks = [
      TestClock(offset: 0, correction: 0, bound: .max), TestClock(offset: 0, correction: 0),
    ]
    let cluster = try cluster(clocks)
    let report = try openLog(cluster.all).skew(SkewOptions())
    #expect(report.allPairs.reversed == 0)
    let transcript = Transcript()
    var options = TimelineOptions()
    options.order = .earliest
    options.groupsUncertain = true
    let summary = try openLog(cluster.all).writeTimeline(options, to: transcript.writer)
    #expect(summary.shownCount == 200 && summary.groupCount == 1)
  }

  @Test func `a tolerance names what is not certainly within it, and why`() throws {
    let clocks = [
      TestClock(offset: 0, correction: 0, bound: 90_000, reference: .external),
      TestClock(offset: 0, correction: 0, bound: 400_000, reference: .external),
      TestClock(offset: 0, correction: 0, bound: 10_000, reference: .cluster),
      TestClock(
        offset: 0, correction: 0, bound: 10_000, status: .disrupted, reference: .external),
    ]
    let cluster = try cluster(clocks)
    var options = SkewOptions()
    options.tolerance = ClockTolerance.profiles.first { $0.name == "rts25-hft" }
    let report = try openLog(cluster.all).skew(options)
    let tolerance = try #require(report.tolerance)
    let counts = (1...4).map { node in report.payments.count { $0.node == UInt16(node) } }
    #expect(tolerance.paymentCount == 200 && tolerance.coveredCount == counts[0])
    #expect(tolerance.violations.map(\.node.rawValue).sorted() == [2, 3, 4])
    #expect(tolerance.violations.reduce(0) { $0 + $1.count } == 200 - counts[0])
    let reasons = Dictionary(
      uniqueKeysWithValues: tolerance.violations.map { ($0.node.rawValue, $0.reason) })
    #expect(reasons == [2: .tooWide, 3: .untraceable, 4: .unsynchronized])
    options.tolerance = ClockTolerance.profiles.first { $0.name == "rts25" }
    let wider = try openLog(cluster.all).skew(options)
    #expect(wider.tolerance?.coveredCount == counts[0] + counts[1])
    #expect(wider.syncLog.gaps.map(\.node.rawValue) == [4])
  }

  /// True time stays in the narrowed bounds however corrected time wanders within its rate.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `narrowed bounds hold true time and are never wider than the stamp's`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var (time, error, rate) = (Int64(1_790_000_000_000_000_000), Int64(0), Int64(0))
    var samples: [SkewSample] = []
    var errors: [Int64] = []
    for place in 0..<500 {
      let span = Int64.random(in: 1_000_000...2_000_000_000, using: &random)
      if place % 7 == 0 { rate = Int64.random(in: -514_000...514_000, using: &random) }
      time += span
      error += Int64(Int128(span) * Int128(rate) / 1_000_000_000)
      let slack = Int64.random(in: 0...50_000_000, using: &random)
      let reading = ClockReading(
        rawNanoseconds: time, correctionNanoseconds: 0,
        boundNanoseconds: Int64(error.magnitude) + slack, epoch: 1, status: .synchronized,
        reference: .external)
      let stamp = Stamp(
        reading: reading, hybrid: HybridTimestamp(wallNanoseconds: time, logical: 0),
        node: NodeID(1))
      samples.append(SkewSample(stamp, sequence: EventSequence(UInt64(place + 1)), isPayment: true))
      errors.append(error)
    }
    let bounds = Tightening().bounds(samples)
    var narrower = 0
    for (place, bound) in bounds.enumerated() {
      // True time − corrected is the error, turned round.
      let truth = 0 - errors[place]
      #expect(bound.low <= truth && truth <= bound.high, "seed \(seed) at \(place)")
      #expect(bound.reach <= samples[place].bound)
      if bound.reach < samples[place].bound { narrower += 1 }
    }
    #expect(narrower > 300, "\(narrower)")
    #expect(
      bounds.map(\.reach).min() == samples.map(\.bound).min(),
      "nothing is narrower than the surest stamp")
  }

  @Test func `a step of the system clock and a pause are told apart`() throws {
    func sample(
      _ place: Int64, correction: Int64, epoch: UInt32, _ status: ClockStatus
    ) -> SkewSample {
      let time = TestCluster.start + place * 1_000_000_000
      let reading = ClockReading(
        rawNanoseconds: time - correction, correctionNanoseconds: correction,
        boundNanoseconds: 100_000, epoch: epoch, status: status, reference: .cluster)
      return SkewSample(
        Stamp(
          reading: reading, hybrid: HybridTimestamp(wallNanoseconds: time, logical: 0),
          node: NodeID(2)),
        sequence: EventSequence(UInt64(place + 1)), isPayment: true)
    }
    let log = SyncLog([
      [
        sample(0, correction: 10, epoch: 1, .synchronized),
        sample(1, correction: 20, epoch: 1, .synchronized),
        sample(2, correction: -2_000_000_000, epoch: 2, .disrupted),
        sample(3, correction: -2_000_000_100, epoch: 3, .synchronized),
        sample(4, correction: -2_000_000_100, epoch: 4, .disrupted),
        sample(5, correction: -2_000_000_100, epoch: 5, .synchronized),
      ]
    ])
    #expect(
      log.events.map(\.kind) == [
        .state, .step(nanoseconds: 2_000_000_020), .state, .pause, .state,
      ])
    #expect(log.gaps.map(\.paymentCount) == [1, 1])
    #expect(log.gaps.allSatisfy { $0.end != nil && $0.boundMax == 100_000 })
  }

  @Test func `an injected skew disorders the log by its dose`() throws {
    let cluster = try cluster(TestCluster.plainClocks, batchCount: 60)
    var options = SkewOptions()
    options.whatIf = [try #require(InjectedSkew("node2=+250ms,drift=40ppm,jitter=2ms"))]
    let log = try openLog(cluster.all)
    let whatIf = try #require(try log.skew(options).whatIf)
    let counts = whatIf.doses.map(\.disorder.invertedPairCount)
    #expect(counts.first == 0 && counts == counts.sorted() && whatIf.asked.invertedPairCount > 1000)
    // By hand, without the jitter.
    options.whatIf = [try #require(InjectedSkew("2=-40.5ms"))]
    let report = try log.skew(options)
    let times = report.payments.sorted { $0.corrected < $1.corrected }
      .map { $0.corrected - ($0.node == 2 ? 40_500_000 : 0) }
    var inverted: UInt64 = 0
    for (place, time) in times.enumerated() {
      for later in times[(place + 1)...] where later < time { inverted += 1 }
    }
    #expect(report.whatIf?.asked.invertedPairCount == inverted)
  }

  @Test(arguments: [
    "node2", "node2=", "node0=1ms", "node2=1", "node2=1ms,drift=40",
    "node2=1ms,drift=4ppm,drift=4ppm",
    "node2=1ms,jitter=-1ms", "x=1ms", "node2=1e3ms", "node2=1ms,", "node99999=1ms",
  ])
  func `what is no skew is refused`(text: String) { #expect(InjectedSkew(text) == nil) }

  @Test func `durations are read exactly`() {
    #expect(DurationText.nanoseconds("100us") == 100_000)
    #expect(DurationText.nanoseconds("-1.5s") == -1_500_000_000)
    #expect(DurationText.nanoseconds("+0.25ms") == 250_000)
    for text in [
      "", "ms", "1", "1 ms", "1.ms", ".5ms", "1.2345ms", "--1ms", "1h", "99999999999999s",
    ] {
      #expect(DurationText.nanoseconds(text) == nil, "\(text)")
    }
  }

  /// x has 100 and pays them to y, who passes 50 on. By the second node's clock, which is a second slow, y
  /// paid before it was paid.
  @Test func `the payments that another order would have treated otherwise are named`() throws {
    var cluster = TestCluster(
      nodeCount: 2,
      clocks: [
        TestClock(offset: 0, correction: 0),
        TestClock(offset: -1_000_000_000, correction: 1_000_000_000),
      ])
    func payment(_ node: Int, _ second: Int64, _ from: String, _ to: String, _ amount: Int)
      throws
      -> Event
    {
      let draft = try PaymentDraft(
        validating: PaymentRequest(
          amount: Amount.formatted(minorUnits: Int128(amount) * 100, exponent: 2),
          sender: Array(from.utf8), receiver: Array(to.utf8),
          currency: Array("USD".utf8), transactionID: Array("\(from)-\(to)".utf8)),
        rules: PaymentRules(), makeID: { fatalError("has an id") })
      return .payment(
        Payment(
          draft: draft,
          stamp: cluster.stamp(node, at: TestCluster.start + second * 100_000_000)))
    }
    let rule = PolicyChange(
      stamp: cluster.stamp(1, at: TestCluster.start + 150_000_000), key: .overdraft, value: 0)
    let events: [Event] = [
      try payment(1, 1, "bank", "x", 100), .policy(rule), try payment(1, 20, "x", "y", 100),
      try payment(2, 22, "y", "z", 50),
    ]
    try cluster.append(events)
    try cluster.write(1, cluster.batches)
    var options = SkewOptions()
    options.effectsOf = .raw
    let effects = try #require(try openLog([cluster.data(1)]).skew(options).effects)
    #expect(effects.movedCount == 2 && effects.acceptanceCount == 1)
    let first = try #require(effects.affected.first)
    #expect(first.id == "y-z" && first.sequence == EventSequence(4))
    #expect(first.outcomes.log == .applied && first.outcomes.other == .insufficientFunds)
    #expect(first.senderBalances == (5000, 0))
    #expect(effects.finalBalanceCount == 2)
    options.effectsOf = .corrected
    let none = try #require(try openLog([cluster.data(1)]).skew(options).effects)
    #expect(none.movedCount == 0 && none.acceptanceCount == 0 && none.balanceCount == 0)
  }

  @Test func `the page is whole, says what the tables say, and refers to nothing else`() throws {
    let cluster = try cluster(TestCluster.plainClocks)
    var options = SkewOptions()
    options.tolerance = ClockTolerance.profiles[0]
    options.whatIf = [try #require(InjectedSkew("node3=1s"))]
    options.effectsOf = .raw
    let report = try openLog(cluster.all).skew(options)
    let page = report.page
    #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
    #expect(page.components(separatedBy: "<svg").count == 7 && !page.contains("<script"))
    #expect(!page.contains("src=") && !page.contains("href=") && !page.contains("url("))
    #expect(page.contains(">\(ReportText.grouped(report.rawAgainstLog.invertedPairCount))<"))
    #expect(!page.contains("NaN") && !page.contains("inf"))
    // An empty log and one without payments have pages too.
    let transcript = Transcript()
    try report.write(.json, to: transcript.writer)
    #expect(transcript.text.contains(#""what_if":{"injected""#))
  }
}

extension String {
  fileprivate func components(separatedBy separator: String) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }
}

extension TestCluster {
  /// Appends one batch with these events.
  mutating func append(_ events: [Event]) throws {
    var builder = BatchBuilder()
    var writer = ByteWriter()
    for event in events { event.encode(into: &writer) }
    let stamps = events.map(\.stamp)
    let previous = batches.last?.header
    let fields = BatchFields(
      startsSegment: batches.isEmpty, index: previous?.index.next ?? LogIndex(1), term: Term(1),
      firstSequence: previous?.lastSequence.next ?? EventSequence(1), count: events.count,
      commit: previous?.index ?? .zero, stamp: stamps[0],
      correctedMin: stamps.map(\.correctedNanoseconds).min() ?? 0,
      correctedMax: stamps.map(\.correctedNanoseconds).max() ?? 0,
      hybridMax: stamps.map(\.hybrid).max() ?? .zero, previousHash: previous?.hash ?? .zero)
    batches.append(try builder.build(fields, records: writer.bytes))
  }
}

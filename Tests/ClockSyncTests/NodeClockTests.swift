import Bytes
import ClockSync
import HybridTime
import Testing

private let base: Int64 = 1_790_000_000_000_000_000
private let second: Int64 = 1_000_000_000
private let millisecond: Int64 = 1_000_000

/// One node under test: raw is `base` + monotonic + `rawOffset`, peers are where it puts them.
private struct Bench {
  var clock: NodeClock
  var now: Int64 = 0
  var rawOffset: Int64 = 0

  init(peers: Int = 0, servers: Int = 0) {
    var configuration = ClockConfiguration(node: NodeID(1))
    configuration.peers = (0..<peers).map { NodeID(UInt16($0 + 2)) }
    configuration.servers = (0..<servers).map {
      ClockServer(number: UInt16($0), name: "time\($0)")
    }
    clock = NodeClock(
      configuration: configuration, rawNanoseconds: base, monotonicNanoseconds: 0)
  }

  var reading: ClockReading {
    clock.reading(rawNanoseconds: base + now + rawOffset, monotonicNanoseconds: now)
  }

  var report: ClockSnapshot {
    clock.snapshot(rawNanoseconds: base + now + rawOffset, monotonicNanoseconds: now)
  }

  func verdict(_ source: ClockSource) -> ClockVerdict? {
    report.sources.first { $0.source == source }?.verdict
  }

  mutating func poll(after span: Int64) {
    now += span
    clock.poll(rawNanoseconds: base + now + rawOffset, monotonicNanoseconds: now)
  }

  /// An exchange of 1 ms with a source whose clock is `offset` ahead of `base` + monotonic.
  mutating func hear(
    _ source: ClockSource, offset: Int64, claim: PeerClockClaim? = nil, sentBefore: Int64? = nil,
    delay: Int64 = millisecond
  ) throws {
    let sent = now - (sentBefore ?? delay + 100_000)
    let remote = base + offset + now - 100_000 - delay / 2
    let sample = try ClockSample(
      sentMonotonicNanoseconds: sent, receiveNanoseconds: remote,
      transmitNanoseconds: remote + 100_000, monotonicNanoseconds: now,
      rawNanoseconds: base + now + rawOffset, claim: claim)
    clock.record(sample, from: source)
  }
}

private func claim(
  correction: Int64 = 0, bound: Int64 = millisecond, _ reference: ClockReference = .cluster,
  direct: Bool = false
) -> PeerClockClaim {
  PeerClockClaim(
    correctionNanoseconds: correction, boundNanoseconds: bound, status: .synchronized,
    reference: reference, isDirect: direct)
}

private let node2 = ClockSource.peer(NodeID(2))
private let node3 = ClockSource.peer(NodeID(3))
private let node4 = ClockSource.peer(NodeID(4))

@Suite struct NodeClockTests {
  @Test func `a clock that knows nothing is raw, with the host's bound`() {
    var bench = Bench()
    bench.poll(after: second)
    let reading = bench.reading
    #expect(reading.correctionNanoseconds == 0 && reading.boundNanoseconds == second)
    #expect(reading.status == .unsynchronized && reading.reference == .local)
    #expect(!bench.report.hasSynchronized)
  }

  @Test func `the first estimate waits for all members, or for the settling time`() throws {
    var bench = Bench(peers: 2)
    bench.poll(after: 100 * millisecond)
    try bench.hear(node2, offset: 2 * second, claim: claim())
    bench.poll(after: millisecond)
    #expect(bench.reading.status == .unsynchronized)
    #expect(bench.verdict(node2) == .settling && bench.verdict(node3) == .unheard)
    var patient = bench
    try bench.hear(node3, offset: 10 * millisecond, claim: claim())
    bench.poll(after: 1)
    #expect(bench.reading.status == .synchronized && bench.reading.reference == .cluster)
    #expect(abs(bench.reading.correctionNanoseconds - 10 * millisecond) <= millisecond)
    for _ in 0..<12 { patient.poll(after: 250 * millisecond) }
    // Two of three are a majority: the mean of the two middle ones.
    #expect(patient.reading.status == .synchronized)
    #expect(abs(patient.reading.correctionNanoseconds - second) <= millisecond)
  }

  @Test func `without a majority of members there is no cluster time`() throws {
    var bench = Bench(peers: 4)
    bench.poll(after: 100 * millisecond)
    try bench.hear(node2, offset: 2 * second, claim: claim())
    for _ in 0..<14 { bench.poll(after: 250 * millisecond) }
    #expect(bench.reading.status == .unsynchronized)
    #expect(bench.verdict(node2) == .noQuorum(heard: 2, of: 5))
  }

  /// DESIGN, Time: an operator who sets the date cannot move corrected time.
  @Test(arguments: [-3600, 3600] as [Int64])
  func `setting the system clock moves the correction, not corrected time`(by hours: Int64) throws {
    var bench = Bench(peers: 2)
    bench.poll(after: 100 * millisecond)
    func hearBoth(_ bench: inout Bench) throws {
      try bench.hear(node2, offset: 3 * millisecond, claim: claim())
      try bench.hear(node3, offset: -3 * millisecond, claim: claim())
    }
    try hearBoth(&bench)
    bench.poll(after: 1)
    let before = bench.reading
    #expect(before.status == .synchronized)
    bench.rawOffset = hours * second
    bench.poll(after: 250 * millisecond)
    let during = bench.reading
    #expect(during.status == .disrupted && during.epoch > before.epoch)
    let elapsed = 250 * millisecond
    #expect(during.correctedNanoseconds == before.correctedNanoseconds + elapsed)
    #expect(during.correctionNanoseconds == before.correctionNanoseconds - hours * second)
    #expect(bench.report.stepCount == 1 && bench.report.lastStepNanoseconds == hours * second)
    // A forward step may have been a suspend: the bound takes it in until the peers answer.
    #expect(during.boundNanoseconds >= max(hours, 0) * second)
    #expect(during.boundNanoseconds < max(hours, 0) * second + 10 * millisecond)
    bench.now += 2 * millisecond
    try hearBoth(&bench)
    bench.poll(after: 1)
    let after = bench.reading
    #expect(after.status == .synchronized && after.epoch > during.epoch)
    #expect(abs(after.correctedNanoseconds - base - bench.now) <= 5 * millisecond)
    #expect(after.boundNanoseconds < 10 * millisecond)
    // The node's own clock is now the outlier among the members.
    guard case .outlier = bench.verdict(.host) else {
      Issue.record("\(String(describing: bench.verdict(.host)))")
      return
    }
  }

  @Test func `setting the date moves nothing on a node without sources either`() {
    var bench = Bench()
    bench.poll(after: second)
    bench.rawOffset = 86_400 * second
    bench.poll(after: 250 * millisecond)
    #expect(bench.reading.status == .disrupted)
    #expect(bench.reading.correctedNanoseconds == base + bench.now)
    #expect(bench.reading.boundNanoseconds == 86_401 * second)
    for _ in 0..<13 { bench.poll(after: 250 * millisecond) }
    #expect(bench.reading.status == .unsynchronized)
  }

  @Test func `a pause is marked, and samples that were under way in it do not count`() throws {
    var bench = Bench(servers: 1)
    bench.poll(after: second)
    try bench.hear(.server(0), offset: 0)
    bench.poll(after: millisecond)
    #expect(bench.reading.status == .synchronized && bench.reading.reference == .external)
    bench.poll(after: 2500 * millisecond)
    #expect(bench.reading.status == .disrupted && bench.report.pauseCount == 1)
    #expect(bench.clock.nextPolls(monotonicNanoseconds: bench.now) == [.server(0)])
    bench.now += 100 * millisecond
    try bench.hear(.server(0), offset: 0, sentBefore: 200 * millisecond)
    bench.poll(after: millisecond)
    #expect(bench.reading.status == .disrupted)
    #expect(bench.report.sources[1].lastFailure == .sample(.beforeDisruption))
    bench.now += 50 * millisecond
    try bench.hear(.server(0), offset: 0)
    bench.poll(after: millisecond)
    #expect(bench.reading.status == .synchronized)
  }

  @Test func `holdover grows by the rate's error and is void in the end`() throws {
    var bench = Bench(servers: 1)
    // Half an hour of samples shows the rate.
    for _ in 0..<112 {
      for _ in 0..<8 { bench.poll(after: 2 * second) }
      try bench.hear(.server(0), offset: 40 * millisecond)
      bench.poll(after: millisecond)
    }
    let start = bench.reading
    let heard = bench.now
    let epoch = start.epoch
    #expect(abs(start.correctionNanoseconds - 40 * millisecond) <= 2 * millisecond)
    var statuses: [ClockStatus] = []
    while bench.now < heard + 3800 * second {
      bench.poll(after: second)
      if statuses.last != bench.reading.status { statuses.append(bench.reading.status) }
      if bench.reading.status == .holdover {
        let grown = bench.reading.boundNanoseconds - start.boundNanoseconds
        let age = (bench.now - heard) / second
        // 15 ppm of wander, and what a millisecond's delay over a quarter of an hour leaves open.
        #expect((15_000 * age...18_000 * age).contains(grown + 20_000), "\(age) s: \(grown)")
        #expect(bench.reading.reference == .external)
      }
    }
    #expect(statuses == [.synchronized, .holdover, .unsynchronized])
    #expect(bench.reading.epoch == epoch + 2)
    #expect(bench.reading.reference == .local)
    // Corrected time runs on; the host's bound is about raw, 40 ms away.
    #expect(abs(bench.reading.correctionNanoseconds - 40 * millisecond) <= 2 * millisecond)
    #expect(bench.reading.boundNanoseconds == second + abs(bench.reading.correctionNanoseconds))
    guard case .stale = bench.verdict(.server(0)) else {
      Issue.record("not stale")
      return
    }
  }

  /// The samples of a distant server are worth less than what age costs them.
  @Test func `a server is asked less often the farther away it is, within the limits`() throws {
    func pace(delay: Int64) throws -> Int64 {
      var bench = Bench(servers: 1)
      for _ in 0..<400 {
        bench.now += 16 * second
        guard !bench.clock.nextPolls(monotonicNanoseconds: bench.now).isEmpty else { continue }
        try bench.hear(.server(0), offset: 0, delay: delay)
      }
      return bench.report.sources[1].pollIntervalNanoseconds / second
    }
    #expect(try pace(delay: 200_000) == 16)
    #expect((64...512).contains(try pace(delay: 20 * millisecond)))
    #expect(try pace(delay: 200 * millisecond) == 1024)
  }

  @Test func `a server that was set is asked again soon, however seldom it was asked before`()
    throws
  {
    var bench = Bench(servers: 1)
    for _ in 0..<400 {
      bench.now += 16 * second
      guard !bench.clock.nextPolls(monotonicNanoseconds: bench.now).isEmpty else { continue }
      try bench.hear(.server(0), offset: 0, delay: 200 * millisecond)
    }
    while bench.clock.nextPolls(monotonicNanoseconds: bench.now).isEmpty { bench.now += second }
    try bench.hear(.server(0), offset: 900 * second, delay: 200 * millisecond)
    #expect(bench.report.sources[1].contradictionCount > 0)
    let next = try #require(bench.clock.nextPollMonotonicNanoseconds)
    #expect(next - bench.now <= 16 * second)
  }

  @Test func `the kernel's word is a time source where it is asked for`() throws {
    var configuration = ClockConfiguration(node: NodeID(1))
    configuration.usesKernel = true
    var clock = NodeClock(
      configuration: configuration, rawNanoseconds: base, monotonicNanoseconds: 0)
    #expect(clock.nextPolls(monotonicNanoseconds: second) == [.kernel])
    let sample = try ClockSample(
      sentMonotonicNanoseconds: second, receiveNanoseconds: base + second,
      transmitNanoseconds: base + second, monotonicNanoseconds: second,
      rawNanoseconds: base + second, remoteErrorNanoseconds: 700_000)
    clock.record(sample, from: .kernel)
    clock.poll(rawNanoseconds: base + second, monotonicNanoseconds: second)
    let reading = clock.reading(rawNanoseconds: base + second, monotonicNanoseconds: second)
    #expect(reading.reference == .external && reading.status == .synchronized)
    #expect(reading.correctionNanoseconds == 0)
    #expect((700_000...700_010).contains(reading.boundNanoseconds))
    #expect(clock.discipline.isDirect)
  }

  @Test func `a peer that time servers discipline stands in for one, another does not`() throws {
    var bench = Bench(peers: 2)
    bench.poll(after: 100 * millisecond)
    // Node 2's raw clock is 2 s ahead and it knows it.
    try bench.hear(
      node2, offset: 2 * second, claim: claim(correction: -2 * second, .external, direct: true))
    try bench.hear(node3, offset: 9 * second, claim: claim(correction: 0, .external))
    bench.poll(after: 1)
    #expect(bench.reading.reference == .external)
    #expect(abs(bench.reading.correctionNanoseconds) <= millisecond)
    #expect(bench.verdict(node2) == .selected && bench.verdict(node3) == .superseded)
    #expect(!bench.report.isDirect)
    let answer = bench.clock.discipline.answer(
      nonce: 1, receivedRawNanoseconds: base + bench.now,
      receivedMonotonicNanoseconds: bench.now, monotonicNanoseconds: bench.now + 1000)
    #expect(answer.claim.reference == .external && !answer.claim.isDirect)
    #expect(answer.transmitNanoseconds - answer.receiveNanoseconds == 1000)
  }

  @Test func `time sources without a majority leave the cluster's time, and say so`() throws {
    var bench = Bench(peers: 2, servers: 2)
    bench.poll(after: 100 * millisecond)
    try bench.hear(.server(0), offset: 0)
    try bench.hear(.server(1), offset: 5 * second)
    try bench.hear(node2, offset: 0, claim: claim())
    try bench.hear(node3, offset: millisecond, claim: claim())
    bench.poll(after: 1)
    #expect(bench.reading.reference == .cluster)
    #expect(bench.verdict(.server(0)) == .noMajority(largest: 1, of: 2))
    #expect(bench.verdict(node2) == .selected)
  }

  @Test func `a source that is not heard leaves the median after eight intervals`() throws {
    var bench = Bench(peers: 2)
    bench.poll(after: 100 * millisecond)
    try bench.hear(node2, offset: 0, claim: claim())
    try bench.hear(node3, offset: 30 * millisecond, claim: claim())
    bench.poll(after: 1)
    let epoch = bench.reading.epoch
    for _ in 0..<10 {
      bench.poll(after: second)
      try bench.hear(node2, offset: 0, claim: claim())
    }
    bench.poll(after: 1)
    guard case .stale(let age) = bench.verdict(node3) else {
      Issue.record("not stale")
      return
    }
    #expect(age > 8 * second)
    #expect(bench.reading.epoch == epoch + 1)
    #expect(bench.reading.status == .synchronized)
  }

  @Test func `sources are asked fast at first, then at their pace`() {
    var bench = Bench(peers: 1, servers: 1)
    var asked: [ClockSource: [Int64]] = [:]
    while bench.now <= 30 * second {
      for source in bench.clock.nextPolls(monotonicNanoseconds: bench.now) {
        asked[source, default: []].append(bench.now / millisecond)
      }
      bench.now += 10 * millisecond
    }
    #expect(asked[node2]?.prefix(7) == [0, 100, 200, 300, 400, 1400, 2400])
    #expect(asked[.server(0)] == [0, 2000, 4000, 6000, 8000, 24_000])
    #expect(bench.clock.nextPollMonotonicNanoseconds == 30_400 * millisecond)
  }

  // RFC 5905 §7.4: RATE must slow the client down, DENY and RSTR must stop it.
  @Test func `kiss-o'-death is obeyed`() {
    var bench = Bench(servers: 2)
    _ = bench.clock.nextPolls(monotonicNanoseconds: 0)
    bench.clock.recordFailure(.kissOfDeath(.rate), from: .server(0))
    bench.clock.recordFailure(.kissOfDeath(.deny), from: .server(1))
    bench.poll(after: millisecond)
    #expect(bench.verdict(.server(1)) == .refused(.deny))
    #expect(bench.report.sources[1].pollIntervalNanoseconds == 32 * second)
    var asked: [Int64] = []
    for at in stride(from: second, through: 100 * second, by: 1_000_000_000) {
      for source in bench.clock.nextPolls(monotonicNanoseconds: at) {
        #expect(source == .server(0))
        asked.append(at / second)
      }
    }
    #expect(asked == [2, 34, 66, 98])
  }

  @Test func `reach and failures are counted`() throws {
    var bench = Bench(peers: 1)
    bench.poll(after: second)
    try bench.hear(node2, offset: 0, claim: claim())
    bench.clock.recordFailure(.timeout, from: node2)
    try bench.hear(node2, offset: 0, claim: claim())
    bench.clock.recordFailure(.timeout, from: node3)
    let source = bench.report.sources[1]
    #expect(source.reach == 0b101 && source.sampleCount == 2 && source.failureCount == 1)
    #expect(source.lastFailure == .timeout && source.delayNanoseconds == millisecond)
    #expect(source.usedCount == 2 && source.spikeCount == 0)
  }
}

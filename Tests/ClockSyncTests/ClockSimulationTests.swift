import Bytes
import ClockSync
import HybridTime
import Testing

private let second: Int64 = 1_000_000_000

private func ticks(seconds: Int64, every step: Int64) -> StrideTo<Int64> {
  stride(from: 0, to: seconds * second, by: Int(step))
}

/// Coarse polling, so that an hour of three nodes is simulated in a fraction of a second.
private func coarse(_ configuration: inout ClockConfiguration) {
  configuration.peerPolling.intervalNanosecondsMin = 4 * second
  configuration.serverPolling.intervalNanosecondsMax = 16 * second
  configuration.pauseThresholdNanoseconds = 10 * second
  configuration.settleNanoseconds = 20 * second
}

/// `#expect` for millions of checks: it costs only when it fails.
private func check(
  _ isTrue: Bool, _ message: @autoclosure () -> String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  if !isTrue { Issue.record("\(message())", sourceLocation: sourceLocation) }
}

@Suite struct ClockSimulationTests {
  /// The median of the raw clocks, in true time.
  private func median(_ cluster: SimulatedCluster, atTrue now: Int64) -> Int64 {
    cluster.nodes.map { $0.raw.time(atTrue: now) }.sorted()[cluster.nodes.count / 2]
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `three nodes agree within their bounds through an hour`(seed: UInt64) {
    // Node 2 is 2 s ahead; the others are milliseconds apart.
    var cluster = SimulatedCluster(
      seed: seed, rawOffsets: [-3_000_000, 2 * second, 4_000_000], configure: coarse)
    var corrected: [Int64] = [.min, .min, .min]
    var boundMax: Int64 = 0
    for now in ticks(seconds: 3600, every: 2 * second) {
      cluster.tick(atTrue: now, step: 2 * second)
      for ahead in [1_000_000_001, 1_500_000_000, 1_999_000_000] as [Int64] {
        let instant = now + ahead
        let readings = cluster.nodes.map { $0.reading(atTrue: instant) }
        guard readings.allSatisfy({ $0.status == .synchronized }) else {
          check(now < 20 * second, "seed \(seed) at \(now)")
          continue
        }
        let truth = median(cluster, atTrue: instant)
        for (index, one) in readings.enumerated() {
          check(one.reference == .cluster, "seed \(seed)")
          check(one.correctedNanoseconds > corrected[index], "seed \(seed)")
          corrected[index] = one.correctedNanoseconds
          boundMax = max(boundMax, one.boundNanoseconds)
          let miss = abs(one.correctedNanoseconds - truth)
          check(miss <= one.boundNanoseconds, "seed \(seed), node \(index + 1), at \(now)")
          for other in readings {
            let apart = abs(one.correctedNanoseconds - other.correctedNanoseconds)
            check(apart <= one.boundNanoseconds + other.boundNanoseconds, "seed \(seed), at \(now)")
          }
        }
        let ahead2 = readings[1].correctionNanoseconds + 2 * second
        let slack = readings[1].boundNanoseconds + 4_000_000 + instant / 10_000
        check(abs(ahead2) <= slack, "seed \(seed)")
      }
    }
    // A huge bound proves nothing. Before the rates are known 4 s cost 4 ms, and a lost answer twice that.
    check(boundMax < 40_000_000, "seed \(seed)")
    let outlier = cluster.nodes[0].snapshot(atTrue: 3600 * second).sources[1].verdict
    check(outlier.name == "outlier", "seed \(seed): \(outlier)")
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `with the default pace a cluster is synchronized after half a second`(seed: UInt64) {
    var cluster = SimulatedCluster(seed: seed, rawOffsets: [0, 2 * second, 5_000_000])
    cluster.lossPercent = 0
    for now in ticks(seconds: 60, every: 100_000_000) {
      cluster.tick(atTrue: now, step: 100_000_000)
      guard now >= second / 2 else { continue }
      let truth = median(cluster, atTrue: now + 99_000_000)
      for node in cluster.nodes {
        let reading = node.reading(atTrue: now + 99_000_000)
        check(reading.status == .synchronized, "seed \(seed)")
        let miss = abs(reading.correctedNanoseconds - truth)
        check(miss <= reading.boundNanoseconds, "seed \(seed) at \(now)")
        check(reading.boundNanoseconds < 25_000_000, "seed \(seed)")
      }
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `true time is in the bound wherever a time server is heard`(seed: UInt64) {
    // Three servers, one false. Node 3 hears none of them but for its peers.
    var cluster = SimulatedCluster(
      seed: seed, rawOffsets: [300_000_000, 2 * second, -40_000_000],
      serverErrors: [500_000, 3 * second, -800_000]
    ) {
      coarse(&$0)
      if $0.node == NodeID(3) { $0.servers = [] }
    }
    for now in ticks(seconds: 1800, every: 2 * second) {
      cluster.tick(atTrue: now, step: 2 * second)
      for (index, node) in cluster.nodes.enumerated() where now >= 20 * second {
        let instant = now + 1_999_000_000
        let reading = node.reading(atTrue: instant)
        check(reading.reference == .external, "seed \(seed), node \(index + 1) at \(now)")
        let miss = abs(reading.correctedNanoseconds - SimulatedCluster.epoch - instant)
        check(miss <= reading.boundNanoseconds, "seed \(seed), node \(index + 1) at \(now)")
      }
    }
    let reports = cluster.nodes.map { $0.snapshot(atTrue: 1800 * second) }
    check(reports.map(\.isDirect) == [true, true, false], "seed \(seed)")
    let verdicts = reports[0].sources.map(\.verdict.name)
    check(verdicts[4] == "falseticker" && verdicts[3] == "selected", "seed \(seed) \(verdicts)")
    // Node 3 learnt it from its peers, so nobody may learn it from node 3.
    check(verdicts[2] == "superseded", "seed \(seed) \(verdicts)")
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `a lone node with one server holds true time in its bound, and through holdover`(
    seed: UInt64
  ) {
    var cluster = SimulatedCluster(
      seed: seed, rawOffsets: [300_000_000], serverErrors: [900_000], configure: coarse)
    var growing: Int64 = 0
    for now in ticks(seconds: 3600, every: 2 * second) {
      if now == 1800 * second { cluster.lossPercent = 100 }
      cluster.tick(atTrue: now, step: 2 * second)
      let instant = now + 1_500_000_000
      let reading = cluster.nodes[0].reading(atTrue: instant)
      let miss = abs(reading.correctedNanoseconds - SimulatedCluster.epoch - instant)
      check(miss <= reading.boundNanoseconds, "seed \(seed) at \(now)")
      if now > 1940 * second {
        check(reading.status == .holdover, "seed \(seed)")
        check(reading.boundNanoseconds > growing || growing == 0, "seed \(seed)")
        growing = reading.boundNanoseconds
      }
    }
    // 15 ppm and what the samples leave open, of about 1,660 s, beside what it was.
    check((25_000_000...40_000_000).contains(growing), "seed \(seed): \(growing)")
  }

  @Test func `the drift of the raw clock is found`() throws {
    var cluster = SimulatedCluster(
      seed: 7, rawOffsets: [0], serverErrors: [0], configure: coarse)
    cluster.nodes[0].raw.ratePartsPerBillion = 31_000
    for now in ticks(seconds: 3600, every: 2 * second) {
      cluster.tick(atTrue: now, step: 2 * second)
    }
    let report = cluster.nodes[0].snapshot(atTrue: 3600 * second)
    let drift = try #require(report.driftPartsPerBillion)
    #expect(abs(drift - 31_000) < 1_000, "\(drift)")
  }
}

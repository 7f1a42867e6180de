import Simulation
import Testing

/// Whole worlds.
@Suite struct WorldTests {
  /// Options of a seed for a world that is short enough for a build without optimization.
  private func options(_ seed: UInt64, canary: Canary = .none) -> SimulationOptions {
    var options = SimulationOptions(seed: seed, canary: canary)
    options.activeNanoseconds = 4_000_000_000
    return options
  }

  /// Runs the worlds of these seeds, each of which must keep every promise, and adds up what happened.
  private func worlds(
    _ seeds: ClosedRange<UInt64>, _ change: (inout SimulationOptions) -> Void = { _ in }
  ) -> SimulationStatistics {
    var total = SimulationStatistics()
    for seed in seeds {
      var options = options(seed)
      change(&options)
      let result = World(options).run()
      #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
      total.add(result.statistics)
    }
    return total
  }

  @Test(arguments: [3, 4, 11, 12] as [UInt64])
  func `the same seed gives the same world`(seed: UInt64) {
    let first = World(options(seed)).run()
    let second = World(options(seed), keepsTrace: true).run()
    #expect(first.traceHash == second.traceHash, "seed \(seed)")
    #expect(first.statistics.eventCount == second.statistics.eventCount)
  }

  @Test func `other seeds give other worlds`() {
    let hashes = Set((1...4).map { World(options($0)).run().traceHash })
    #expect(hashes.count == 4)
  }

  @Test func `without faults every payment is acknowledged`() {
    for seed in 1...4 as ClosedRange<UInt64> {
      var options = options(seed)
      options.calm()
      let result = World(options).run()
      #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
      #expect(result.statistics.acknowledgedCount > 0, "seed \(seed)")
      #expect(result.statistics.faults.allSatisfy { $0 == 0 })
    }
  }

  @Test func `worlds with faults keep every promise`() {
    let total = worlds(1...20)
    // Faults that never happen prove nothing.
    #expect(total.faults.count(where: { $0 > 0 }) > 8)
    #expect(total.boundChecks > 0 && total.acknowledgedCount > 0 && total.catchUpReads > 0)
  }

  @Test func `nodes start from snapshots, and pass over those that were damaged`() {
    let total = worlds(1...12) { options in
      options.node.snapshotEventsMin = 5
      options.node.segmentByteCountMax = 1 << 10
      options.faults.killMean = 1_000_000_000
      options.faults.snapshotDamageMean = 1_000_000_000
    }
    #expect(total.snapshotCount > 0 && total.snapshotStarts > 0 && total.snapshotsPassedOver > 0)
  }

  @Test func `nodes come and go, and one without its disk is refused under its number`() {
    let total = worlds(1...16) { options in
      options.nodeCount = 3
      options.spareCount = 2
      options.faults.membersMean = 200_000_000
      options.faults.wipeMean = 500_000_000
    }
    #expect(total.memberChangeCount > 0 && total.newNodeCount > 0 && total.storesRefused > 0)
  }

  @Test func `running nodes mend their sealed segments`() {
    let total = worlds(1...12) { options in
      options.calm()
      options.nodeCount = 3
      options.hasScrub = true
      options.node.segmentByteCountMax = 1 << 10
      options.node.recordCommitTicks = 5
      options.faults.damageMean = 500_000_000
    }
    #expect(total.scrubbedSegments > 0)
  }

  @Test func `damage of the newest batches and of the hard state is mended`() {
    let total = worlds(1...16) { options in
      options.nodeCount = max(options.nodeCount, 3)
      options.node.recordCommitTicks = 100
      options.faults.damageMean = 500_000_000
      options.faults.hardStateDamageMean = 100_000_000
      options.faults.killMean = 1_000_000_000
    }
    #expect(total.unvouchedDamageCount > 0 && total.repairCount > 0)
  }

  @Test(arguments: [
    Canary.fsyncSkipped, .deduplicationOff, .damageTakenForAbsence, .boundTooSmall,
  ])
  func `what is broken on purpose is found`(canary: Canary) {
    // The command finds all of them in whole worlds; these show within a few short ones.
    let isFound = (1...20).contains { World(options($0, canary: canary)).run().violation != nil }
    #expect(isFound, "\(canary.rawValue)")
  }
}

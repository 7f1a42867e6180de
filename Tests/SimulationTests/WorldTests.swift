import Simulation
import Testing

/// Whole worlds.
@Suite struct WorldTests {
  @Test(arguments: [3, 4, 11, 12] as [UInt64])
  func `the same seed gives the same world`(seed: UInt64) {
    let first = World(SimulationOptions(seed: seed)).run()
    let second = World(SimulationOptions(seed: seed), keepsTrace: true).run()
    #expect(first.traceHash == second.traceHash, "seed \(seed)")
    #expect(first.statistics.eventCount == second.statistics.eventCount)
  }

  @Test func `other seeds give other worlds`() {
    let hashes = Set((1...4).map { World(SimulationOptions(seed: $0)).run().traceHash })
    #expect(hashes.count == 4)
  }

  @Test func `without faults every payment is acknowledged`() {
    for seed in 1...4 as ClosedRange<UInt64> {
      var options = SimulationOptions(seed: seed)
      options.calm()
      options.activeNanoseconds = 5_000_000_000
      let result = World(options).run()
      #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
      #expect(result.statistics.acknowledgedCount > 0, "seed \(seed)")
      #expect(result.statistics.faults.allSatisfy { $0 == 0 })
    }
  }

  @Test func `worlds with faults keep every promise`() {
    var total = SimulationStatistics()
    for seed in 1...20 as ClosedRange<UInt64> {
      let result = World(SimulationOptions(seed: seed)).run()
      #expect(result.violation == nil, "seed \(seed): \(result.violation.map { "\($0)" } ?? "")")
      total.add(result.statistics)
    }
    // Faults that never happen prove nothing.
    #expect(total.faults.count(where: { $0 > 0 }) > 8)
    #expect(total.boundChecks > 0 && total.acknowledgedCount > 0 && total.catchUpReads > 0)
  }
}

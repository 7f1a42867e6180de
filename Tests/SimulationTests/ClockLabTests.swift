import ClockSync
import Simulation
import Testing

@Suite struct ClockLabTests {
  /// chrony's simulation and its limits (ANCHORS, Time); 1,000 seeds run in tools/simulate.sh.
  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func `a clock keeps chrony's limits, and true time lies in every bound`(seed: UInt64) {
    var options = ClockLabOptions(seed: seed)
    options.seconds = 1500
    var lab = ClockLab(options)
    let result = lab.run()
    #expect(result.violation == nil)
    #expect(result.insideCount > 1490)
    #expect(result.synchronizedSeconds.map { $0 <= 120 } ?? false)
    #expect(result.errorMax <= 1_000_000 && result.errorRootMeanSquare <= 300_000)
    // No huge bound: half of the way there and back, and what 16 s of age cost.
    #expect(result.boundMedian < 500_000)
  }

  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func `two false servers of five are named`(seed: UInt64) {
    var options = ClockLabOptions(seed: seed)
    options.seconds = 600
    options.serverCount = 5
    options.falseServerCount = 2
    var lab = ClockLab(options)
    let result = lab.run()
    #expect(result.falseVerdictCount == 2 && result.violation == nil)
  }

  /// What checks the bounds must find one that is too small.
  @Test func `an oscillator that moves more than the settings allow is found out`() {
    var options = ClockLabOptions(seed: 1)
    options.seconds = 1500
    options.wander = 2_000
    options.wanderMax = 200_000
    var lab = ClockLab(options)
    #expect(lab.run().violation != nil)
  }

  @Test func `the same seed gives the same world`() {
    var options = ClockLabOptions.drawn(seed: 77)
    options.seconds = 300
    var (first, second) = (ClockLab(options), ClockLab(options))
    let (one, other) = (first.run(), second.run())
    #expect(one.bounds == other.bounds && one.errorMax == other.errorMax)
    #expect(one.packetCount == other.packetCount)
  }
}

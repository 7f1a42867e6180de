import ClockSync
import HybridTime
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

  /// What lies between two answers is known better afterwards than it was at the time.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `in hindsight true time lies in narrower bounds, gaps without an answer included`(
    seed: UInt64
  ) throws {
    var options = seed < 3 ? ClockLabOptions(seed: seed) : ClockLabOptions.drawn(seed: seed)
    options.seconds = 3_000
    options.outage = 1_000..<2_200
    options.keepsHistory = true
    var lab = ClockLab(options)
    let result = lab.run()
    let hindsight = ClockHindsight(result.points)
    var (inside, narrower, gap, gapNarrower) = (0, 0, 0, 0)
    for moment in result.moments {
      guard let interval = hindsight.interval(atMonotonic: moment.monotonic) else { continue }
      let truth = moment.trueNanoseconds - moment.monotonic
      try #require(interval.low <= truth && truth <= interval.high, "seed \(seed)")
      inside += 1
      let reading = moment.reading
      guard reading.reference == .external, reading.status != .unsynchronized else { continue }
      let corrected = reading.correctedNanoseconds - moment.monotonic
      let reach = max(interval.high - corrected, corrected - interval.low)
      if reach < reading.boundNanoseconds { narrower += 1 }
      guard reading.status == .holdover else { continue }
      gap += 1
      if reach < reading.boundNanoseconds * 9 / 10 { gapNarrower += 1 }
    }
    try #require(inside > 2_900 && narrower > 1_000, "seed \(seed): \(inside), \(narrower)")
    try #require(seed >= 3 || gap > 500 && gapNarrower > gap / 2, "\(gapNarrower) of \(gap)")
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

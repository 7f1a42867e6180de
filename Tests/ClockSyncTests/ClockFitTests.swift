import Bytes
import Testing

@testable import ClockSync

private let second: Int64 = 1_000_000_000
private let limits = ClockFit.Limits(rateMax: 500_000, wander: 15_000)

/// A clock whose rate moves within the wander, seen over paths that are as asymmetric as they like.
private struct Remote {
  var random: SeededGenerator
  /// Parts per billion at the start, and what it may differ from that by, both ways.
  let rate: Int64
  let wander: Int64
  private(set) var now: Int64 = 0
  private(set) var offset: Int64 = 1_790_000_000_000_000_000
  private var currentRate: Int64

  init(seed: UInt64, wander: Int64 = 7_000) {
    random = SeededGenerator(seed: seed)
    self.wander = wander
    rate = Int64.random(in: -490_000...490_000, using: &random)
    currentRate = rate
  }

  mutating func advance(_ span: Int64) {
    let step = Int64.random(in: -wander / 4...wander / 4, using: &random)
    currentRate = min(max(currentRate + step, rate - wander), rate + wander)
    now += span
    offset += span / 1_000_000 * currentRate / 1000
  }

  mutating func point() -> ClockPoint {
    let delay = Int64.random(in: 100_000...2_000_000, using: &random)
    let miss = Int64.random(in: -delay / 2...delay / 2, using: &random)
    return ClockPoint(monotonic: now, offset: offset + miss, error: delay / 2 + 2, delay: delay)
  }
}

@Suite struct ClockFitTests {
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `truth lies in the interval at every time, and the interval is worth something`(
    seed: UInt64
  ) {
    var remote = Remote(seed: seed)
    var points: [ClockPoint] = []
    for index in 0..<200 {
      remote.advance(16 * second)
      if points.count == 64 { points.removeFirst() }
      points.append(remote.point())
      let fit = ClockFit(points, limits)
      #expect(fit.consistentCount == points.count, "seed \(seed)")
      var later = remote
      for _ in 0..<3 {
        later.advance(5 * second)
        let estimate = fit.estimate(atMonotonic: later.now)
        let miss = (estimate.offsetNanoseconds - later.offset).magnitude
        #expect(miss <= UInt64(estimate.errorNanoseconds), "seed \(seed) at \(index)")
        let rateMiss = (estimate.ratePartsPerBillion - later.rate).magnitude
        #expect(
          rateMiss <= UInt64(estimate.rateErrorPartsPerBillion + later.wander), "seed \(seed)")
        if index > 64 {
          #expect(estimate.rateErrorPartsPerBillion < 40_000, "seed \(seed) at \(index)")
          #expect(estimate.errorNanoseconds < 2_000_000, "seed \(seed) at \(index)")
        }
      }
    }
  }

  @Test func `points that the limits cannot explain are left out from the oldest on`() {
    var points = (0..<20).map { index in
      ClockPoint(monotonic: Int64(index) * second, offset: 0, error: 10_000, delay: 20_000)
    }
    // From the tenth on the clock runs 300 ppm fast: more than a rate may move.
    for index in 10..<20 { points[index].offset = Int64(index - 10) * 300_000 }
    let fit = ClockFit(points, limits)
    #expect(fit.consistentCount == 10)
    #expect((250_000...350_000).contains(fit.rate))
  }
}

@Suite struct ClockRegressionTests {
  private func points(
    seed: UInt64, count: Int, rate: Double, jitter: Int64
  ) -> [ClockPoint] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { index in
      let queue = Int64.random(in: 0...jitter, using: &random)
      let isThere = Bool.random(using: &random)
      let truth = Int64(Double(index) * 16 * rate)
      return ClockPoint(
        monotonic: Int64(index) * 16 * second, offset: truth + (isThere ? queue : -queue) / 2,
        error: 50_000 + queue / 2, delay: 100_000 + queue)
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `the line is found through queues that are a hundred times as long as its error`(
    seed: UInt64
  ) {
    let points = points(seed: seed, count: 64, rate: 31_000, jitter: 400_000)
    let line = ClockRegression(points)
    #expect(abs(line.rate - 31_000) < 100, "seed \(seed): \(line.rate)")
    let newest = Double(points[63].offset) + line.offset
    #expect(abs(newest - 63 * 16 * 31_000) < 40_000, "seed \(seed)")
  }

  @Test func `two noisy points make no rate`() {
    let points = [
      ClockPoint(monotonic: 0, offset: 0, error: 300_000, delay: 500_000),
      ClockPoint(monotonic: second, offset: 200_000, error: 300_000, delay: 900_000),
    ]
    #expect(abs(ClockRegression(points).rate) < 100_000)
  }

  /// Wald and Wolfowitz 1940: residuals that keep their sign for long are no noise.
  @Test func `where the rate has changed the old points are left out`() {
    var points = points(seed: 3, count: 64, rate: 10_000, jitter: 40_000)
    for index in 32..<64 { points[index].offset += Int64(index - 32) * 16 * 12_000 }
    let line = ClockRegression(points)
    #expect(line.usedCount < 45, "\(line.usedCount)")
    #expect(abs(line.rate - 22_000) < 2_500, "\(line.rate)")
  }

  @Test func `a wild point has no weight`() {
    var points = points(seed: 5, count: 30, rate: 0, jitter: 20_000)
    points[15].offset = 80_000_000
    let line = ClockRegression(points)
    #expect(abs(line.rate) < 1_000 && line.deviation < 30_000, "\(line)")
  }
}

@Suite struct SlopeHullTests {
  @Test func `the steepest slope is that of all pairs`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      for sign in [1.0, -1.0] {
        var hull = SlopeHull(sign: sign)
        var points: [(x: Double, y: Double)] = []
        for place in 0..<40 {
          let (x, y) = (-Double(place), Double.random(in: -100...100, using: &random))
          let all = points.map { ($0.y - y) / ($0.x - x) }
          let best = sign > 0 ? all.max() : all.min()
          #expect(hull.steepest(fromX: x, y: y) == best, "seed \(seed)")
          hull.append(x: x, y: y)
          points.append((x, y))
        }
      }
    }
  }
}

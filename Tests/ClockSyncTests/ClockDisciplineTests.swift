import Bytes
import HybridTime
import Testing

@testable import ClockSync

private let base: Int64 = 1_790_000_000_000_000_000
private let second: Int64 = 1_000_000_000
private let rateMax: Int64 = 500_000

private func makeDiscipline() -> ClockDiscipline {
  ClockDiscipline(
    offset: base, target: base, targetError: 0, targetMonotonic: 0, errorGrowth: 0,
    rawMinusMonotonic: base, publishedMonotonic: 0, stepThreshold: 50_000_000,
    pauseThreshold: 2 * second, hostClockBound: second, epoch: 0)
}

private func agreement(
  _ offset: Int64, bound: Int64 = 1000, rate: Int64 = 0, rateError: Int64 = 0
) -> ClockAgreement {
  ClockAgreement(
    reference: .cluster, offsetNanoseconds: offset, boundNanoseconds: bound,
    ratePartsPerBillion: rate, rateErrorPartsPerBillion: rateError, chosen: [])
}

@Suite struct ClockDisciplineTests {
  @Test func `the first synchronization steps, later ones slew, and the rest is in the bound`() {
    var discipline = makeDiscipline()
    discipline.steer(
      to: agreement(base - 2 * second), slewRateMax: rateMax, monotonic: second)
    discipline.reference = .cluster
    #expect(discipline.correctedNanoseconds(atMonotonic: second) == base - second)
    // A millisecond further: 2 s at 500 ppm, after the lead of 10 ms.
    discipline.publishedMonotonic = 2 * second
    discipline.steer(
      to: agreement(base - 2 * second + 1_000_000), slewRateMax: rateMax,
      monotonic: 2 * second)
    func reading(_ now: Int64) -> ClockReading {
      discipline.reading(rawNanoseconds: base + now, monotonicNanoseconds: now)
    }
    #expect(reading(2 * second).correctedNanoseconds == base)
    #expect(reading(2 * second).boundNanoseconds == 1000 + 1_000_000)
    #expect(reading(3 * second + 10_000_000).boundNanoseconds == 1000 + 500_000)
    let end = 4 * second + 10_000_000
    #expect(reading(end).boundNanoseconds == 1000)
    #expect(reading(end).correctedNanoseconds == base - 2 * second + 1_000_000 + end)
    #expect(reading(end).correctionNanoseconds == -2 * second + 1_000_000)
  }

  /// Two readers, one with the value before and one with the value after a publication, see one
  /// line around it; and no update, however wild, makes corrected run back or faster than allowed.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `under random updates corrected time is monotone and keeps the slew limit`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var discipline = makeDiscipline()
    discipline.steer(to: agreement(base), slewRateMax: rateMax, monotonic: 0)
    var now: Int64 = 20_000_000
    var last = discipline.correctedNanoseconds(atMonotonic: now)
    for _ in 0..<5000 {
      let old = discipline
      let spread: Int64 = Bool.random(using: &random) ? 20_000 : 3 * second
      discipline.steer(
        to: agreement(
          base + Int64.random(in: -spread...spread, using: &random),
          rate: Int64.random(in: -500_000...500_000, using: &random)),
        slewRateMax: rateMax, monotonic: now)
      for around in [-9_000_000, -1, 0, 1, 5_000_000, 9_999_999, 10_000_000] as [Int64] {
        let before = old.correctedNanoseconds(atMonotonic: now + around)
        let after = discipline.correctedNanoseconds(atMonotonic: now + around)
        #expect(before == after, "seed \(seed) at \(now) \(around)")
      }
      let steps = Int.random(in: 1...4, using: &random)
      for _ in 0..<steps {
        let ahead = Int64.random(in: 0...60_000_000, using: &random)
        now += ahead
        let corrected = discipline.correctedNanoseconds(atMonotonic: now)
        // The slew, the rate, and what integers cut off.
        let slack = ahead / 1000 + 4
        #expect(
          corrected >= last && abs(corrected - last - ahead) <= slack, "seed \(seed) at \(now)")
        last = corrected
      }
    }
  }

  /// Two rates that both slow the clock down, each rounded for itself, would make it run back.
  @Test func `corrected time never runs back, nanosecond by nanosecond`() {
    var discipline = makeDiscipline()
    discipline.steer(to: agreement(base, rate: -20_000), slewRateMax: rateMax, monotonic: 0)
    discipline.steer(
      to: agreement(base - second, rate: -20_000), slewRateMax: rateMax, monotonic: 20_000_000)
    var last = discipline.correctedNanoseconds(atMonotonic: 29_000_000)
    for now in 29_000_001...(31_500_000 as Int64) {
      let corrected = discipline.correctedNanoseconds(atMonotonic: now)
      if corrected < last { Issue.record("back at \(now)") }
      last = corrected
    }
  }

  @Test func `a step or a pause that nobody has polled for yet is marked at once`() {
    var discipline = makeDiscipline()
    discipline.steer(
      to: agreement(base, rateError: 50_000), slewRateMax: rateMax, monotonic: second)
    discipline.publishedMonotonic = second
    discipline.status = .synchronized
    discipline.reference = .external
    let calm = discipline.reading(rawNanoseconds: base + second, monotonicNanoseconds: second)
    #expect(calm.status == .synchronized && calm.boundNanoseconds == 1000)
    let step = discipline.reading(
      rawNanoseconds: base + 4 * second, monotonicNanoseconds: second)
    #expect(step.status == .disrupted)
    #expect(step.correctedNanoseconds == calm.correctedNanoseconds)
    #expect(step.correctionNanoseconds == -3 * second)
    // It may have been a suspend that the monotonic clock did not count.
    #expect(step.boundNanoseconds == 1000 + 3 * second)
    let late = discipline.reading(
      rawNanoseconds: base + 4 * second, monotonicNanoseconds: 4 * second)
    #expect(late.status == .disrupted)
    #expect(late.boundNanoseconds == 1000 + 150_000 + 1)
  }

  @Test func `corrected time runs at the rate that the sources show, also when they are gone`() {
    var discipline = makeDiscipline()
    discipline.steer(
      to: agreement(base, rate: 100_000), slewRateMax: rateMax, monotonic: second)
    discipline.reference = .external
    #expect(discipline.correctedNanoseconds(atMonotonic: second) == base + second)
    let hour = 3600 * second
    #expect(
      discipline.correctedNanoseconds(atMonotonic: second + hour)
        == base + second + hour + 360_000_000)
    discipline.publishedMonotonic = second + hour
    let reading = discipline.reading(
      rawNanoseconds: base + second + hour, monotonicNanoseconds: second + hour)
    #expect(reading.boundNanoseconds == 1000)
    // Another rate holds from the lead on.
    discipline.steer(
      to: agreement(base + 360_000_000, rate: 90_000), slewRateMax: rateMax,
      monotonic: second + hour)
    #expect(
      discipline.correctedNanoseconds(atMonotonic: second + hour + hour)
        - discipline.correctedNanoseconds(atMonotonic: second + hour + second)
        == hour - second + 324_000_000 - 90_000)
  }

  @Test func `extreme values saturate`() {
    var discipline = makeDiscipline()
    discipline.steer(to: agreement(base), slewRateMax: rateMax, monotonic: 0)
    discipline.reference = .cluster
    discipline.steer(
      to: agreement(base + ClockLimits.spanNanosecondsMax), slewRateMax: rateMax,
      monotonic: second)
    let reading = discipline.reading(
      rawNanoseconds: base + second, monotonicNanoseconds: second)
    #expect(reading.boundNanoseconds == ClockLimits.spanNanosecondsMax)
    #expect(discipline.correctedNanoseconds(atMonotonic: 1000 * second) > base + 1000 * second)
  }
}

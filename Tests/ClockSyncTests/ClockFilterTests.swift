import Bytes
import ClockSync
import HybridTime
import Testing

private let base: Int64 = 1_790_000_000_000_000_000
private let millisecond: Int64 = 1_000_000

/// A sample of a clock `offset` ahead of monotonic: `there` and `back` are the ways' times.
private func makeSample(
  at sent: Int64, offset: Int64 = base, there: Int64, back: Int64, error: Int64 = 0
) throws -> ClockSample {
  try ClockSample(
    sentMonotonicNanoseconds: sent, receiveNanoseconds: sent + there + offset,
    transmitNanoseconds: sent + there + offset + 1000,
    monotonicNanoseconds: sent + there + back + 1000, rawNanoseconds: sent + base,
    remoteErrorNanoseconds: error)
}

private let limits = ClockFit.Limits(rateMax: 500_000, wander: 15_000)

extension ClockFilter {
  fileprivate mutating func insert(_ sample: ClockSample) throws(ClockSampleRefusal) {
    try insert(sample, limits, external: limits)
  }
}

@Suite struct ClockFilterTests {
  @Test func `insane timestamps are refused by name`() throws {
    func refusal(_ t1: Int64, _ t2: Int64, _ t3: Int64, _ t4: Int64, error: Int64 = 0)
      -> ClockSampleRefusal?
    {
      do throws(ClockSampleRefusal) {
        _ = try ClockSample(
          sentMonotonicNanoseconds: t1, receiveNanoseconds: t2, transmitNanoseconds: t3,
          monotonicNanoseconds: t4, rawNanoseconds: base, remoteErrorNanoseconds: error)
        return nil
      } catch { return error }
    }
    #expect(refusal(0, base, base + 10, 20) == nil)
    #expect(refusal(0, -1, base, 20) == .timeOutOfRange)
    #expect(refusal(0, base, .max, 20) == .timeOutOfRange)
    #expect(refusal(20, base, base, 10) == .receivedBeforeSent)
    #expect(refusal(0, base, base - 1, 10) == .transmittedBeforeReceived)
    #expect(refusal(0, base, base + millisecond, 10) == .negativeDelay)
    #expect(refusal(0, base, base, 4_000_000_001) == .delayTooLong)
    #expect(refusal(0, base, base, 10, error: -1) == .errorOutOfRange)
    #expect(refusal(0, base, base, 10, error: 16_000_000_001) == .errorOutOfRange)
  }

  @Test func `a step of the local system clock between send and receipt is no offset`() throws {
    // Monotonic times do not know of it; only the raw time beside the sample does.
    let sample = try ClockSample(
      sentMonotonicNanoseconds: 0, receiveNanoseconds: base + millisecond,
      transmitNanoseconds: base + millisecond, monotonicNanoseconds: 2 * millisecond,
      rawNanoseconds: base + 2 * millisecond + 3_600_000 * millisecond)
    #expect(sample.offsetNanoseconds == base)
    #expect(sample.delayNanoseconds == 2 * millisecond)
    #expect(sample.rawOffsetNanoseconds == -3_600_000 * millisecond)
  }

  @Test func `however asymmetric the path, the offset stays inside the bound`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1000 {
      var filter = ClockFilter()
      for index in 0..<8 {
        let there = Int64.random(in: 0...50 * millisecond, using: &random)
        let back = Int64.random(in: 0...1, using: &random) * there / 50
        let sent = Int64(index) * 1000 * millisecond
        try filter.insert(makeSample(at: sent, there: there, back: back))
      }
      #expect(filter.samples.count == 8 && filter.contradictionCount == 0, "seed \(seed)")
      let now = 8_000 * millisecond
      let estimate = try #require(filter.estimate(role: .raw, atMonotonic: now))
      let miss = (estimate.offsetNanoseconds - base).magnitude
      #expect(miss <= UInt64(estimate.errorNanoseconds), "seed \(seed)")
    }
  }

  @Test func `age adds the rate's error to the bound`() throws {
    var filter = ClockFilter()
    try filter.insert(makeSample(at: 0, there: millisecond, back: millisecond))
    let soon = try #require(filter.estimate(role: .raw, atMonotonic: 2_001_000))
    let later = try #require(
      filter.estimate(role: .raw, atMonotonic: 2_001_000 + 10_000 * millisecond))
    // One sample shows no rate.
    #expect(later.rateErrorPartsPerBillion == 500_000)
    #expect(later.errorNanoseconds - soon.errorNanoseconds == 5_000_000)
    for index in 1...60 {
      try filter.insert(
        makeSample(at: Int64(index) * 16_000 * millisecond, there: millisecond, back: millisecond))
    }
    // 2 ms and a little over 960 s confine the rate to 2.1 ppm; it may have moved by 15 since.
    let sure = try #require(filter.estimate(role: .raw, atMonotonic: 961_000 * millisecond))
    #expect((15_000...18_000).contains(sure.rateErrorPartsPerBillion), "\(sure)")
  }

  // RFC 5905 §10, popcorn spike suppressor.
  @Test func `a lone spike moves nothing, a second one shows that the clock has moved`() throws {
    var filter = ClockFilter()
    for index in 0..<10 {
      try filter.insert(
        makeSample(
          at: Int64(index) * 16_000 * millisecond, there: 400_000 + Int64(index % 3) * 500,
          back: 400_000))
    }
    let calm = try #require(filter.estimate(role: .raw, atMonotonic: 160_000 * millisecond))
    var popcorn = filter
    try popcorn.insert(
      makeSample(
        at: 160_000 * millisecond, offset: base + 350_000, there: 400_000, back: 400_000))
    #expect(popcorn.spikeCount == 1 && popcorn.contradictionCount == 0)
    let after = try #require(popcorn.estimate(role: .raw, atMonotonic: 161_000 * millisecond))
    #expect((after.offsetNanoseconds - calm.offsetNanoseconds).magnitude < 20_000)
    for index in 11...14 {
      try popcorn.insert(
        makeSample(
          at: Int64(index) * 16_000 * millisecond, offset: base + 350_000, there: 400_000,
          back: 400_000))
    }
    let moved = try #require(popcorn.estimate(role: .raw, atMonotonic: 225_000 * millisecond))
    #expect(popcorn.spikeCount == 1)
    #expect(moved.offsetNanoseconds - calm.offsetNanoseconds > 200_000, "\(moved)")
  }

  @Test func `a full filter knows a spike too`() throws {
    var filter = ClockFilter(countMax: 8)
    for index in 0..<20 {
      try filter.insert(
        makeSample(
          at: Int64(index) * 16_000 * millisecond, there: 400_000 + Int64(index % 3) * 500,
          back: 400_000))
    }
    try filter.insert(
      makeSample(
        at: 320_000 * millisecond, offset: base + 350_000, there: 400_000, back: 400_000))
    #expect(filter.spikeCount == 1)
  }

  /// A claim may say anything: it must be refused or harmless, never the end of the process.
  @Test func `absurd claims of a peer are no time source`() throws {
    var filter = ClockFilter()
    for (place, correction) in [1 << 56, -(1 << 56)].enumerated() {
      let claim = PeerClockClaim(
        correctionNanoseconds: Int64(correction), boundNanoseconds: 1 << 56,
        status: .synchronized, reference: .external, isDirect: true)
      let sent = Int64(place) * 7 * millisecond
      let sample = try ClockSample(
        sentMonotonicNanoseconds: sent, receiveNanoseconds: base + sent,
        transmitNanoseconds: base + sent, monotonicNanoseconds: sent, rawNanoseconds: base + sent,
        claim: claim)
      try filter.insert(sample)
    }
    #expect(filter.fit(.external) == nil && filter.fit(.raw) != nil)
  }

  @Test func `a remote clock that was set makes its older samples drop out`() throws {
    var filter = ClockFilter()
    for index in 0..<5 {
      try filter.insert(
        makeSample(at: Int64(index) * 1000 * millisecond, there: 100_000, back: 100_000))
    }
    try filter.insert(
      makeSample(
        at: 5_000 * millisecond, offset: base + 10 * millisecond, there: 900_000, back: 900_000))
    #expect(filter.samples.count == 1 && filter.contradictionCount == 5)
  }

  @Test func `a sample that was taken earlier than the newest is refused`() throws {
    var filter = ClockFilter()
    try filter.insert(makeSample(at: 10 * millisecond, there: 1000, back: 1000))
    #expect(throws: ClockSampleRefusal.outOfOrder) {
      try filter.insert(makeSample(at: 9 * millisecond, there: 1000, back: 1000))
    }
  }

  @Test func `as many samples are kept as the filter is to hold`() throws {
    var filter = ClockFilter(countMax: 8)
    for index in 0..<20 {
      try filter.insert(makeSample(at: Int64(index) * 1000 * millisecond, there: 9000, back: 9000))
    }
    #expect(filter.samples.count == 8)
    #expect(filter.fit(.raw)?.usedCount == 8)
  }
}

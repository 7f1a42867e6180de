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
        try filter.insert(
          makeSample(at: sent, there: there, back: back), rate: 100_000)
      }
      #expect(filter.samples.count == 8 && filter.contradictionCount == 0, "seed \(seed)")
      let now = 8_000 * millisecond
      let estimate = try #require(
        filter.estimate(role: .raw, atMonotonic: now, rate: 100_000))
      let miss = (estimate.offsetNanoseconds - base).magnitude
      #expect(miss <= UInt64(estimate.errorNanoseconds), "seed \(seed)")
    }
  }

  // RFC 5905 §10.
  @Test func `of the last eight samples the one of least delay is used`() throws {
    var filter = ClockFilter()
    let delays: [Int64] = [1, 9, 4, 2, 7, 3, 8, 5, 6]
    for (index, delay) in delays.enumerated() {
      let sample = try makeSample(
        at: Int64(index) * 1000 * millisecond, there: delay * millisecond,
        back: delay * millisecond)
      try filter.insert(sample, rate: 50_000)
    }
    let now = 9_000 * millisecond
    let estimate = try #require(filter.estimate(role: .raw, atMonotonic: now, rate: 50_000))
    // The sample of delay 1 was the first of nine: it has left.
    #expect(estimate.delayNanoseconds == 4 * millisecond)
    #expect(estimate.monotonicNanoseconds == 3_004 * millisecond + 1000)
  }

  @Test func `age adds drift to the error until a newer, slower sample is better`() throws {
    var filter = ClockFilter()
    try filter.insert(
      makeSample(at: 0, there: millisecond, back: millisecond), rate: 50_000)
    let soon = try #require(filter.estimate(role: .raw, atMonotonic: 2_001_000, rate: 50_000))
    let later = try #require(
      filter.estimate(role: .raw, atMonotonic: 2_001_000 + 10_000 * millisecond, rate: 50_000))
    #expect(later.errorNanoseconds - soon.errorNanoseconds == 500_000)
    try filter.insert(
      makeSample(at: 100_000 * millisecond, there: 2 * millisecond, back: 2 * millisecond),
      rate: 50_000)
    let now = 100_010 * millisecond
    let best = try #require(filter.estimate(role: .raw, atMonotonic: now, rate: 50_000))
    #expect(best.delayNanoseconds == 4 * millisecond)
  }

  @Test func `a remote clock that was set makes its older samples drop out`() throws {
    var filter = ClockFilter()
    for index in 0..<5 {
      try filter.insert(
        makeSample(at: Int64(index) * 1000 * millisecond, there: 100_000, back: 100_000),
        rate: 100_000)
    }
    try filter.insert(
      makeSample(
        at: 5_000 * millisecond, offset: base + 10 * millisecond, there: 900_000, back: 900_000),
      rate: 100_000)
    #expect(filter.samples.count == 1 && filter.contradictionCount == 5)
  }

  @Test func `a sample that was taken earlier than the newest is refused`() throws {
    var filter = ClockFilter()
    try filter.insert(makeSample(at: 10 * millisecond, there: 1000, back: 1000), rate: 0)
    #expect(throws: ClockSampleRefusal.outOfOrder) {
      try filter.insert(makeSample(at: 9 * millisecond, there: 1000, back: 1000), rate: 0)
    }
  }

  @Test func `jitter is the root mean square about the sample in use`() throws {
    var filter = ClockFilter()
    for offset in [0, 3000, 4000] as [Int64] {
      try filter.insert(
        makeSample(at: offset * 1000, offset: base + offset, there: 9000, back: 9000), rate: 0)
    }
    // sqrt((3000² + 4000²) / 2)
    #expect(filter.jitterNanoseconds(about: base) == 3535)
  }
}

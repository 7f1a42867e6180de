import Bytes
import HybridTime
import Testing

@Suite struct HybridClockTests {
  @Test func `stamps at one node always grow`() throws {  // Kulkarni et al. 2014, figure 5
    var clock = HybridClock(aheadNanosecondsMax: 1000)
    let times: [Int64] = [10, 10, 9, 11, 11, 5, 200]
    var last = HybridTimestamp.zero
    for time in times {
      let stamp = try clock.tick(correctedNanoseconds: time)
      #expect(stamp > last)
      #expect(stamp.wallNanoseconds >= time)
      last = stamp
    }
    #expect(last == HybridTimestamp(wallNanoseconds: 200, logical: 0))
  }

  @Test func `what is stamped after a message was seen is greater than its stamp`() throws {
    var clock = HybridClock(aheadNanosecondsMax: 1000)
    let remote = HybridTimestamp(wallNanoseconds: 500, logical: 3)
    try clock.observe(remote, correctedNanoseconds: 100)
    #expect(try clock.tick(correctedNanoseconds: 101) > remote)
  }

  @Test func `a remote stamp beyond the limit is refused and changes nothing`() throws {
    var clock = HybridClock(aheadNanosecondsMax: 1000)
    #expect(throws: HybridClockError.remoteAhead(nanoseconds: 1001, limitNanoseconds: 1000)) {
      try clock.observe(
        HybridTimestamp(wallNanoseconds: 1101, logical: 0), correctedNanoseconds: 100)
    }
    #expect(clock.last == .zero)
    try clock.observe(
      HybridTimestamp(wallNanoseconds: 1100, logical: 0), correctedNanoseconds: 100)
  }

  @Test func `a clock that fell back refuses to stamp until it has caught up`() throws {
    var clock = HybridClock(
      after: HybridTimestamp(wallNanoseconds: 5000, logical: 0), aheadNanosecondsMax: 1000)
    #expect(throws: HybridClockError.localAhead(nanoseconds: 4000, limitNanoseconds: 1000)) {
      try clock.tick(correctedNanoseconds: 1000)
    }
    #expect(try clock.tick(correctedNanoseconds: 4000).logical == 1)
    #expect(clock.tickRegardless(correctedNanoseconds: 0).logical == 2)
  }

  @Test func `the logical part carries over into the wall`() throws {
    var clock = HybridClock(
      after: HybridTimestamp(wallNanoseconds: 7, logical: .max), aheadNanosecondsMax: 10)
    #expect(
      try clock.tick(correctedNanoseconds: 7)
        == HybridTimestamp(wallNanoseconds: 8, logical: 0))
  }
}

@Test func `the names of statuses and references stay as they are`() {  // answers and reports
  #expect(
    ClockStatus.allCases.map(\.name)
      == ["unsynchronized", "synchronized", "holdover", "disrupted"])
  #expect(ClockReference.allCases.map(\.name) == ["local", "cluster", "external"])
}

@Suite struct StampCodecTests {
  private static func random(using generator: inout SeededGenerator) -> Stamp {
    let shift = Int64.random(in: 0...62, using: &generator)
    return Stamp(
      reading: ClockReading(
        rawNanoseconds: .random(in: .min ... .max, using: &generator),
        correctionNanoseconds: .random(in: .min ... .max, using: &generator) >> shift,
        boundNanoseconds: .random(in: 0 ... .max, using: &generator) >> shift,
        epoch: .random(in: 0 ... .max, using: &generator),
        status: ClockStatus.allCases.randomElement(using: &generator) ?? .holdover,
        reference: ClockReference.allCases.randomElement(using: &generator) ?? .local),
      hybrid: HybridTimestamp(
        wallNanoseconds: .random(in: .min ... .max, using: &generator),
        logical: .random(in: 0 ... .max, using: &generator)),
      node: NodeID(.random(in: 0...NodeID.countMax, using: &generator)))
  }

  @Test func `every stamp comes back from its bytes, and its bytes from the stamp`() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let stamp = Self.random(using: &generator)
      var writer = ByteWriter()
      stamp.encode(into: &writer)
      #expect(writer.count <= Stamp.encodedByteCountMax)
      var reader = ByteReader(writer.bytes.span.bytes)
      #expect(try Stamp(from: &reader, in: writer.bytes.span.bytes) == stamp, "seed \(seed)")
      #expect(reader.isAtEnd)
    }
  }

  @Test func `changed bytes are refused or are the one encoding of another stamp`() {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      var writer = ByteWriter()
      Self.random(using: &generator).encode(into: &writer)
      var bytes = writer.bytes
      bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= UInt8(
        1 << Int.random(in: 0..<8, using: &generator))
      var reader = ByteReader(bytes.span.bytes)
      guard let stamp = try? Stamp(from: &reader, in: bytes.span.bytes) else { continue }
      var again = ByteWriter()
      stamp.encode(into: &again)
      #expect(again.bytes == Array(bytes[..<reader.offset]), "seed \(seed)")
    }
  }

  @Test func `earliest and latest lie a bound about corrected`() {
    let reading = ClockReading(
      rawNanoseconds: 100, correctionNanoseconds: -20, boundNanoseconds: 7, epoch: 0,
      status: .synchronized, reference: .cluster)
    let stamp = Stamp(reading: reading, hybrid: .zero, node: NodeID(1))
    #expect(stamp.correctedNanoseconds == 80)
    #expect(stamp.earliestNanoseconds == 73)
    #expect(stamp.latestNanoseconds == 87)
  }
}

import Bytes
import ClockSync
import Testing

@Suite struct NTPPacketTests {
  /// A stratum-2 server's answer as it lies on the wire.
  static let wire: [UInt8] = [
    0x24, 0x02, 0x06, 0xe9, 0x00, 0x00, 0x0a, 0x12, 0x00, 0x00, 0x01, 0x5c, 0xc0, 0x00, 0x02, 0x01,
    0xe9, 0xb1, 0x13, 0x20, 0x80, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
    0xe9, 0xb1, 0x13, 0x25, 0x40, 0x00, 0x00, 0x00, 0xe9, 0xb1, 0x13, 0x25, 0x40, 0x01, 0x00, 0x00,
  ]

  // RFC 5905 §7.3, figure 8.
  @Test func `the header's fields lie where the RFC puts them`() throws {
    let packet = try NTPPacket(datagram: Self.wire)
    #expect(packet.leap == .none)
    #expect(packet.version == 4)
    #expect(packet.mode == .server)
    #expect(packet.stratum == 2)
    #expect(packet.poll == 6)
    #expect(packet.precision == -23)
    #expect(packet.rootDelay.rawValue == 0x0a12)
    #expect(packet.rootDispersion.rawValue == 0x015c)
    #expect(packet.referenceID == 0xc000_0201)
    #expect(packet.referenceTime.rawValue == 0xe9b1_1320_8000_0000)
    #expect(packet.origin.rawValue == 0x0102_0304_0506_0708)
    #expect(packet.receive.rawValue == 0xe9b1_1325_4000_0000)
    #expect(packet.transmit.rawValue == 0xe9b1_1325_4001_0000)
    #expect(packet.datagram == Self.wire)
  }

  @Test func `what follows the header is ignored and what is missing is refused`() throws {
    let packet = try NTPPacket(datagram: Self.wire + [UInt8](repeating: 0xff, count: 20))
    #expect(packet.datagram == Self.wire)
    for count in 0..<NTPPacket.byteCount {
      #expect(throws: DecodeError.self) {
        try NTPPacket(datagram: Array(Self.wire.prefix(count)))
      }
    }
  }

  @Test func `any 48 bytes read back as they were written`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<1000 {
      let bytes = (0..<48).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(try NTPPacket(datagram: bytes).datagram == bytes, "seed \(seed)")
    }
  }

  // RFC 5905 figure 4: 1970 is era 0, 2,208,988,800; era 1 begins 2036-02-07T06:28:16Z.
  @Test func `timestamps name the RFC's dates`() {
    #expect(NTPTimestamp(unixNanoseconds: 0).rawValue == 2_208_988_800 << 32)
    let era1 = 2_085_978_496 * 1_000_000_000 as Int64
    #expect(NTPTimestamp(unixNanoseconds: era1).rawValue == 0)
    #expect(NTPTimestamp(unixNanoseconds: era1 - 500_000_000).rawValue == 0xffff_ffff_8000_0000)
    #expect(NTPTimestamp(unixNanoseconds: -1_000_000_000).rawValue == 2_208_988_799 << 32)
  }

  @Test func `the era is the one nearest the pivot`() {
    let era1 = 2_085_978_496 * 1_000_000_000 as Int64
    for pivot in [era1 - 60_000_000_000, era1, era1 + 60_000_000_000] {
      let early = NTPTimestamp(rawValue: 0xffff_fff0_0000_0000)
      let late = NTPTimestamp(rawValue: 0x0000_0010_0000_0000)
      #expect(early.unixNanoseconds(near: pivot) == era1 - 16_000_000_000)
      #expect(late.unixNanoseconds(near: pivot) == era1 + 16_000_000_000)
    }
    // 1970 is 70 years after the start of era 0 and 66 before that of era 1.
    #expect(NTPTimestamp(rawValue: 0).unixNanoseconds(near: 0) == era1)
    let year1940 = -946_771_200_000_000_000 as Int64
    #expect(
      NTPTimestamp(rawValue: 0).unixNanoseconds(near: year1940) == -2_208_988_800_000_000_000)
  }

  @Test func `nanoseconds survive the way through a timestamp`() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<10_000 {
      let time = Int64.random(in: 0...5_000_000_000_000_000_000, using: &random)
      let pivot = time + Int64.random(in: -2_000_000_000...2_000_000_000, using: &random)
      let back = NTPTimestamp(unixNanoseconds: time).unixNanoseconds(near: pivot)
      #expect(back == time, "seed \(seed)")
    }
    let last = NTPTimestamp(rawValue: 2_208_988_800 << 32 | 0xffff_ffff)
    #expect(last.unixNanoseconds(near: 0) == 1_000_000_000)
  }

  @Test func `the short format rounds errors up and saturates`() {
    #expect(NTPShort(nanoseconds: 1_500_000_000).rawValue == 0x1_8000)
    #expect(NTPShort(rawValue: 0x1_8000).nanoseconds == 1_500_000_000)
    #expect(NTPShort(nanoseconds: 1).rawValue == 1)
    #expect(NTPShort(nanoseconds: -5).rawValue == 0)
    #expect(NTPShort(nanoseconds: .max).rawValue == .max)
    for nanoseconds in stride(from: 0 as Int64, to: 2_000_000_000, by: 99_999_989) {
      #expect(NTPShort(nanoseconds: nanoseconds).nanoseconds >= nanoseconds)
    }
  }
}

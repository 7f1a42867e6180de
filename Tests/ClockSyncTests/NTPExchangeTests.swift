import Bytes
import ClockSync
import HybridTime
import Testing

private let base: Int64 = 1_790_000_000_000_000_000
private let millisecond: Int64 = 1_000_000

@Suite struct NTPExchangeTests {
  private let exchange = ClockExchange(
    source: .server(1), nonce: 0xfeed_beef_dead_0001, sentMonotonicNanoseconds: 5_000 * millisecond)

  private func response(
    stratum: UInt8 = 2, leap: NTPPacket.Leap = .none, edit: (inout NTPPacket) -> Void = { _ in }
  ) throws -> [UInt8] {
    let state = NTPPacket.ServerState(
      leap: leap, stratum: stratum, precision: -20, rootDelayNanoseconds: 10 * millisecond,
      rootDispersionNanoseconds: 3 * millisecond, referenceID: 0x7f00_0001,
      referenceTimeNanoseconds: base - 1_000 * millisecond)
    var packet = try #require(
      NTPPacket.makeServerResponse(
        to: exchange.request, receiveNanoseconds: base + 2 * millisecond,
        transmitNanoseconds: base + 3 * millisecond, state: state))
    edit(&packet)
    return packet.datagram
  }

  private func accept(_ datagram: [UInt8]) throws(NTPRefusal) -> NTPAnswer {
    try exchange.accept(
      datagram: datagram, monotonicNanoseconds: 5_005 * millisecond, rawNanoseconds: base)
  }

  // RFC 5905 §8: offset ((t2 − t1) + (t3 − t4)) / 2, delay (t4 − t1) − (t3 − t2).
  @Test func `an answer gives offset, delay and the server's own error`() throws {
    guard case .sample(let sample) = try accept(try response()) else {
      Issue.record("no sample")
      return
    }
    #expect(sample.offsetNanoseconds == base - 5_000 * millisecond)
    #expect(sample.delayNanoseconds == 4 * millisecond)
    // 10 ms / 2 + 3 ms + 2^-20 s, each rounded up to the wire's resolution of 15 µs.
    let error = sample.remoteErrorNanoseconds
    #expect((8_000_000 + 953...8_000_000 + 953 + 32_000).contains(error))
    #expect(sample.claim == nil)
  }

  @Test func `a request tells nothing but its number`() throws {
    let packet = exchange.request
    #expect(packet.mode == .client && packet.version == 4)
    var expected = [UInt8](repeating: 0, count: 48)
    expected[0] = 0x23
    expected.replaceSubrange(40..<48, with: [0xfe, 0xed, 0xbe, 0xef, 0xde, 0xad, 0x00, 0x01])
    #expect(packet.datagram == expected)
  }

  // RFC 5905 §8: the origin must be the last transmit time, else the packet is bogus.
  @Test func `an answer to another request is refused, a kiss-o'-death too`() throws {
    let forged = try response { $0.origin = NTPTimestamp(rawValue: 0xfeed_beef_dead_0002) }
    #expect(throws: NTPRefusal.originMismatch) { try accept(forged) }
    let kiss = try response(stratum: 0) {
      $0.origin = .zero
      $0.referenceID = 0x4445_4e59
    }
    #expect(throws: NTPRefusal.originMismatch) { try accept(kiss) }
  }

  // RFC 5905 §7.4.
  @Test(arguments: [
    (0x5241_5445 as UInt32, KissCode.rate), (0x4445_4e59, .deny), (0x5253_5452, .restrict),
    (0x4352_5950, .other(0x4352_5950)),
  ])
  func `a kiss-o'-death is an answer of its own`(id: UInt32, code: KissCode) throws {
    let kiss = try response(stratum: 0) {
      $0.referenceID = id
      $0.leap = code == .other(id) ? .none : .unsynchronized
    }
    #expect(try accept(kiss) == .kissOfDeath(code))
  }

  @Test func `a server without time is refused`() throws {
    for datagram in [
      try response(stratum: 0), try response(stratum: 16),
      try response(leap: .unsynchronized),
      try response { $0.stratum = 16 },
      try response(stratum: 0) { $0.referenceID = 0x494e_4954 },
    ] {
      #expect(throws: NTPRefusal.unsynchronized) { try accept(datagram) }
    }
  }

  @Test func `other malformed answers are refused by name`() throws {
    #expect(throws: NTPRefusal.wrongMode(.client)) {
      try accept(try response { $0.mode = .client })
    }
    #expect(throws: NTPRefusal.wrongVersion(2)) { try accept(try response { $0.version = 2 }) }
    #expect(throws: NTPRefusal.missingTimestamp) { try accept(try response { $0.receive = .zero }) }
    #expect(throws: NTPRefusal.missingTimestamp) {
      try accept(try response { $0.transmit = .zero })
    }
    #expect(throws: NTPRefusal.rootDistanceTooLong) {
      try accept(try response { $0.rootDispersion = NTPShort(rawValue: 17 << 16) })
    }
    #expect(throws: NTPRefusal.malformed(.truncated(offset: 0))) { try accept([]) }
    #expect(throws: NTPRefusal.sample(.transmittedBeforeReceived)) {
      try accept(try response { swap(&$0.receive, &$0.transmit) })
    }
  }

  @Test func `only client requests are answered`() {
    var request = NTPPacket.makeClientRequest(transmit: NTPTimestamp(rawValue: 7))
    let state = NTPPacket.ServerState(
      stratum: 3, rootDelayNanoseconds: 0, rootDispersionNanoseconds: 0, referenceID: 0,
      referenceTimeNanoseconds: base)
    func answer() -> NTPPacket? {
      NTPPacket.makeServerResponse(
        to: request, receiveNanoseconds: base, transmitNanoseconds: base, state: state)
    }
    request.version = 3
    request.poll = 10
    #expect(answer()?.version == 3 && answer()?.poll == 10 && answer()?.origin.rawValue == 7)
    request.mode = .server
    #expect(answer() == nil)
    request.mode = .client
    request.version = 1
    #expect(answer() == nil)
  }

  @Test func `a peer's answer survives its encoding and nonsense does not`() throws {
    let claim = PeerClockClaim(
      correctionNanoseconds: -2_000 * millisecond, boundNanoseconds: 12_345,
      status: .synchronized, reference: .external, isDirect: true)
    let answer = PeerClockAnswer(
      nonce: exchange.nonce, receiveNanoseconds: base, transmitNanoseconds: base + 7, claim: claim)
    var writer = ByteWriter()
    answer.encode(into: &writer)
    #expect(writer.count <= PeerClockAnswer.encodedByteCountMax)
    func decode(_ bytes: [UInt8]) throws -> PeerClockAnswer {
      var reader = ByteReader(0..<bytes.count)
      return try PeerClockAnswer(from: &reader, in: bytes.span.bytes)
    }
    #expect(try decode(writer.bytes) == answer)
    for count in 0..<writer.count {
      #expect(throws: DecodeError.self) { try decode(Array(writer.bytes.prefix(count))) }
    }
    var bad = writer.bytes
    bad[24] = 0xff
    #expect(throws: DecodeError.self) { try decode(bad) }
    bad = writer.bytes
    bad[15] = 0x7f
    #expect(throws: DecodeError.self) { try decode(bad) }
    let other = ClockExchange(source: .peer(NodeID(2)), nonce: 9, sentMonotonicNanoseconds: 0)
    #expect(throws: NTPRefusal.originMismatch) {
      try other.accept(answer, monotonicNanoseconds: 10, rawNanoseconds: base)
    }
  }
}

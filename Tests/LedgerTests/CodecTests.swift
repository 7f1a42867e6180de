import Bytes
import HybridTime
import Ledger
import Testing

@Suite struct CodecTests {
  /// Every record of the bytes as events, or the first error.
  private func decode(_ bytes: [UInt8]) throws -> [Event] {
    var cursor = RecordCursor(bytes.span.bytes)
    var events: [Event] = []
    while let record = try cursor.next(in: bytes.span.bytes) {
      events.append(try Event(record, in: bytes.span.bytes))
    }
    return events
  }

  @Test func `events come back from their records as they were`() throws {
    var generator = SeededGenerator(seed: 31)
    let events = try (0..<500).map { _ in try randomEvent(&generator) }
    #expect(try decode(records(events)) == events, "seed 31")
  }

  @Test func `accepted bytes are exactly what the encoder writes, whatever is mutated`() throws {
    let seed: UInt64 = 32
    var generator = SeededGenerator(seed: seed)
    var acceptedCount = 0
    for round in 0..<20_000 {
      let original = records([try randomEvent(&generator)])
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
        default: if bytes.count > 1 { bytes.remove(at: place) }
        }
      }
      if Bool.random(using: &generator), bytes.count >= 2 {
        bytes[0] = UInt8(truncatingIfNeeded: bytes.count - 2)
        bytes[1] = UInt8(truncatingIfNeeded: (bytes.count - 2) >> 8)
      }
      guard let events = try? decode(bytes) else { continue }
      acceptedCount += 1
      #expect(records(events) == bytes, "seed \(seed), round \(round)")
    }
    #expect(acceptedCount > 1_000, "most mutations were refused: the test tests nothing")
  }

  @Test func `a record cut anywhere is refused`() throws {
    var generator = SeededGenerator(seed: 33)
    for _ in 0..<50 {
      let bytes = records([try randomEvent(&generator)])
      for length in 1..<bytes.count {
        #expect(throws: DecodeError.self) { try decode(Array(bytes[..<length])) }
        // The same with a length field that agrees: the body itself must notice.
        var patched = Array(bytes[..<length])
        guard length > 2 else { continue }
        patched[0] = UInt8(truncatingIfNeeded: length - 2)
        patched[1] = UInt8(truncatingIfNeeded: (length - 2) >> 8)
        #expect(throws: DecodeError.self) { try decode(patched) }
      }
    }
  }

  @Test func `a record can be as large as its fields allow and no larger`() throws {
    let wide = String(repeating: "🙂", count: 99)
    let payment = try draft(
      String(repeating: "x", count: 100), "1000000", wide + "a", wide + "b",
      reference: String(repeating: "🙂", count: 200))
    let source = ClockSourceReport(
      kind: .server, id: .max, offsetNanoseconds: .min, errorNanoseconds: .max,
      delayNanoseconds: .max, verdict: .stale)
    let report = ClockReport(
      stamp: stamp(), driftPartsPerBillion: .min,
      sources: Array(repeating: source, count: ClockReport.sourceCountMax))
    let events = [
      Event.payment(Payment(draft: payment, stamp: stamp())), .clockReport(report),
    ]
    for event in events { #expect(records([event]).count <= Record.byteCountMax) }
    #expect(try decode(records(events)) == events)
    #expect(throws: DecodeError.self) {
      try decode([0xff, 0x0f] + [UInt8](repeating: 3, count: 4095))
    }
    #expect(throws: DecodeError.self) { try decode([0, 0]) }
  }

  @Test func `a compact id written as text is refused`() throws {
    let compact = TransactionID(high: 1, low: 2).text
    let text = String(compact.dropLast()) + "u"
    var bytes = records([
      .payment(Payment(draft: try draft(text, "1", "a", "b"), stamp: stamp()))
    ])
    let events = try decode(bytes)
    #expect(events.count == 1)
    let place = try #require(bytes.lastIndex(of: UInt8(ascii: "u")))
    bytes[place] = UInt8(ascii: "V")
    #expect(throws: DecodeError.self) { try decode(bytes) }
  }

  @Test func `a view gives the same payment without copying`() throws {
    let payment = try draft("order-1", "12.34", "alice", "bob", "EUR", reference: "rent")
    let bytes = records([payment])
    var cursor = RecordCursor(bytes.span.bytes)
    let record = try #require(try cursor.next(in: bytes.span.bytes))
    let view = try PaymentView(record.body, in: bytes.span.bytes)
    #expect(view.amountMinorUnits == 1234)
    #expect(view.currency.code == "EUR")
    #expect(bytes[view.sender] == Array("alice".utf8)[...])
    #expect(bytes[view.receiver] == Array("bob".utf8)[...])
    #expect(bytes[view.reference] == Array("rent".utf8)[...])
    #expect(view.draft(in: bytes.span.bytes) == payment)
    #expect(try record.stamp(in: bytes.span.bytes) == view.stamp)
    #expect(record.bytes == 0..<bytes.count)
  }

  @Test func `a typical payment is small`() throws {
    let id = TransactionID(unixMilliseconds: 1_727_123_456_789, randomHigh: 1, randomLow: 2)
    let bytes = records([try draft(id.text, "150.75", "alice", "bob")])
    #expect(bytes.count <= 64)
  }
}

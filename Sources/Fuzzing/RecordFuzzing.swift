import Bytes
import Evidence
import HybridTime
import Ledger

/// A batch's records, by every decoder that there is.
enum RecordFuzzing {
  /// Reads the records as they are, and with lengths that fit.
  static func run(_ bytes: [UInt8]) {
    check(bytes)
    let fitted = withFittingLengths(bytes)
    if fitted != bytes { check(fitted) }
  }

  private static func check(_ bytes: [UInt8]) {
    let span = bytes.span.bytes
    var cursor = RecordCursor(span)
    var events: [Event] = []
    var count = 0
    var isCanonical = true
    var end = 0
    while let record = try? cursor.next(in: span) {
      precondition(record.bytes.lowerBound == end, "records lie next to each other")
      end = record.bytes.upperBound
      count += 1
      if let event = decode(record, bytes) { events.append(event) } else { isCanonical = false }
    }
    let isWalked = end == bytes.count
    var tree = EventTree()
    if isWalked {
      precondition(tree.append(span, count: count), "the tree has the records of the cursor")
    } else {
      _ = tree.append(span, count: count + 1)
    }
    var ledger = LedgerState()
    let isApplied = apply(bytes, count, to: &ledger)
    precondition(
      isApplied == (isWalked && isCanonical), "the ledger takes what the decoders take, no more")
    if isApplied { checkLedger(ledger, events) }
  }

  /// One record through the decoder of its kind, and back.
  private static func decode(_ record: Record, _ bytes: [UInt8]) -> Event? {
    let span = bytes.span.bytes
    guard let event = try? Event(record, in: span) else { return nil }
    var writer = ByteWriter()
    event.encode(into: &writer)
    precondition(writer.bytes[...] == bytes[record.bytes], "an event has one encoding")
    precondition(writer.count <= Record.byteCountMax, "a record has a limit")
    precondition((try? record.stamp(in: span)) == event.stamp, "a stamp alone is the event's stamp")
    if case .payment(let payment) = event {
      guard let view = try? PaymentView(record.body, in: span) else {
        preconditionFailure("a payment is one in place too")
      }
      precondition(view.draft(in: span) == payment.draft, "both readers give the same payment")
      checkID(payment.draft.id)
    }
    return event
  }

  private static func checkID(_ id: TransactionID) {
    let text = id.bytes
    guard let again = try? TransactionID(validating: text.span.bytes) else {
      preconditionFailure("an id's text is an id")
    }
    precondition(again == id, "one text has one form")
  }

  private static func apply(
    _ bytes: [UInt8], _ count: Int, to ledger: inout LedgerState
  ) -> Bool {
    var outcomes: [Outcome] = []
    do throws(LedgerError) {
      try ledger.apply(
        firstSequence: EventSequence(1), count: UInt64(count), records: bytes.span.bytes,
        batchHash: .zero, outcomes: &outcomes)
    } catch {
      return false
    }
    precondition(outcomes.count == count, "every event has an outcome")
    return true
  }

  /// What the events say of the cluster survives a snapshot.
  private static func checkLedger(_ ledger: borrowing LedgerState, _ events: [Event]) {
    var facts = ClusterFacts()
    for event in events { facts.take(event) }
    precondition(facts == ledger.cluster, "the ledger takes over what events say of the cluster")
    var writer = ByteWriter()
    facts.encode(into: &writer)
    guard let again = try? ClusterFacts(decoding: writer.bytes.span.bytes) else {
      preconditionFailure("what was written of the cluster can be read")
    }
    precondition(again == facts, "what is known of the cluster comes back")
  }

  /// The records, each cut off at what its length can be.
  private static func withFittingLengths(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var offset = 0
    while offset + 3 <= bytes.count {
      let room = min(bytes.count - offset, Record.byteCountMax) - 2
      var length = Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
      if length < 1 || length > room {
        length = room
        bytes[offset] = UInt8(truncatingIfNeeded: length)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: length >> 8)
      }
      offset += 2 + length
    }
    return bytes
  }
}

/// Records of every kind, alone and together.
enum RecordSeeds {
  static var all: [[UInt8]] {
    let events = Samples.events
    let payments = Samples.records(Array(events[..<4]))
    return events.map { Samples.records([$0]) } + [
      Samples.records(events), payments + payments,
      payments + Samples.records([.payment(reused)]),
    ]
  }

  /// Another payment under the id of the first.
  private static var reused: Payment {
    Payment(draft: Samples.draft(amount: "7"), stamp: Samples.stamp(3))
  }
}

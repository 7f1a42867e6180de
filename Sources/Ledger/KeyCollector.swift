package import Bytes

/// Gathers what payments can be found by while they are applied: it costs less than reading them
/// again.
struct KeyCollector {
  /// Whether somebody wants to know.
  private(set) var isCollecting = false
  var keys = LookupKeys(SipHash(keyOf: .zero))
  /// The event from which events are counted.
  private var first: UInt64 = 0
  /// The stretch of the last event noted.
  private var stretch: UInt64 = 0
  /// What accounts are marked with that the stretch has seen; never twice the same.
  private(set) var mark: UInt32 = 0

  mutating func start(from first: EventSequence, under hash: SipHash) {
    isCollecting = true
    keys = LookupKeys(hash)
    self.first = first.rawValue
    stretch = Self.stretch(first)
    mark += 1
  }

  mutating func stop() -> LookupKeys? {
    guard isCollecting else { return nil }
    isCollecting = false
    let collected = keys
    keys = LookupKeys(SipHash(keyOf: .zero))
    return collected
  }

  /// The event's number in the run, after seeing to the marks.
  @inline(__always)
  mutating func begin(_ sequence: EventSequence) -> UInt32 {
    let stretch = Self.stretch(sequence)
    if stretch != self.stretch {
      self.stretch = stretch
      mark += 1
    }
    return number(sequence)
  }

  @inline(__always)
  func number(_ sequence: EventSequence) -> UInt32 {
    UInt32(truncatingIfNeeded: sequence.rawValue &- first)
  }

  @inline(__always)
  private static func stretch(_ sequence: EventSequence) -> UInt64 {
    (sequence.rawValue &- 1) >> LookupKeys.nameStretchShift
  }
}

extension LedgerState {
  /// From now on, gathers what the payments applied can be found by, counted from `first`, the next
  /// event; or, with ``collectKeys(of:from:)``, one that has been applied.
  package mutating func collectKeys(from first: EventSequence, under hash: SipHash) {
    collector.start(from: first, under: hash)
  }

  /// Gathers the keys of records that were applied before, the first of them at `sequence`.
  ///
  /// Does nothing while none are gathered.
  package mutating func collectKeys(
    of records: borrowing RawSpan, from sequence: EventSequence
  ) throws(LedgerError) {
    guard collector.isCollecting else { return }
    guard collector.keys.appendPayments(of: records, from: collector.number(sequence)) else {
      throw .damagedRecord(sequence: sequence, error: .invalidField("record", offset: 0))
    }
  }

  /// What has been gathered since ``collectKeys(from:under:)``, once; nil where nothing was.
  package mutating func takeKeys() -> LookupKeys? { collector.stop() }
}

extension LookupKeys {
  /// Notes the payments among `records`, the first of which is event `event`; false where they
  /// cannot be read.
  package mutating func appendPayments(
    of records: borrowing RawSpan, from event: UInt32
  ) -> Bool {
    var cursor = RecordCursor(records)
    var event = event
    do throws(DecodeError) {
      while let record = try cursor.next(in: records) {
        if record.kind == .payment {
          let payment = try PaymentView(record.body, in: records)
          noteID(hash.id(of: payment, in: records), event: event)
          noteName(payment.sender, in: records, event: event)
          noteName(payment.receiver, in: records, event: event)
        }
        event &+= 1
      }
      return true
    } catch {
      return false
    }
  }

  @inline(__always)
  mutating func noteName(_ name: Range<Int>, in records: borrowing RawSpan, event: UInt32) {
    noteName(hash.hash(name, in: records), event: event)
  }
}

extension SipHash {
  /// The hash of a payment's id.
  @inline(__always)
  func id(of payment: borrowing PaymentView, in records: borrowing RawSpan) -> UInt64 {
    payment.idText.isEmpty
      ? hash(bigEndian: payment.idHigh, payment.idLow) : hash(payment.idText, in: records)
  }
}

extension TransactionID {
  /// The bytes under the hash by which an index of the log finds the id: the 16 of a compact one, as
  /// in its record, or else its text.
  package var indexedBytes: [UInt8] {
    switch form {
    case .text(let text): return text
    case .compact(let high, let low):
      var writer = ByteWriter(capacity: 16)
      writer.integer(high.byteSwapped)
      writer.integer(low.byteSwapped)
      return writer.bytes
    }
  }
}

extension RecordKeys {
  /// The keys of payments among events.
  package static let payments = RecordKeys { records, event, keys in
    keys.appendPayments(of: records, from: event)
  }
}

import Bytes
import HybridTime
import Ledger

/// Forwarded records, checked: each one canonical, and as many as were said.
struct ForwardedRecords {
  struct Record {
    let range: Range<Int>
    let stamp: Stamp
    /// Of a payment.
    let id: TransactionID?
  }

  private(set) var records: [Record] = []
  /// Least and greatest hybrid time.
  private(set) var hybridFirst: HybridTimestamp
  private(set) var hybridLast: HybridTimestamp = .zero

  init(_ events: ForwardedEvents) throws(DecodeError) {
    try self.init(records: events.records, count: events.count)
  }

  init(records bytes: [UInt8], count: Int) throws(DecodeError) {
    hybridFirst = HybridTimestamp(wallNanoseconds: .max, logical: .max)
    records.reserveCapacity(count)
    let span = bytes.span.bytes
    var cursor = RecordCursor(span)
    while let record = try cursor.next(in: span) {
      let stamp: Stamp
      var id: TransactionID?
      switch record.kind {
      case .payment:
        let payment = try PaymentView(record.body, in: span)
        stamp = payment.stamp
        id = payment.id(in: span)
      case .clockReport, .beacon, nil: stamp = try Event(record, in: span).stamp
      case .membership, .policy, .leadership:
        // Only a leader writes these, and each into a batch of its own.
        throw .invalidField("forward.kind", offset: record.bytes.lowerBound)
      case .clockMeasurement, .logProgress, .occurrence:
        // For a node's own journal.
        throw .invalidField("forward.kind", offset: record.bytes.lowerBound)
      }
      records.append(Record(range: record.bytes, stamp: stamp, id: id))
      hybridFirst = min(hybridFirst, stamp.hybrid)
      hybridLast = max(hybridLast, stamp.hybrid)
    }
    guard records.count == count else { throw .invalidField("forward.count", offset: 0) }
  }
}

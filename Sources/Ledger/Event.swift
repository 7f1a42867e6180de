public import Bytes
public import HybridTime

/// A payment with the stamp its ingress gave it.
public struct Payment: Hashable, Sendable {
  /// What was paid.
  public var draft: PaymentDraft
  /// When it was taken in, and where.
  public var stamp: Stamp

  /// A stamped payment.
  public init(draft: PaymentDraft, stamp: Stamp) {
    self.draft = draft
    self.stamp = stamp
  }
}

/// One event as a value of its own, for everything that is not a hot loop.
public enum Event: Hashable, Sendable {
  /// Money moves.
  case payment(Payment)
  /// What a node's clock saw.
  case clockReport(ClockReport)
  /// The stamp's node has, at the stamp's time, nothing earlier in flight.
  case beacon(Stamp)
  /// The members of the cluster change.
  case membership(MembershipChange)
  /// A rule for all nodes changes.
  case policy(PolicyChange)
  /// An operator asks for another leader.
  case leadership(LeadershipTransfer)
  /// One exchange with a clock source, in a journal.
  case clockMeasurement(ClockMeasurement)
  /// When a node's log went on, in a journal.
  case logProgress(LogProgress)
  /// What a node saw, in a journal.
  case occurrence(NodeOccurrence)

  /// The event's stamp.
  public var stamp: Stamp {
    switch self {
    case .payment(let payment): payment.stamp
    case .clockReport(let report): report.stamp
    case .beacon(let stamp): stamp
    case .membership(let change): change.stamp
    case .policy(let change): change.stamp
    case .leadership(let transfer): transfer.stamp
    case .clockMeasurement(let measurement): measurement.stamp
    case .logProgress(let progress): progress.stamp
    case .occurrence(let occurrence): occurrence.stamp
    }
  }

  /// Appends the event's record in its one canonical encoding.
  public func encode(into writer: inout ByteWriter) {
    switch self {
    case .payment(let payment): payment.draft.encode(stamp: payment.stamp, into: &writer)
    case .clockReport(let report): report.encode(into: &writer)
    case .beacon(let stamp): writer.record(.beacon) { stamp.encode(into: &$0) }
    case .membership(let change): change.encode(into: &writer)
    case .policy(let change): change.encode(into: &writer)
    case .leadership(let transfer): transfer.encode(into: &writer)
    case .clockMeasurement(let measurement): measurement.encode(into: &writer)
    case .logProgress(let progress): progress.encode(into: &writer)
    case .occurrence(let occurrence): occurrence.encode(into: &writer)
    }
  }

  /// Reads one record, and refuses what ``encode(into:)`` could not have written.
  public init(_ record: Record, in records: borrowing RawSpan) throws(DecodeError) {
    switch record.kind {
    case .payment:
      let view = try PaymentView(record.body, in: records)
      self = .payment(Payment(draft: view.draft(in: records), stamp: view.stamp))
    case .clockReport: self = .clockReport(try ClockReport(record.body, in: records))
    case .beacon: self = .beacon(try Event.beaconStamp(record.body, in: records))
    case .membership: self = .membership(try MembershipChange(record.body, in: records))
    case .policy: self = .policy(try PolicyChange(record.body, in: records))
    case .leadership: self = .leadership(try LeadershipTransfer(record.body, in: records))
    case .clockMeasurement:
      self = .clockMeasurement(try ClockMeasurement(record.body, in: records))
    case .logProgress: self = .logProgress(try LogProgress(record.body, in: records))
    case .occurrence: self = .occurrence(try NodeOccurrence(record.body, in: records))
    case nil: throw .invalidField("record.kind", offset: record.body.lowerBound - 1)
    }
  }

  /// Reads a beacon's body, which must fill `body`.
  static func beaconStamp(
    _ body: Range<Int>, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> Stamp {
    var reader = ByteReader(body)
    let stamp = try Stamp(from: &reader, in: bytes)
    guard reader.isAtEnd else { throw .invalidField("beacon.end", offset: reader.offset) }
    return stamp
  }
}

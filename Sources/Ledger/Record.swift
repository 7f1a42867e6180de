public import Bytes
public import HybridTime

/// What a record in a batch is. The number 4 (account) is kept for later; a reader that meets a
/// number it does not know must stop, not guess.
public enum EventKind: UInt8, Sendable, CaseIterable {
  /// Money moves from one account to another.
  case payment = 1
  /// What a node's clock synchronization saw.
  case clockReport = 2
  /// A node says that it has nothing earlier in flight.
  case beacon = 3
  /// The members of the cluster change (``MembershipChange``).
  case membership = 5
  /// A rule for all nodes changes (``PolicyChange``).
  case policy = 6
  /// An operator asks for another leader (``LeadershipTransfer``).
  case leadership = 7
  /// One exchange with a clock source (``ClockMeasurement``); in journals only.
  case clockMeasurement = 8
  /// When a node's batches arrived, became durable and so on (``LogProgress``); in journals only.
  case logProgress = 9
  /// What a node saw (``NodeOccurrence``); in journals only.
  case occurrence = 10

  /// Whether it stands in journals only, never in the replicated log.
  public var isForJournals: Bool { rawValue >= Self.clockMeasurement.rawValue }
}

/// Where one record lies in a batch's records.
///
/// | field | form |
/// | --- | --- |
/// | length | u16 little-endian: bytes that follow |
/// | kind | u8, ``EventKind`` |
/// | body | the rest |
public struct Record: Hashable, Sendable {
  /// Most bytes of a record, its length field included.
  public static let byteCountMax = 4096
  /// Bytes before the body: length and kind.
  public static let headerByteCount = 3

  /// The kind's number, which may be one that this version does not know.
  public let kindNumber: UInt8
  /// The body, from the start of the records.
  public let body: Range<Int>

  /// A record from its parts.
  @inlinable public init(kindNumber: UInt8, body: Range<Int>) {
    self.kindNumber = kindNumber
    self.body = body
  }

  /// The kind, or nil where a newer version wrote it.
  @inlinable public var kind: EventKind? { EventKind(rawValue: kindNumber) }

  /// The whole record with its length field.
  @inlinable public var bytes: Range<Int> {
    body.lowerBound - Self.headerByteCount..<body.upperBound
  }

  /// The stamp alone, without reading the rest. Every known kind has one near its start.
  public func stamp(in bytes: borrowing RawSpan) throws(DecodeError) -> Stamp {
    var reader = ByteReader(body)
    guard let kind else { throw .invalidField("record.kind", offset: body.lowerBound - 1) }
    if kind == .payment { _ = try reader.skip(1) }
    return try Stamp(from: &reader, in: bytes)
  }
}

/// Walks over a batch's records without copying.
///
/// Like ``Bytes/ByteReader``, it is passed the same span at each call.
public struct RecordCursor: Sendable {
  @usableFromInline var reader: ByteReader

  /// A cursor at the start of `records`.
  @inlinable public init(_ records: borrowing RawSpan) { reader = ByteReader(records) }

  /// Where the next record begins.
  @inlinable public var offset: Int { reader.offset }

  /// The next record, or nil at the end. Its body has not been looked at.
  @inlinable public mutating func next(
    in records: borrowing RawSpan
  ) throws(DecodeError) -> Record? {
    if reader.isAtEnd { return nil }
    let start = reader.offset
    let length = Int(try reader.integer(UInt16.self, in: records))
    guard length >= 1, length <= Record.byteCountMax - 2 else {
      throw .invalidField("record.length", offset: start)
    }
    let kind = try reader.integer(UInt8.self, in: records)
    return Record(kindNumber: kind, body: try reader.skip(length - 1))
  }
}

extension ByteWriter {
  /// Appends a record: its header, what `body` writes, and then the length.
  mutating func record(_ kind: EventKind, _ body: (inout ByteWriter) -> Void) {
    let start = count
    integer(UInt16(0))
    integer(kind.rawValue)
    body(&self)
    let byteCount = count - start
    precondition(byteCount <= Record.byteCountMax, "a record outgrew its limit")
    patch(UInt16(byteCount - 2), at: start)
  }
}

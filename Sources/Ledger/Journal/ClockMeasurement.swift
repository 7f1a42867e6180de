public import Bytes
public import HybridTime

/// One exchange with a clock source as it came: the raw material of a node's corrected time. Nodes keep
/// these in their journals; the replicated log has none of them.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp`: when the answer came in, by the node's own clock |
/// | monotonic | varint, nanoseconds |
/// | kind | u8, ``ClockSourceKind`` |
/// | id | varint |
/// | offset | zigzag varint, nanoseconds |
/// | delay | varint, nanoseconds |
/// | error | varint, nanoseconds |
/// | stratum | u8 |
public struct ClockMeasurement: Hashable, Sendable {
  /// Which node, and when the answer came in.
  public var stamp: Stamp
  /// The node's monotonic clock when the answer came in, nanoseconds since some start.
  public var monotonicNanoseconds: Int64
  /// Peer, server or kernel.
  public var kind: ClockSourceKind
  /// Node number or place in the configuration.
  public var id: UInt32
  /// source − this node's raw clock, nanoseconds: right within ± (delay / 2 + error).
  public var offsetNanoseconds: Int64
  /// Round trip, nanoseconds, never negative.
  public var delayNanoseconds: Int64
  /// How far the source says that it may be off itself, and what the clocks may have parted while the exchange
  /// took its time; nanoseconds, never negative.
  public var errorNanoseconds: Int64
  /// Hops of the source from a reference clock; 0 where it does not say.
  public var stratum: UInt8

  /// A measurement from its fields.
  public init(
    stamp: Stamp, monotonicNanoseconds: Int64, kind: ClockSourceKind, id: UInt32,
    offsetNanoseconds: Int64, delayNanoseconds: Int64, errorNanoseconds: Int64, stratum: UInt8
  ) {
    self.stamp = stamp
    self.monotonicNanoseconds = monotonicNanoseconds
    self.kind = kind
    self.id = id
    self.offsetNanoseconds = offsetNanoseconds
    self.delayNanoseconds = delayNanoseconds
    self.errorNanoseconds = errorNanoseconds
    self.stratum = stratum
  }

  /// Appends the measurement's record.
  public func encode(into writer: inout ByteWriter) {
    precondition(delayNanoseconds >= 0 && errorNanoseconds >= 0)
    writer.record(.clockMeasurement) { writer in
      stamp.encode(into: &writer)
      writer.varint(UInt64(bitPattern: monotonicNanoseconds))
      writer.integer(kind.rawValue)
      writer.varint(UInt64(id))
      writer.signedVarint(offsetNanoseconds)
      writer.varint(UInt64(delayNanoseconds))
      writer.varint(UInt64(errorNanoseconds))
      writer.integer(stratum)
    }
  }

  /// Reads a measurement's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    stamp = try Stamp(from: &reader, in: bytes)
    monotonicNanoseconds = Int64(bitPattern: try reader.varint(in: bytes))
    let kindOffset = reader.offset
    guard let kind = ClockSourceKind(rawValue: try reader.integer(UInt8.self, in: bytes)) else {
      throw .invalidField("measurement.kind", offset: kindOffset)
    }
    self.kind = kind
    let start = reader.offset
    let id = try reader.varint(in: bytes)
    offsetNanoseconds = try reader.signedVarint(in: bytes)
    let delay = try reader.varint(in: bytes)
    let error = try reader.varint(in: bytes)
    guard id <= UInt64(UInt32.max), delay <= UInt64(Int64.max), error <= UInt64(Int64.max) else {
      throw .invalidField("measurement", offset: start)
    }
    self.id = UInt32(truncatingIfNeeded: id)
    delayNanoseconds = Int64(bitPattern: delay)
    errorNanoseconds = Int64(bitPattern: error)
    stratum = try reader.integer(UInt8.self, in: bytes)
    guard reader.isAtEnd else { throw .invalidField("measurement.end", offset: reader.offset) }
  }
}

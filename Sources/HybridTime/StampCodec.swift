public import Bytes

extension Stamp {
  /// Most bytes that ``encode(into:)`` writes.
  public static let encodedByteCountMax = 1 + 3 + 5 + 8 + 10 + 10 + 10 + 5

  /// Appends the canonical encoding: one stamp has one.
  ///
  /// | field | form |
  /// | --- | --- |
  /// | clock | u8: status in bits 0–1, reference in bits 2–3, the rest zero |
  /// | node | varint |
  /// | epoch | varint |
  /// | raw | i64 little-endian, nanoseconds since 1970 |
  /// | correction | zigzag varint, nanoseconds |
  /// | bound | varint, nanoseconds |
  /// | HLC wall − corrected | zigzag varint, nanoseconds |
  /// | HLC logical | varint |
  @inlinable public func encode(into writer: inout ByteWriter) {
    writer.integer(reading.status.rawValue | reading.reference.rawValue << 2)
    writer.varint(UInt64(node.rawValue))
    writer.varint(UInt64(reading.epoch))
    writer.integer(reading.rawNanoseconds)
    writer.signedVarint(reading.correctionNanoseconds)
    writer.varint(UInt64(bitPattern: reading.boundNanoseconds))
    writer.signedVarint(hybrid.wallNanoseconds &- reading.correctedNanoseconds)
    writer.varint(UInt64(hybrid.logical))
  }

  /// Reads what ``encode(into:)`` wrote, and refuses what it could not have written.
  @inlinable public init(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) {
    let start = reader.offset
    let clock = try reader.integer(UInt8.self, in: bytes)
    guard clock < 16, let status = ClockStatus(rawValue: clock & 3),
      let reference = ClockReference(rawValue: clock >> 2)
    else { throw .invalidField("stamp.clock", offset: start) }
    let node = try reader.varint(in: bytes)
    guard node <= UInt64(NodeID.countMax) else {
      throw .invalidField("stamp.node", offset: start)
    }
    let epoch = try reader.varint(in: bytes)
    let raw = try reader.integer(Int64.self, in: bytes)
    let correction = try reader.signedVarint(in: bytes)
    let bound = try reader.varint(in: bytes)
    let wallAhead = try reader.signedVarint(in: bytes)
    let logical = try reader.varint(in: bytes)
    guard epoch <= UInt64(UInt32.max), bound <= UInt64(Int64.max),
      logical <= UInt64(UInt32.max)
    else { throw .invalidField("stamp", offset: start) }
    reading = ClockReading(
      rawNanoseconds: raw, correctionNanoseconds: correction,
      boundNanoseconds: Int64(bitPattern: bound), epoch: UInt32(truncatingIfNeeded: epoch),
      status: status, reference: reference)
    hybrid = HybridTimestamp(
      wallNanoseconds: raw &+ correction &+ wallAhead,
      logical: UInt32(truncatingIfNeeded: logical))
    self.node = NodeID(UInt16(truncatingIfNeeded: node))
  }
}

public import Bytes
public import HybridTime

/// A rule that holds from here on.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp`, of the leader |
/// | key | u16, ``PolicyKey`` |
/// | value | zigzag varint, within the key's range |
public struct PolicyChange: Hashable, Sendable {
  /// The leader that wrote it, and when.
  public var stamp: Stamp
  /// Which rule.
  public var key: PolicyKey
  /// What it is now.
  public var value: Int64

  /// A change from its parts.
  public init(stamp: Stamp, key: PolicyKey, value: Int64) {
    self.stamp = stamp
    self.key = key
    self.value = value
  }

  /// Appends the event's record. Precondition: `value` is within the key's range.
  public func encode(into writer: inout ByteWriter) {
    precondition(key.range.contains(value), "a policy is checked before it is written")
    writer.record(.policy) { writer in
      stamp.encode(into: &writer)
      writer.integer(key.rawValue)
      writer.signedVarint(value)
    }
  }

  /// Reads the event's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    stamp = try Stamp(from: &reader, in: bytes)
    let start = reader.offset
    guard let key = PolicyKey(rawValue: try reader.integer(UInt16.self, in: bytes)) else {
      throw .invalidField("policy.key", offset: start)
    }
    self.key = key
    value = try reader.signedVarint(in: bytes)
    guard reader.isAtEnd, key.range.contains(value) else {
      throw .invalidField("policy.value", offset: start)
    }
  }
}

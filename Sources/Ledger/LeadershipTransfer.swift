public import Bytes
public import HybridTime

/// An operator asked the leader to hand over.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp`, of the leader |
/// | target | u16 node number, 0: whoever has the longest log |
public struct LeadershipTransfer: Hashable, Sendable {
  /// The leader that was asked, and when.
  public var stamp: Stamp
  /// Who shall lead, or nil: whoever has the longest log.
  public var target: NodeID?

  /// A request from its parts.
  public init(stamp: Stamp, target: NodeID?) {
    self.stamp = stamp
    self.target = target
  }

  /// Appends the event's record.
  public func encode(into writer: inout ByteWriter) {
    precondition(target != NodeID(0), "no node has the number 0")
    writer.record(.leadership) { writer in
      stamp.encode(into: &writer)
      writer.integer(target?.rawValue ?? 0)
    }
  }

  /// Reads the event's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    stamp = try Stamp(from: &reader, in: bytes)
    let number = try reader.integer(UInt16.self, in: bytes)
    target = number == 0 ? nil : NodeID(number)
    guard reader.isAtEnd else { throw .invalidField("leadership.end", offset: reader.offset) }
  }
}

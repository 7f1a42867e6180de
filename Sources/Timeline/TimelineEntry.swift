public import Bytes
public import HybridTime

/// What ``Reorderer`` and ``KWayMerge`` carry: something small with a time and a total order.
///
/// The order refines the time: an earlier time always comes first, and two different events never
/// compare as equal. That makes every merge of the same events the same list.
public protocol TimelineElement: Comparable, Sendable {
  /// The time it is ordered by, nanoseconds. Watermarks speak about this number.
  var timeNanoseconds: Int64 { get }

  /// Whether both are copies of one event.
  func isSameEvent(as other: Self) -> Bool
}

/// Where an event stands in a timeline: its time, then HLC, node and sequence where times are equal.
public struct TimelineKey: Hashable, Comparable, Sendable {
  /// The time the reader chose to order by (corrected, raw, HLC wall, or the sequence itself).
  public var timeNanoseconds: Int64
  /// The event's hybrid time.
  public var hybrid: HybridTimestamp
  /// The event's number in the log.
  public var sequence: EventSequence
  /// The node that took it in.
  public var node: NodeID

  /// A key from its parts.
  @inlinable public init(
    timeNanoseconds: Int64, hybrid: HybridTimestamp, node: NodeID, sequence: EventSequence
  ) {
    self.timeNanoseconds = timeNanoseconds
    self.hybrid = hybrid
    self.node = node
    self.sequence = sequence
  }

  /// Time, then HLC, node, sequence.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    if left.timeNanoseconds != right.timeNanoseconds {
      return left.timeNanoseconds < right.timeNanoseconds
    }
    if left.hybrid != right.hybrid { return left.hybrid < right.hybrid }
    if left.node != right.node { return left.node < right.node }
    return left.sequence < right.sequence
  }
}

/// A key with what the caller needs to find the event again.
public struct TimelineEntry<Payload: BitwiseCopyable & Sendable>: TimelineElement {
  /// Where it stands.
  public var key: TimelineKey
  /// The caller's own mark; no part of the order.
  public var payload: Payload

  /// An entry from its parts.
  @inlinable public init(key: TimelineKey, payload: Payload) {
    self.key = key
    self.payload = payload
  }

  /// The key's time.
  @inlinable public var timeNanoseconds: Int64 { key.timeNanoseconds }

  /// Whether the keys are equal: one event has one key on every node.
  @inlinable public func isSameEvent(as other: Self) -> Bool { key == other.key }

  /// By key alone.
  @inlinable public static func == (left: Self, right: Self) -> Bool { left.key == right.key }

  /// By key alone.
  @inlinable public static func < (left: Self, right: Self) -> Bool { left.key < right.key }
}

/// Why an event could not be put in its place: others after it had already been given out.
public enum Lateness: Hashable, Sendable {
  /// It is older than the newest one seen from its source by more than the window.
  case behindWindow(nanoseconds: Int64)
  /// Its source had promised that nothing so early would come.
  case behindWatermark(nanoseconds: Int64)
  /// The window held more events than its limit, and the oldest had to be given out early.
  case overflow(nanoseconds: Int64)

  /// How far it is behind, nanoseconds.
  public var nanoseconds: Int64 {
    switch self {
    case .behindWindow(let nanoseconds), .behindWatermark(let nanoseconds),
      .overflow(let nanoseconds):
      nanoseconds
    }
  }
}

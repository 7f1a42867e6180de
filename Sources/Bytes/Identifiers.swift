/// The number of a node in its cluster, from 1 to ``countMax``.
///
/// Configuration fixes it for the life of a node's data directory.
public struct NodeID: Hashable, Comparable, Sendable {
  /// Highest number a node can have: it must fit the stamp's field.
  public static let countMax: UInt16 = 1023

  /// The number itself.
  public let rawValue: UInt16

  /// Wraps `rawValue`; whether it is in the configured cluster is the caller's to check.
  @inlinable public init(_ rawValue: UInt16) { self.rawValue = rawValue }

  /// Orders by number.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// A Raft term: a logical clock of leaderships (Raft §5.1). 0 is before the first election.
public struct Term: Hashable, Comparable, Sendable {
  /// The number itself.
  public var rawValue: UInt64

  /// Wraps `rawValue`.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Before any election.
  @inlinable public static var zero: Term { Term(0) }

  /// The term after this one.
  @inlinable public var next: Term { Term(rawValue + 1) }

  /// Orders by number.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// The place of a batch in the Raft log, contiguous from 1. 0 is before the first batch.
public struct LogIndex: Hashable, Comparable, Sendable {
  /// The number itself.
  public var rawValue: UInt64

  /// Wraps `rawValue`.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Before the first batch.
  @inlinable public static var zero: LogIndex { LogIndex(0) }

  /// The place after this one.
  @inlinable public var next: LogIndex { LogIndex(rawValue + 1) }

  /// The place before this one.
  ///
  /// Precondition: not ``zero``.
  @inlinable public var previous: LogIndex { LogIndex(rawValue - 1) }

  /// Orders by number.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// The number of an event in the replicated log, contiguous from 1. 0 is before the first event.
public struct EventSequence: Hashable, Comparable, Sendable {
  /// The number itself.
  public var rawValue: UInt64

  /// Wraps `rawValue`.
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// Before the first event.
  @inlinable public static var zero: EventSequence { EventSequence(0) }

  /// The number after this one.
  @inlinable public var next: EventSequence { EventSequence(rawValue + 1) }

  /// Orders by number.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.rawValue < right.rawValue
  }
}

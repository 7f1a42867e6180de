/// What a run of payments can be found by: a hash of each one's id, and of the names in it.
///
/// Events are counted from the start of the run: `UInt32` is enough for a segment.
@frozen
public struct LookupKeys: Hashable, Sendable {
  /// What is hashed under.
  public let hash: SipHash
  /// A hash of each payment's id, in the order of the log.
  public var ids: [UInt64] = []
  /// The event that each of ``ids`` is of. Ascending.
  public var idEvents: [UInt32] = []
  /// Hashes of account names. A name may be missing where the same stretch of events has it before.
  public var names: [UInt64] = []
  /// The event that each of ``names`` is of. Ascending.
  public var nameEvents: [UInt32] = []

  /// How many events share a stretch at least, as a power of two, in the index of names: a name that
  /// is noted once for each 2^13 events, counted from the log's first, is noted often enough.
  public static let nameStretchShift: UInt64 = 13

  /// No payments.
  public init(_ hash: SipHash) { self.hash = hash }

  /// Notes the id of a payment.
  @inlinable
  @inline(__always)
  public mutating func noteID(_ hash: UInt64, event: UInt32) {
    ids.append(hash)
    idEvents.append(event)
  }

  /// Notes a name in a payment.
  @inlinable
  @inline(__always)
  public mutating func noteName(_ hash: UInt64, event: UInt32) {
    names.append(hash)
    nameEvents.append(event)
  }
}

/// How the keys of a log's records are read: by those who know what records are.
public struct RecordKeys: Sendable {
  /// Notes the keys of a batch's records, whose first event has this number; false where they are no
  /// records.
  public let read: @Sendable (borrowing RawSpan, UInt32, inout LookupKeys) -> Bool

  /// Keys that `read` notes.
  public init(
    _ read: @escaping @Sendable (borrowing RawSpan, UInt32, inout LookupKeys) -> Bool
  ) {
    self.read = read
  }

  /// Records by which nothing is ever looked up.
  public static let none = RecordKeys { _, _, _ in true }
}

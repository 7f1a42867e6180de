/// Whether a node's disk has room for more payments: pure, told now and then how much is free.
///
/// Payments are refused while there is still room for all that is under way, so that the log never
/// meets a full disk; and what others use the room for shows in time, too. Room must come back by
/// more than a little before that ends, or every file that is removed would end it for a moment.
package struct DiskRoom: Hashable, Sendable {
  /// What of the reserve the log itself does not use: with less, nothing more is written to it.
  private static let lastPartDivisor: UInt64 = 4
  /// What must be free above a limit, in parts of it, until it holds no longer.
  private static let marginDivisor: UInt64 = 8

  /// So many bytes are kept free; 0: the disk is not looked at.
  package let reserveByteCount: UInt64
  /// What was free last; nil before the first look.
  package private(set) var freeByteCount: UInt64?
  /// Whether payments are refused.
  package private(set) var isShort = false
  /// Whether nothing more is written to the log.
  package private(set) var isExhausted = false

  /// A disk that has not been looked at.
  package init(reserveByteCount: UInt64) { self.reserveByteCount = reserveByteCount }

  /// So many bytes are free.
  package mutating func look(freeByteCount: UInt64) {
    self.freeByteCount = freeByteCount
    isShort = Self.holds(isShort, freeByteCount, limit: reserveByteCount)
    isExhausted = Self.holds(
      isExhausted, freeByteCount, limit: reserveByteCount / Self.lastPartDivisor)
  }

  private static func holds(_ held: Bool, _ free: UInt64, limit: UInt64) -> Bool {
    free < limit || (held && free < limit + limit / marginDivisor)
  }
}

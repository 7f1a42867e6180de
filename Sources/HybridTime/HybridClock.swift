/// Why a hybrid time was not taken.
public enum HybridClockError: Error, Hashable, Sendable {
  /// A remote stamp is further ahead of this node's corrected time than the limit.
  case remoteAhead(nanoseconds: Int64, limitNanoseconds: Int64)
  /// This node's own last stamp is further ahead of its corrected time than the limit: its clock
  /// fell back. Stamping goes on when the clock has caught up.
  case localAhead(nanoseconds: Int64, limitNanoseconds: Int64)
}

/// The hybrid logical clock as a value (Kulkarni et al. 2014, figure 5), with a limit on how far
/// it may run ahead of corrected time.
///
/// Every stamp is greater than all stamps given or seen before, so it orders what messages order.
public struct HybridClock: Sendable {
  /// The greatest stamp given or seen.
  public private(set) var last: HybridTimestamp
  /// How far `last.wall` may be ahead of corrected time, nanoseconds.
  public let aheadNanosecondsMax: Int64

  /// A clock that goes on after `last`: the greatest stamp in the node's own log after a restart.
  public init(after last: HybridTimestamp = .zero, aheadNanosecondsMax: Int64) {
    self.last = last
    self.aheadNanosecondsMax = aheadNanosecondsMax
  }

  /// A stamp for an event here, at a corrected time.
  public mutating func tick(
    correctedNanoseconds: Int64
  ) throws(HybridClockError) -> HybridTimestamp {
    let ahead = last.wallNanoseconds &- correctedNanoseconds
    guard ahead <= aheadNanosecondsMax else {
      throw .localAhead(nanoseconds: ahead, limitNanoseconds: aheadNanosecondsMax)
    }
    return tickRegardless(correctedNanoseconds: correctedNanoseconds)
  }

  /// A stamp for an event that must not be refused, a batch or a report, however far ahead.
  public mutating func tickRegardless(correctedNanoseconds: Int64) -> HybridTimestamp {
    last =
      correctedNanoseconds > last.wallNanoseconds
      ? HybridTimestamp(wallNanoseconds: correctedNanoseconds, logical: 0) : successor(of: last)
    return last
  }

  /// Takes note of a stamp that came with a message, so that later ones here are greater.
  public mutating func observe(
    _ remote: HybridTimestamp, correctedNanoseconds: Int64
  ) throws(HybridClockError) {
    let ahead = remote.wallNanoseconds &- correctedNanoseconds
    guard ahead <= aheadNanosecondsMax else {
      throw .remoteAhead(nanoseconds: ahead, limitNanoseconds: aheadNanosecondsMax)
    }
    last = max(last, remote)
  }

  /// Takes note of a stamp that is in the agreed log: it is history, whatever its distance.
  public mutating func restore(_ agreed: HybridTimestamp) { last = max(last, agreed) }

  private func successor(of stamp: HybridTimestamp) -> HybridTimestamp {
    stamp.logical < .max
      ? HybridTimestamp(wallNanoseconds: stamp.wallNanoseconds, logical: stamp.logical + 1)
      : HybridTimestamp(wallNanoseconds: stamp.wallNanoseconds + 1, logical: 0)
  }
}

package import HybridTime

/// Stamps of one node that this one would not take, because they were too far ahead of its clock.
package struct StampRefusals: Hashable, Sendable {
  /// Events with such a stamp; one that is sent again counts again.
  package private(set) var count: UInt64 = 0
  /// How far ahead the farthest was, nanoseconds.
  package private(set) var aheadNanosecondsMax: Int64 = 0

  /// None.
  package init() {}

  /// Takes note of events that came together, and of how far ahead the last of them was.
  package mutating func take(_ eventCount: Int, _ error: HybridClockError) {
    count += UInt64(eventCount)
    switch error {
    case .remoteAhead(let nanoseconds, _), .localAhead(let nanoseconds, _):
      aheadNanosecondsMax = max(aheadNanosecondsMax, nanoseconds)
    }
  }
}

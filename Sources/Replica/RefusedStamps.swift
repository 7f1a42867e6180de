import DequeModule
import HybridTime

/// The stamps of events that this leader would not log: their clients were told so, and a copy of
/// the frame that comes later must not make that untrue.
///
/// HAZARD: the oldest are forgotten when there are many. A copy that comes so much later is logged,
/// and a payment is applied of which its client was told that it was not; it is still applied once.
struct RefusedStamps {
  /// How many are remembered.
  private static let countMax = 16_384

  private var reasons: [Stamp: ForwardRefusalReason] = [:]
  private var order: Deque<Stamp> = []

  /// Whether nothing was refused.
  var isEmpty: Bool { reasons.isEmpty }

  /// Why the event with this stamp was refused, or nil where it was not.
  subscript(stamp: Stamp) -> ForwardRefusalReason? { reasons[stamp] }

  mutating func insert(_ stamp: Stamp, _ reason: ForwardRefusalReason) {
    guard reasons.updateValue(reason, forKey: stamp) == nil else { return }
    order.append(stamp)
    if order.count > Self.countMax { reasons[order.removeFirst()] = nil }
  }
}

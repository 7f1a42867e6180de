import HybridTime

/// Where true time, or the cluster's, was about a stamp's corrected time, as far as can be told afterwards.
struct NarrowedBound: Hashable, Sendable {
  /// That time − corrected, nanoseconds: no less.
  var low: Int64
  /// No more.
  var high: Int64
  /// Whether it is true time, by time servers' answers, whatever the stamp knew then.
  var isExternal: Bool

  /// The most that corrected time was off, nanoseconds.
  var reach: Int64 { max(0 &- max(low, -.max), high, 0) }
}

/// A moment of a node at which time servers' answers, from before and after, tell where true time was.
struct KnownMoment: BitwiseCopyable, Sendable {
  /// Corrected time.
  var corrected: Int64
  var epoch: UInt32
  /// True time − corrected, nanoseconds: between both.
  var low: Int64
  var high: Int64
}

/// What nodes' clocks may do at most, by their settings; parts per billion.
package struct AuditedClockLimits: Hashable, Sendable {
  /// How fast corrected time may be led to a new estimate (`time.slew_ppm_max`).
  package var slewMax: Int64 = 500_000
  /// How wrong an oscillator may be (`time.frequency_error_ppm_max`).
  package var frequencyErrorMax: Int64 = 500_000
  /// How far its rate may move (`time.drift_allowance_ppm`).
  package var drift: Int64 = 15_000

  /// The nodes' defaults.
  package init() {}

  /// How fast corrected time may part from true time: while it is slewed, and while the rate that it runs at and
  /// the true one are at both ends of what is possible.
  var partingMax: Int64 { slewMax + 2 * frequencyErrorMax + drift }
}

/// Bounds narrowed in retrospect, by what is known of the same node's clock before and after.
///
/// Each stamp that is measured against true time says that this was within its bound of corrected time; the
/// journal's raw answers say more, at every moment that the journal has of both clocks. Within one epoch
/// corrected time, which runs on the monotonic clock and is slewed, cannot part from true time faster than
/// ``AuditedClockLimits/partingMax``. So each of these intervals holds for its neighbours too, widened by that rate over
/// the time between: a pass forward and a pass backward find the least for each, in O(n log n) for the sorting.
/// What contradicts itself is left as it was stamped. Cluster time may jump, when a majority's clocks are set: what is
/// measured against it is left as it was, too, where nothing tells of true time.
///
/// The stamps stay what they are: the narrowed bounds stand beside them.
struct Tightening {
  private let rateMax: Int64

  init(_ limits: AuditedClockLimits = AuditedClockLimits()) { rateMax = limits.partingMax }

  /// A stamp or a known moment.
  private struct Element {
    var corrected: Int64
    var epoch: UInt32
    /// Place among the stamps, or −1.
    var place: Int
    var low: Int64
    var high: Int64
  }

  /// The narrowed bounds of one node's stamps, in their order.
  func bounds(_ samples: [SkewSample], _ known: [KnownMoment] = []) -> [NarrowedBound] {
    var bounds = samples.map {
      NarrowedBound(
        low: 0 &- $0.bound, high: $0.bound, isExternal: $0.isComparable && $0.isExternal)
    }
    var elements = samples.indices.map { place in
      let (sample, isKnown) = (samples[place], bounds[place].isExternal)
      return Element(
        corrected: sample.corrected, epoch: sample.epoch, place: place,
        low: isKnown ? 0 &- sample.bound : .min, high: isKnown ? sample.bound : .max)
    }
    elements += known.map {
      Element(corrected: $0.corrected, epoch: $0.epoch, place: -1, low: $0.low, high: $0.high)
    }
    elements.sort { ($0.epoch, $0.corrected) < ($1.epoch, $1.corrected) }
    spread(&elements)
    for element in elements where element.place >= 0 {
      guard element.low <= element.high, element.low > .min, element.high < .max else { continue }
      bounds[element.place] = NarrowedBound(
        low: element.low, high: element.high, isExternal: true)
    }
    return bounds
  }

  private func spread(_ elements: inout [Element]) {
    guard elements.count > 1 else { return }
    for place in 1..<elements.count { confine(&elements, place, by: place - 1) }
    for place in stride(from: elements.count - 2, through: 0, by: -1) {
      confine(&elements, place, by: place + 1)
    }
  }

  private func confine(_ elements: inout [Element], _ place: Int, by other: Int) {
    // Another epoch may be after a restart or a pause, of which corrected time knows nothing.
    guard elements[place].epoch == elements[other].epoch else { return }
    let span = elements[place].corrected.subtractingReportingOverflow(elements[other].corrected)
    guard !span.overflow else { return }
    // Rounded up: a nanosecond more is no harm.
    let widening = Int64(
      clamping: Int128(span.partialValue.magnitude) * Int128(rateMax) / 1_000_000_000 + 1)
    let low = elements[other].low.subtractingReportingOverflow(widening)
    let high = elements[other].high.addingReportingOverflow(widening)
    if elements[other].low > .min, !low.overflow {
      elements[place].low = max(elements[place].low, low.partialValue)
    }
    if elements[other].high < .max, !high.overflow {
      elements[place].high = min(elements[place].high, high.partialValue)
    }
  }
}

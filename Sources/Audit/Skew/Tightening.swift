/// Bounds narrowed in retrospect, by what the same node's clock knew before and after.
///
/// Each stamp says that true time was within its bound of corrected time. Between two stamps of one node
/// corrected time, which runs on the monotonic clock and is slewed, cannot part from true time faster than
/// ``rateMax``. So each stamp's bound holds for its neighbours too, widened by that rate over the time
/// between: a pass forward and a pass backward find the least for each, in O(n). Nothing becomes narrower
/// than some stamp's own bound, and with each epoch the passes start anew.
///
/// The stamps stay what they are: the narrowed bounds stand beside them.
struct Tightening {
  /// The most that corrected time parts from true time, parts per billion: nodes' default slew of 500 ppm,
  /// a rate that is not known yet, 500 ppm, and what one may move, 15 ppm (``ClockConfiguration``).
  static let rateMaxDefault: Int64 = 1_015_000

  private let rateMax: Int64

  init(rateMax: Int64 = rateMaxDefault) { self.rateMax = rateMax }

  /// The narrowed bounds of one node's stamps, in the order it made them.
  func bounds(_ samples: [SkewSample]) -> [Int64] {
    var bounds = samples.map(\.bound)
    guard samples.count > 1 else { return bounds }
    for place in 1..<samples.count {
      narrow(&bounds, place, by: place - 1, samples)
    }
    for place in stride(from: samples.count - 2, through: 0, by: -1) {
      narrow(&bounds, place, by: place + 1, samples)
    }
    return bounds
  }

  private func narrow(
    _ bounds: inout [Int64], _ place: Int, by other: Int, _ samples: [SkewSample]
  ) {
    let (one, two) = (samples[place], samples[other])
    // Another epoch may be after a restart or a pause, of which corrected time knows nothing.
    guard one.isComparable, two.isComparable, one.reference == two.reference,
      one.epoch == two.epoch
    else { return }
    let span = Int64(clamping: (one.corrected &- two.corrected).magnitude)
    // Rounded up: a nanosecond more is no harm.
    let widening = Int64(clamping: Int128(span) * Int128(rateMax) / 1_000_000_000 + 1)
    let (bound, isTooLarge) = bounds[other].addingReportingOverflow(widening)
    if !isTooLarge { bounds[place] = min(bounds[place], bound) }
  }
}

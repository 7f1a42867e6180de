package import Bytes

/// How far a business clock may be off, by a rule that firms know (ANCHORS, Time).
package struct ClockTolerance: Hashable, Sendable {
  /// Its name.
  package let name: String
  /// Most that a stamp may be from true time, nanoseconds.
  package let nanoseconds: Int64

  /// A tolerance of its own.
  package init(name: String, nanoseconds: Int64) {
    self.name = name
    self.nanoseconds = nanoseconds
  }

  /// The rules by name: MiFID II RTS 25 for high-frequency trading and for others, FINRA's CAT.
  package static let profiles = [
    ClockTolerance(name: "rts25-hft", nanoseconds: 100_000),
    ClockTolerance(name: "rts25", nanoseconds: 1_000_000),
    ClockTolerance(name: "cat", nanoseconds: 50_000_000),
  ]
}

/// A run of one node's payments that a tolerance does not allow.
package struct ToleranceViolation: Hashable, Sendable {
  /// Why.
  package enum Reason: String, Hashable, Sendable {
    /// No time server vouches: its bound says nothing of true time.
    case untraceable = "no time server"
    /// The clock said itself that it is not synchronized.
    case unsynchronized = "not synchronized"
    /// The bound is larger than the tolerance.
    case tooWide = "bound too wide"
  }

  /// The node.
  package let node: NodeID
  /// Why.
  package let reason: Reason
  /// Corrected time of its first payment.
  package let start: Int64
  /// Corrected time of its last payment.
  package private(set) var end: Int64
  /// The first and last payment.
  package private(set) var sequences: ClosedRange<UInt64>
  /// Payments in it.
  package private(set) var count: Int
  /// The largest bound in it, nanoseconds.
  package private(set) var boundMax: Int64

  init(_ sample: SkewSample, bound: Int64, _ reason: Reason) {
    node = NodeID(sample.node)
    self.reason = reason
    start = sample.corrected
    end = sample.corrected
    sequences = sample.sequence...sample.sequence
    count = 1
    boundMax = bound
  }

  mutating func take(_ sample: SkewSample, bound: Int64) {
    end = sample.corrected
    sequences =
      min(sequences.lowerBound, sample.sequence)...max(sequences.upperBound, sample.sequence)
    count += 1
    boundMax = max(boundMax, bound)
  }
}

/// Whether a log's payments were stamped within a tolerance.
package struct ToleranceReport: Sendable {
  /// The rule.
  package let tolerance: ClockTolerance
  /// Payments looked at.
  package private(set) var paymentCount = 0
  /// Payments within it by the bounds of their stamps.
  package private(set) var coveredCount = 0
  /// Payments within it by the bounds narrowed in retrospect.
  package private(set) var tightenedCount = 0
  /// What is not, by the bounds of the stamps; in order of time.
  package private(set) var violations: [ToleranceViolation] = []

  /// `byNode`: each node's stamps in the order it made them, and their narrowed bounds.
  init(
    _ tolerance: ClockTolerance, _ byNode: [[SkewSample]], tightened: [[NarrowedBound]]
  ) {
    self.tolerance = tolerance
    for (samples, bounds) in zip(byNode, tightened) { take(samples, bounds) }
    violations.sort { ($0.start, $0.node) < ($1.start, $1.node) }
  }

  private mutating func take(_ samples: [SkewSample], _ bounds: [NarrowedBound]) {
    var open: ToleranceViolation?
    for (sample, bound) in zip(samples, bounds) where sample.isPayment {
      paymentCount += 1
      if bound.isExternal, bound.reach <= tolerance.nanoseconds { tightenedCount += 1 }
      guard let reason = reason(sample) else {
        coveredCount += 1
        if let ended = open { violations.append(ended) }
        open = nil
        continue
      }
      if open?.reason == reason {
        open?.take(sample, bound: sample.bound)
      } else {
        if let ended = open { violations.append(ended) }
        open = ToleranceViolation(sample, bound: sample.bound, reason)
      }
    }
    if let left = open { violations.append(left) }
  }

  private func reason(_ sample: SkewSample) -> ToleranceViolation.Reason? {
    guard sample.isExternal else { return .untraceable }
    guard sample.isComparable else { return .unsynchronized }
    return sample.bound > tolerance.nanoseconds ? .tooWide : nil
  }
}

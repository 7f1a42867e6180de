package import Bytes
package import HybridTime
import Ledger
import SegmentLog
import Timeline

/// How a skew report is made.
package struct SkewOptions: Sendable {
  /// Into how many parts the log's time is cut for the table over time.
  package var bucketCount = 12
  /// How many affected payments are listed.
  package var affectedLimit = 10
  /// Also what is not certainly committed.
  package var includesUncommitted = true

  /// Hold the payments' stamps against this rule.
  package var tolerance: ClockTolerance?
  /// Inject these into the nodes' clocks and tell what it does to the order.
  package var whatIf: [InjectedSkew] = []
  /// Tell what the ledger would have made of the payments in order of this time.
  package var effectsOf: TimelineOrder?
  /// What the nodes' clocks may do at most: what bounds are narrowed by.
  package var limits = AuditedClockLimits()
  /// Seed of everything random.
  package var seed: UInt64 = 1

  /// Twelve parts, ten payments.
  package init() {}
}

/// One stamp of the log. 56 bytes, so that ten million fit in memory.
struct SkewSample: BitwiseCopyable {
  var moment: ClockMoment
  var sequence: UInt64
  var hybridWall: Int64
  var hybridLogical: UInt32
  var isPayment: Bool

  init(_ stamp: Stamp, sequence: EventSequence, isPayment: Bool) {
    moment = ClockMoment(stamp)
    self.sequence = sequence.rawValue
    hybridWall = stamp.hybrid.wallNanoseconds
    hybridLogical = stamp.hybrid.logical
    self.isPayment = isPayment
  }

  var raw: Int64 { moment.raw }
  var correction: Int64 { moment.correction }
  var bound: Int64 { moment.bound }
  var epoch: UInt32 { moment.epoch }
  var node: UInt16 { moment.node }
  var status: UInt8 { moment.status }
  var reference: UInt8 { moment.reference }
  var corrected: Int64 { moment.corrected }
  /// raw − the reference's time, as far as the node knew it.
  var offset: Int64 { 0 &- correction }
  var isSynchronized: Bool { status == ClockStatus.synchronized.rawValue }
  var isExternal: Bool { reference == ClockReference.external.rawValue }
  /// Whether its interval may be held against others of the same reference.
  var isComparable: Bool { moment.isComparable }
  /// When it was, by its bound: about corrected time.
  var interval: TimeInterval { TimeInterval(earliest: moment.earliest, latest: moment.latest) }
  var isDisciplined: Bool { status != ClockStatus.unsynchronized.rawValue }
}

/// Least, middle and greatest of some values.
package struct Spread: Hashable, Sendable {
  /// Least.
  package let min: Int64
  /// The lower one of the middle two, where there are two.
  package let median: Int64
  /// Greatest.
  package let max: Int64

  /// The spread of at least one value.
  init?(_ values: [Int64]) {
    let sorted = values.sorted()
    guard let first = sorted.first, let last = sorted.last else { return nil }
    min = first
    median = sorted[(sorted.count - 1) / 2]
    max = last
  }
}

/// What a node's stamps in one part of the log's time say.
package struct SkewBucket: Hashable, Sendable {
  /// Where the part begins, corrected nanoseconds since 1970.
  package let start: Int64
  /// Stamps.
  package let count: Int
  /// raw − cluster time, nanoseconds.
  package let offset: Spread
  /// Bounds, nanoseconds.
  package let bound: Spread
  /// Statuses that occur, in order of their numbers.
  package let statuses: [ClockStatus]
  /// First and last epoch.
  package let epochs: ClosedRange<UInt32>
}

/// One node's clock, by its stamps.
package struct NodeSkew: Hashable, Sendable {
  /// The node.
  package let node: NodeID
  /// Stamps of payments, clock reports and beacons.
  package let count: Int
  /// raw − cluster time, nanoseconds: what the node's own clock was ahead.
  package let offset: Spread
  /// Bounds, nanoseconds.
  package let bound: Spread
  /// How much faster the node's clock runs than cluster time, parts per billion: the slope of the
  /// least-squares line through offset over time. Nil for less than a second or three stamps.
  package let driftPartsPerBillion: Int64?
  /// The same, as the node's last clock report has it.
  package let reportedDriftPartsPerBillion: Int64?
  /// Statuses that occur, and how many stamps have each.
  package let statuses: [ClockStatus: Int]
  /// Epochs that occur.
  package let epochCount: Int
  /// The node's stamps over time.
  package let buckets: [SkewBucket]
}

extension NodeSkew {
  init?(
    _ samples: [SkewSample], node: NodeID, reportedDrift: Int64?, bucketStarts: [Int64]
  ) {
    guard let offset = Spread(samples.map(\.offset)), let bound = Spread(samples.map(\.bound))
    else { return nil }
    self.node = node
    count = samples.count
    self.offset = offset
    self.bound = bound
    driftPartsPerBillion = leastSquaresSlope(samples)
    // The report tells how much faster the reference runs: the other way round.
    reportedDriftPartsPerBillion = reportedDrift.map { 0 &- $0 }
    var statuses: [ClockStatus: Int] = [:]
    var epochs: Set<UInt32> = []
    for sample in samples {
      if let status = ClockStatus(rawValue: sample.status) { statuses[status, default: 0] += 1 }
      epochs.insert(sample.epoch)
    }
    self.statuses = statuses
    epochCount = epochs.count
    buckets = bucketStarts.indices.compactMap { place in
      let end = place + 1 < bucketStarts.count ? bucketStarts[place + 1] : .max
      return SkewBucket(
        samples.filter { bucketStarts[place] <= $0.corrected && $0.corrected < end },
        start: bucketStarts[place])
    }
  }
}

extension SkewBucket {
  init?(_ samples: [SkewSample], start: Int64) {
    guard let offset = Spread(samples.map(\.offset)), let bound = Spread(samples.map(\.bound)),
      let firstEpoch = samples.map(\.epoch).min(), let lastEpoch = samples.map(\.epoch).max()
    else { return nil }
    self.start = start
    count = samples.count
    self.offset = offset
    self.bound = bound
    statuses = ClockStatus.allCases.filter { status in
      samples.contains { $0.status == status.rawValue }
    }
    epochs = firstEpoch...lastEpoch
  }
}

/// The slope of offset over corrected time, parts per billion, of stamps with a correction.
private func leastSquaresSlope(_ samples: [SkewSample]) -> Int64? {
  let disciplined = samples.filter(\.isDisciplined)
  guard disciplined.count >= 3, let first = disciplined.first else { return nil }
  let times = disciplined.map { Double($0.corrected &- first.corrected) * 1e-9 }
  let offsets = disciplined.map { Double($0.offset &- first.offset) }
  guard let earliest = times.min(), let latest = times.max(), latest - earliest >= 1 else {
    return nil
  }
  let meanTime = times.reduce(0, +) / Double(times.count)
  let meanOffset = offsets.reduce(0, +) / Double(times.count)
  var numerator = 0.0
  var denominator = 0.0
  for (time, offset) in zip(times, offsets) {
    numerator += (time - meanTime) * (offset - meanOffset)
    denominator += (time - meanTime) * (time - meanTime)
  }
  // Nanoseconds a second are parts per billion.
  let slope = (numerator / denominator).rounded()
  return abs(slope) < 9e18 ? Int64(slope) : nil
}

package import Bytes
package import HybridTime

/// A change of a node's clock synchronization, as its stamps tell it.
package struct SyncEvent: Hashable, Sendable {
  /// What happened.
  package enum Kind: Hashable, Sendable {
    /// It began to be what it is, or a new epoch of the same.
    case state
    /// The system clock was set by so much, nanoseconds: the correction jumped, corrected time did not.
    case step(nanoseconds: Int64)
    /// The node or its host stood still: marked, and no step is to be seen.
    case pause
  }

  /// The node.
  package let node: NodeID
  /// When the first stamp tells of it, corrected nanoseconds since 1970.
  package let time: Int64
  /// When the last stamp before it was made; nil for the node's first.
  package let previous: Int64?
  /// What happened.
  package let kind: Kind
  /// What the clock claims from then on.
  package let status: ClockStatus
  /// What its bound is measured against.
  package let reference: ClockReference
  /// Its epoch.
  package let epoch: UInt32
  /// The bound then, nanoseconds: the result of the synchronization.
  package let bound: Int64
}

/// A time in which a node's clock was not synchronized.
package struct SyncGap: Hashable, Sendable {
  /// The node.
  package let node: NodeID
  /// Corrected time of the first stamp of it.
  package let start: Int64
  /// Corrected time of the first stamp after it; nil where it lasts to the end.
  package let end: Int64?
  /// Payments stamped in it.
  package let paymentCount: Int
  /// The largest bound in it, nanoseconds.
  package let boundMax: Int64
}

/// What the stamps of a log tell of its clocks' synchronization: the log of synchronizations and their
/// results that FINRA's CAT asks for (ANCHORS, Time).
package struct SyncLog: Sendable {
  /// In order of time.
  package private(set) var events: [SyncEvent] = []
  /// In order of their start.
  package private(set) var gaps: [SyncGap] = []

  /// A jump of the correction beyond this is a step of the system clock, nanoseconds: what nodes take for
  /// one themselves.
  private static let stepThreshold: Int64 = 50_000_000

  /// What nodes' stamps tell, each node's in the order it made them.
  init(_ byNode: [[SkewSample]]) {
    for samples in byNode {
      addEvents(samples)
      addGaps(samples)
    }
    events.sort { ($0.time, $0.node) < ($1.time, $1.node) }
    gaps.sort { ($0.start, $0.node) < ($1.start, $1.node) }
  }

  private mutating func addEvents(_ samples: [SkewSample]) {
    var last: SkewSample?
    for sample in samples {
      defer { last = sample }
      let kind: SyncEvent.Kind
      if let last {
        let jump = sample.correction &- last.correction
        if jump.magnitude > UInt64(Self.stepThreshold), last.isDisciplined {
          kind = .step(nanoseconds: 0 &- jump)
        } else if sample.epoch == last.epoch, sample.status == last.status {
          continue
        } else if sample.status == ClockStatus.disrupted.rawValue {
          kind = .pause
        } else {
          kind = .state
        }
      } else {
        kind = .state
      }
      events.append(
        SyncEvent(
          node: NodeID(sample.node), time: sample.corrected, previous: last?.corrected, kind: kind,
          status: ClockStatus(rawValue: sample.status) ?? .unsynchronized,
          reference: ClockReference(rawValue: sample.reference) ?? .local, epoch: sample.epoch,
          bound: sample.bound))
    }
  }

  private mutating func addGaps(_ samples: [SkewSample]) {
    var open: (start: Int64, payments: Int, boundMax: Int64)?
    func gap(_ node: UInt16, _ open: (start: Int64, payments: Int, boundMax: Int64), _ end: Int64?)
      -> SyncGap
    {
      SyncGap(
        node: NodeID(node), start: open.start, end: end, paymentCount: open.payments,
        boundMax: open.boundMax)
    }
    for sample in samples {
      guard !sample.isSynchronized else {
        if let ended = open { gaps.append(gap(sample.node, ended, sample.corrected)) }
        open = nil
        continue
      }
      var now = open ?? (sample.corrected, 0, 0)
      if sample.isPayment { now.payments += 1 }
      now.boundMax = max(now.boundMax, sample.bound)
      open = now
    }
    if let left = open, let node = samples.last?.node { gaps.append(gap(node, left, nil)) }
  }
}

public import Bytes

/// What a node's clock claims about itself (DESIGN, Time).
public enum ClockStatus: UInt8, Sendable, CaseIterable {
  /// Nothing vouches for the clock: no estimate since the start, or the last one is too old.
  case unsynchronized = 0
  /// Fresh samples agree on the correction.
  case synchronized = 1
  /// No fresh sample: the correction is carried on and the bound grows with its age.
  case holdover = 2
  /// A pause or a step was seen; what was known before it no longer vouches for now.
  case disrupted = 3

  /// Stable name, in answers and reports.
  package var name: String {
    switch self {
    case .unsynchronized: "unsynchronized"
    case .synchronized: "synchronized"
    case .holdover: "holdover"
    case .disrupted: "disrupted"
    }
  }
}

/// What a bound is measured against. A bound on cluster time says how far the nodes are apart,
/// nothing of true time, and must never be read as if it did.
public enum ClockReference: UInt8, Sendable, CaseIterable {
  /// The host's own clock, unchecked.
  case local = 0
  /// The median of the cluster's system clocks: the nodes agree with each other.
  case cluster = 1
  /// A time server: true time, as far as the server tells it.
  case external = 2

  /// Stable name, in answers and reports.
  package var name: String {
    switch self {
    case .local: "local"
    case .cluster: "cluster"
    case .external: "external"
    }
  }
}

/// A hybrid logical time (Kulkarni et al., "Logical physical clocks", 2014): wall first, then logical.
public struct HybridTimestamp: Hashable, Comparable, Sendable {
  /// Nanoseconds since 1970-01-01T00:00:00Z (UTC without leap seconds).
  public var wallNanoseconds: Int64
  /// Order among stamps of one wall value.
  public var logical: UInt32

  /// A stamp from its two parts.
  @inlinable public init(wallNanoseconds: Int64, logical: UInt32) {
    self.wallNanoseconds = wallNanoseconds
    self.logical = logical
  }

  /// Before every real stamp.
  @inlinable public static var zero: HybridTimestamp {
    HybridTimestamp(wallNanoseconds: 0, logical: 0)
  }

  /// Wall first, then logical.
  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.wallNanoseconds != right.wallNanoseconds
      ? left.wallNanoseconds < right.wallNanoseconds : left.logical < right.logical
  }
}

/// What a node's clock says at one instant: raw beside corrected, with the bound about corrected.
public struct ClockReading: Hashable, Sendable {
  /// The system clock, nanoseconds since 1970.
  public var rawNanoseconds: Int64
  /// corrected − raw, nanoseconds.
  public var correctionNanoseconds: Int64
  /// The reference's time lies within ± this of corrected; nanoseconds, never negative.
  public var boundNanoseconds: Int64
  /// Which clock-sync state of this node produced it; grows with every change of that state.
  public var epoch: UInt32
  /// What the clock claims about itself.
  public var status: ClockStatus
  /// What the bound is measured against.
  public var reference: ClockReference

  /// A reading from its fields.
  @inlinable public init(
    rawNanoseconds: Int64, correctionNanoseconds: Int64, boundNanoseconds: Int64, epoch: UInt32,
    status: ClockStatus, reference: ClockReference
  ) {
    self.rawNanoseconds = rawNanoseconds
    self.correctionNanoseconds = correctionNanoseconds
    self.boundNanoseconds = boundNanoseconds
    self.epoch = epoch
    self.status = status
    self.reference = reference
  }

  /// raw + correction, nanoseconds since 1970.
  @inlinable public var correctedNanoseconds: Int64 { rawNanoseconds &+ correctionNanoseconds }
}

/// When an event was taken in, by the clock of the node that took it (DESIGN, Words).
public struct Stamp: Hashable, Sendable {
  /// What that node's clock said.
  public var reading: ClockReading
  /// Its hybrid logical time: monotone at one node, causal between nodes.
  public var hybrid: HybridTimestamp
  /// The node.
  public var node: NodeID

  /// A stamp from its fields.
  @inlinable public init(reading: ClockReading, hybrid: HybridTimestamp, node: NodeID) {
    self.reading = reading
    self.hybrid = hybrid
    self.node = node
  }

  /// A reading of `node` that no message follows from, as journals have it: hybrid time is corrected time.
  @inlinable public init(_ reading: ClockReading, of node: NodeID) {
    self.init(
      reading: reading,
      hybrid: HybridTimestamp(wallNanoseconds: reading.correctedNanoseconds, logical: 0),
      node: node)
  }

  /// corrected, nanoseconds since 1970.
  @inlinable public var correctedNanoseconds: Int64 { reading.correctedNanoseconds }

  /// corrected − bound: the reference's time was no earlier.
  @inlinable public var earliestNanoseconds: Int64 {
    let (time, isTooEarly) = reading.correctedNanoseconds.subtractingReportingOverflow(
      reading.boundNanoseconds)
    return isTooEarly ? .min : time
  }

  /// corrected + bound: the reference's time was no later.
  @inlinable public var latestNanoseconds: Int64 {
    let (time, isTooLate) = reading.correctedNanoseconds.addingReportingOverflow(
      reading.boundNanoseconds)
    return isTooLate ? .max : time
  }
}

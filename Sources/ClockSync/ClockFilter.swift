/// What a source's best sample says at an instant.
package struct ClockEstimate: Hashable, Sendable {
  /// Source − local monotonic clock, nanoseconds.
  package var offsetNanoseconds: Int64
  /// The source's clock is within ± this of it now, nanoseconds.
  package var errorNanoseconds: Int64
  /// Round trip of the chosen sample, nanoseconds.
  package var delayNanoseconds: Int64
  /// When the chosen sample was taken, monotonic nanoseconds.
  package var monotonicNanoseconds: Int64
}

/// The last eight samples of one source, of which the best is used (RFC 5905 §10).
///
/// Best is the smallest error bound: half the delay, plus what both clocks may have drifted since.
/// Between samples of one age that is the minimum delay. A sample whose interval a newer one does
/// not touch is proof that the remote's clock was set or ran out of its allowance in between: no
/// path asymmetry can do that. It is dropped, so a set clock is followed within one exchange.
package struct ClockFilter: Hashable, Sendable {
  /// RFC 5905's NSTAGE.
  package static let sampleCountMax = 8

  /// What is read from the samples: a peer has two clocks in one.
  package enum Role: Hashable, Sendable {
    /// The remote's own clock as it stands: a time server's, or a peer's raw clock.
    case raw
    /// A peer's corrected clock, where time servers of its own decide it.
    case external
  }

  /// Oldest first. Invariant: at most ``sampleCountMax``, in the order they were taken.
  package private(set) var samples: [ClockSample] = []
  /// How many samples were dropped because newer ones contradicted them.
  package private(set) var contradictionCount = 0

  /// An empty filter.
  package init() { samples.reserveCapacity(Self.sampleCountMax) }

  /// The newest sample.
  package var newest: ClockSample? { samples.last }

  /// Takes a sample; `rate` is the most that the two clocks drift apart, parts per billion.
  package mutating func insert(
    _ sample: ClockSample, rate: Int64
  ) throws(ClockSampleRefusal) {
    if let newest, sample.monotonicNanoseconds < newest.monotonicNanoseconds {
      throw .outOfOrder
    }
    let count = samples.count
    samples.removeAll { Self.contradict($0, sample, rate: rate) }
    contradictionCount += count - samples.count
    if samples.count == Self.sampleCountMax { samples.removeFirst() }
    samples.append(sample)
  }

  /// Forgets all samples: something happened that they know nothing of.
  package mutating func removeAll() { samples.removeAll(keepingCapacity: true) }

  /// The best sample in a role at a monotonic time, or `nil` without one.
  package func estimate(role: Role, atMonotonic now: Int64, rate: Int64) -> ClockEstimate? {
    var best: ClockEstimate?
    for sample in samples {
      guard let (shift, remoteError) = sample.remote(role) else { continue }
      let error = sample.errorNanoseconds(
        atMonotonic: now, remoteError: remoteError, rate: rate)
      if let best, best.errorNanoseconds < error { continue }
      best = ClockEstimate(
        offsetNanoseconds: sample.offsetNanoseconds + shift, errorNanoseconds: error,
        delayNanoseconds: sample.delayNanoseconds,
        monotonicNanoseconds: sample.monotonicNanoseconds)
    }
    return best
  }

  /// Root mean square of the samples' offsets about the chosen one (RFC 5905 §10), nanoseconds.
  package func jitterNanoseconds(about offset: Int64) -> Int64 {
    guard samples.count > 1 else { return 0 }
    var sum: UInt128 = 0
    for sample in samples {
      let difference = UInt128((sample.offsetNanoseconds - offset).magnitude)
      sum += difference * difference
    }
    return Int64(clamping: (sum / UInt128(samples.count - 1)).squareRoot)
  }

  private static func contradict(
    _ old: ClockSample, _ new: ClockSample, rate: Int64
  ) -> Bool {
    let now = new.monotonicNanoseconds
    let reach =
      old.errorNanoseconds(
        atMonotonic: now, remoteError: old.remoteErrorNanoseconds, rate: rate)
      + new.errorNanoseconds(
        atMonotonic: now, remoteError: new.remoteErrorNanoseconds, rate: rate)
    return (old.offsetNanoseconds - new.offsetNanoseconds).magnitude > UInt64(reach)
  }
}

extension ClockSample {
  /// What to add to the offset, and the remote's own error, in a role.
  fileprivate func remote(_ role: ClockFilter.Role) -> (shift: Int64, error: Int64)? {
    switch role {
    case .raw: return (0, remoteErrorNanoseconds)
    case .external:
      guard let claim, claim.isExternal else { return nil }
      return (claim.correctionNanoseconds, claim.boundNanoseconds)
    }
  }
}

extension UInt128 {
  /// The integer square root, rounded down (Newton).
  fileprivate var squareRoot: UInt128 {
    guard self > 1 else { return self }
    var root = UInt128(1) << ((UInt128.bitWidth - leadingZeroBitCount + 1) / 2)
    while true {
      let next = (root + self / root) / 2
      if next >= root { return root }
      root = next
    }
  }
}

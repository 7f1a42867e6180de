/// What a source's samples say at an instant.
package struct ClockEstimate: Hashable, Sendable {
  /// Source − local monotonic clock, nanoseconds.
  package var offsetNanoseconds: Int64
  /// The source's clock is within ± this of it now, nanoseconds.
  package var errorNanoseconds: Int64
  /// How fast the source gains on the local monotonic clock, parts per billion.
  package var ratePartsPerBillion: Int64
  /// ± about the rate, parts per billion: as certain as the error.
  package var rateErrorPartsPerBillion: Int64
  /// Round trip of the newest sample, nanoseconds.
  package var delayNanoseconds: Int64
  /// When the newest sample was taken, monotonic nanoseconds.
  package var monotonicNanoseconds: Int64
}

/// The last samples of one source, as many as 64 (RFC 5905 §10 keeps eight).
///
/// Where the RFC picks the sample of least delay, ``ClockFit`` uses all: a line through them, and the
/// interval that they leave to the truth. A sample whose interval a newer one does not touch is proof
/// that the remote's clock was set or ran out of its allowance in between: no path asymmetry can do
/// that. It is dropped, so a set clock is followed within one exchange.
package struct ClockFilter: Hashable, Sendable {
  /// Most samples of a source.
  package static let sampleCountMax = 64
  /// A spike is this many deviations from the line (RFC 5905 §10, SGATE).
  package static let spikeGate: Int64 = 3
  /// Samples before which nothing can be called a spike.
  private static let spikeCountMin = 4
  private static let deviationMin: Int64 = 1_000
  /// How far a rate usually moves between two samples, parts per billion: what chrony takes for it
  /// (maxclockerror). Far less than what it may.
  private static let wanderUsual: Int64 = 1_000

  /// What is read from the samples: a peer has two clocks in one.
  package enum Role: Hashable, Sendable {
    /// The remote's own clock as it stands: a time server's, or a peer's raw clock.
    case raw
    /// A peer's corrected clock, where time servers of its own decide it.
    case external
  }

  /// A sample, and whether it is a lone spike.
  private struct Entry: Hashable {
    var sample: ClockSample
    var isSpike: Bool
  }

  /// Most samples kept, 1 to ``sampleCountMax``.
  private let countMax: Int
  /// Oldest first. Invariant: at most `countMax`, in the order they were taken.
  private var entries: [Entry] = []
  /// The fits of the samples, made when one comes.
  private var rawFit: ClockFit?
  private var externalFit: ClockFit?
  /// How many samples were dropped because newer ones contradicted them.
  package private(set) var contradictionCount = 0
  /// How many samples were taken for lone spikes.
  package private(set) var spikeCount = 0

  /// An empty filter.
  package init(countMax: Int = sampleCountMax) {
    precondition((1...Self.sampleCountMax).contains(countMax))
    self.countMax = countMax
  }

  /// The samples, oldest first.
  package var samples: [ClockSample] { entries.map(\.sample) }
  /// The newest sample.
  package var newest: ClockSample? { entries.last?.sample }

  /// Takes a sample; `limits` are those of the two clocks as they stand, `external` those of true time
  /// and the local clock.
  package mutating func insert(
    _ sample: ClockSample, _ limits: ClockFit.Limits, external: ClockFit.Limits
  ) throws(ClockSampleRefusal) {
    if let newest, sample.monotonicNanoseconds < newest.monotonicNanoseconds {
      throw .outOfOrder
    }
    let count = entries.count
    entries.removeAll { Self.contradict($0.sample, sample, rate: limits.rateMax) }
    let isContradiction = entries.count < count
    contradictionCount += count - entries.count
    if entries.count == countMax { entries.removeFirst() }
    let isSpike = !isContradiction && isSpike(sample, limits)
    entries.append(Entry(sample: sample, isSpike: isSpike))
    refit(limits, external)
  }

  /// Forgets all samples: something happened that they know nothing of.
  package mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    (rawFit, externalFit) = (nil, nil)
  }

  /// The fit in a role, or `nil` without a sample.
  package func fit(_ role: Role) -> ClockFit? {
    switch role {
    case .raw: rawFit
    case .external: externalFit
    }
  }

  /// What the samples say in a role at a monotonic time, or `nil` without one.
  package func estimate(role: Role, atMonotonic now: Int64) -> ClockEstimate? {
    fit(role)?.estimate(atMonotonic: now)
  }

  /// Popcorn suppression: the first sample that is off the line by more than its own slowness explains
  /// moves nothing. A second one the same way shows that the clock has moved.
  private mutating func isSpike(_ sample: ClockSample, _ limits: ClockFit.Limits) -> Bool {
    guard entries.count >= Self.spikeCountMin, let fit = rawFit else { return false }
    let expected = fit.estimate(atMonotonic: sample.monotonicNanoseconds)
    let off = sample.offsetNanoseconds - expected.offsetNanoseconds
    let age = sample.monotonicNanoseconds - fit.monotonic
    // What the line may well have run off by since.
    let rate = fit.rateDeviation + Self.wanderUsual
    let gate =
      Self.spikeGate * max(fit.deviation, Self.deviationMin)
      + Self.spikeGate * PartsPerBillion.roundedUp(age, rate: rate)
    guard off.magnitude > UInt64(gate) else { return false }
    if let last = entries.last, last.isSpike {
      let lastOff = last.sample.offsetNanoseconds - expected.offsetNanoseconds
      if (lastOff > 0) == (off > 0) {
        entries[entries.count - 1].isSpike = false
        return false
      }
    }
    spikeCount += 1
    return true
  }

  private mutating func refit(_ limits: ClockFit.Limits, _ external: ClockFit.Limits) {
    let points = points(.raw, limits)
    let fit = ClockFit(points, limits)
    rawFit = fit
    // What does not agree with the newer ones will never again.
    contradictionCount += points.count - fit.consistentCount
    entries.removeFirst(points.count - fit.consistentCount)
    let externals = self.points(.external, external)
    externalFit = externals.isEmpty ? nil : ClockFit(externals, external)
  }

  private func points(_ role: Role, _ limits: ClockFit.Limits) -> [ClockPoint] {
    entries.compactMap { entry in
      entry.sample.remote(role).map { shift, remoteError in
        ClockPoint(
          monotonic: entry.sample.monotonicNanoseconds,
          offset: entry.sample.offsetNanoseconds + shift,
          error: entry.sample.errorNanoseconds(
            atMonotonic: entry.sample.monotonicNanoseconds, remoteError: remoteError,
            rate: limits.rateMax),
          delay: entry.sample.delayNanoseconds, isSpike: entry.isSpike)
      }
    }
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
      guard let claim, claim.isExternal,
        claim.boundNanoseconds <= ClockSample.errorNanosecondsMax
      else { return nil }
      return (claim.correctionNanoseconds, claim.boundNanoseconds)
    }
  }
}

package import Bytes
package import HybridTime

/// One node's clock: sources in, corrected time with its bound out. Pure: the runtime brings
/// every time and sends every request.
///
/// The runtime's duties:
/// - ``nextPolls(monotonicNanoseconds:)`` often (100 ms or less at the start); send each request as
///   a ``ClockExchange``; ``record(_:from:)`` or ``recordFailure(_:from:)`` when it ends.
/// - ``poll(rawNanoseconds:monotonicNanoseconds:)`` about every 250 ms and after samples; publish
///   ``discipline`` under a lock when it returns.
/// - Read raw and monotonic together (monotonic, raw, monotonic; again if they are far apart). The
///   best monotonic clock is the one that counts suspend (Linux CLOCK_BOOTTIME): with one that
///   does not, corrected time is late by the suspend and only slews after it, with an honest
///   bound, until the node restarts.
package struct NodeClock: Sendable {
  /// The settings.
  package private(set) var configuration: ClockConfiguration
  /// The corrected clock to publish.
  package private(set) var discipline: ClockDiscipline
  /// Peers, then servers, in order.
  var sources: [ClockSourceState]
  /// The host's own clock as one more voice.
  var hostVerdict = ClockVerdict.unheard
  /// The host's own clock against the monotonic one.
  private(set) var host: HostTrack
  private(set) var stepCount = 0
  private(set) var lastStepNanoseconds: Int64 = 0
  private(set) var pauseCount = 0
  private var chosen: [ClockSource] = []
  /// Until all sources are heard, no estimate is made before this.
  private var settleMonotonic: Int64
  /// When the last disruption was seen that no estimate has made good since.
  private var disruptedMonotonic: Int64?
  /// Samples whose request left before this do not count.
  private var vouchedMonotonic: Int64 = .min
  private var lastPollMonotonic: Int64

  /// A clock that knows nothing yet: corrected is raw, carried on by the monotonic clock.
  /// `epoch` continues the numbering of an earlier run.
  package init(
    configuration: ClockConfiguration, epoch: UInt32 = 0, rawNanoseconds raw: Int64,
    monotonicNanoseconds now: Int64
  ) {
    configuration.assertInvariants()
    self.configuration = configuration
    discipline = ClockDiscipline(
      offset: raw - now, target: raw - now, targetError: configuration.hostClockBoundNanoseconds,
      targetMonotonic: now, errorGrowth: 0, rawMinusMonotonic: raw - now,
      publishedMonotonic: now, stepThreshold: configuration.stepThresholdNanoseconds,
      pauseThreshold: configuration.pauseThresholdNanoseconds,
      hostClockBound: configuration.hostClockBoundNanoseconds, epoch: epoch)
    host = HostTrack(configuration.hostLimits)
    sources = Self.makeSources(configuration, monotonic: now)
    settleMonotonic = now + configuration.settleNanoseconds
    lastPollMonotonic = now
  }

  /// What the clock says, from a raw and a monotonic time that were read together.
  package func reading(
    rawNanoseconds: Int64, monotonicNanoseconds: Int64
  ) -> ClockReading {
    discipline.reading(
      rawNanoseconds: rawNanoseconds, monotonicNanoseconds: monotonicNanoseconds)
  }

  /// Takes a sample from a source. A refused one is counted as the source's failure.
  package mutating func record(_ sample: ClockSample, from source: ClockSource) {
    observe(raw: sample.rawNanoseconds, monotonic: sample.monotonicNanoseconds)
    let isVouched = sample.sentMonotonicNanoseconds >= vouchedMonotonic
    withSource(source) { state in
      guard isVouched else { return state.fail(.sample(.beforeDisruption)) }
      do throws(ClockSampleRefusal) {
        try state.take(sample)
      } catch {
        state.fail(.sample(error))
      }
    }
  }

  /// Asks these peers from now on; what is known of those that stay is kept.
  package mutating func setPeers(_ peers: [NodeID], monotonicNanoseconds now: Int64) {
    guard peers.sorted() != configuration.peers.sorted() else { return }
    let known = sources
    configuration.peers = peers
    configuration.assertInvariants()
    sources = Self.makeSources(configuration, monotonic: now).map { fresh in
      known.first { $0.source == fresh.source } ?? fresh
    }
  }

  /// Takes note that a request gave no sample.
  package mutating func recordFailure(_ failure: ClockFailure, from source: ClockSource) {
    withSource(source) { $0.fail(failure) }
  }

  /// The sources to ask now. Each is taken as asked: it comes again after its interval.
  package mutating func nextPolls(monotonicNanoseconds now: Int64) -> [ClockSource] {
    var due: [ClockSource] = []
    for index in sources.indices where sources[index].takeDuePoll(monotonic: now) {
      due.append(sources[index].source)
    }
    return due
  }

  /// When the next source is to be asked, monotonic nanoseconds; `nil` without one.
  package var nextPollMonotonicNanoseconds: Int64? {
    sources.filter { $0.refusedBy == nil }.map(\.nextPollMonotonic).min()
  }

  /// Looks for steps and pauses, estimates anew, and leads corrected time to the estimate.
  package mutating func poll(rawNanoseconds raw: Int64, monotonicNanoseconds now: Int64) {
    guard now >= lastPollMonotonic else { return }
    observe(raw: raw, monotonic: now)
    if now - lastPollMonotonic > configuration.pauseThresholdNanoseconds {
      pauseCount += 1
      disrupt(monotonic: now)
    }
    lastPollMonotonic = now
    host.record(rawNanoseconds: raw, atMonotonic: now)
    if let agreement = estimate(raw: raw, monotonic: now) {
      follow(agreement, monotonic: now)
    } else {
      carryOn(monotonic: now)
    }
    discipline.publishedMonotonic = now
  }
}

extension NodeClock {
  private static func makeSources(
    _ configuration: ClockConfiguration, monotonic: Int64
  ) -> [ClockSourceState] {
    func state(
      _ source: ClockSource, _ name: String, _ polling: ClockPolling, _ limits: ClockFit.Limits
    ) -> ClockSourceState {
      ClockSourceState(
        source: source, name: name, polling: polling, limits: limits,
        trueLimits: configuration.trueLimits, sampleCountMax: configuration.sampleCountMax,
        monotonic: monotonic)
    }
    let peers = configuration.peers.sorted().map {
      state(.peer($0), "node\($0.rawValue)", configuration.peerPolling, configuration.hostLimits)
    }
    let servers = configuration.servers.sorted { $0.number < $1.number }.map {
      state(.server($0.number), $0.name, configuration.serverPolling, configuration.trueLimits)
    }
    let kernel = state(
      .kernel, "kernel", configuration.serverPolling, configuration.trueLimits)
    return peers + servers + (configuration.usesKernel ? [kernel] : [])
  }

  /// A source that is not configured is ignored: a late answer of a removed member.
  private mutating func withSource(
    _ source: ClockSource, _ change: (inout ClockSourceState) -> Void
  ) {
    guard let index = sources.firstIndex(where: { $0.source == source }) else { return }
    change(&sources[index])
  }

  /// Compares raw − monotonic with what it was. A jump is the system clock being set, or a
  /// suspend that the monotonic clock did not count: only forward, and then corrected time is
  /// late by as much, so the bound takes it in until an estimate tells.
  private mutating func observe(raw: Int64, monotonic now: Int64) {
    guard now >= discipline.publishedMonotonic else { return }
    let jump = raw - now - discipline.rawMinusMonotonic
    discipline.rawMinusMonotonic = raw - now
    guard jump.magnitude > UInt64(configuration.stepThresholdNanoseconds) else { return }
    stepCount += 1
    lastStepNanoseconds = jump
    discipline.disruptionAllowance = min(
      discipline.disruptionAllowance + max(jump, 0), ClockLimits.spanNanosecondsMax)
    disrupt(monotonic: now)
  }

  /// What was known no longer vouches: corrected time runs on, marked, until sources answer anew.
  private mutating func disrupt(monotonic now: Int64) {
    disruptedMonotonic = now
    vouchedMonotonic = now
    settleMonotonic = now + configuration.settleNanoseconds
    for index in sources.indices { sources[index].restart(monotonic: now) }
    host.removeAll()
    discipline.epoch &+= 1
    discipline.status = .disrupted
    discipline.isDirect = false
  }

  /// What the usable sources agree on now; sets every source's verdict.
  private mutating func estimate(raw: Int64, monotonic now: Int64) -> ClockAgreement? {
    var isComplete = true
    var externals: [ClockCandidate] = []
    var members = [host.candidate(rawNanoseconds: raw, atMonotonic: now)]
    hostVerdict = .superseded
    for index in sources.indices {
      let state = sources[index]
      if let verdict = state.unusable(
        monotonic: now, staleAfterPolls: configuration.staleAfterPolls)
      {
        sources[index].verdict = verdict
        if state.refusedBy == nil { isComplete = false }
        continue
      }
      sources[index].verdict = .superseded
      if let candidate = state.externalCandidate(monotonic: now) { externals.append(candidate) }
      if let candidate = state.memberCandidate(monotonic: now) { members.append(candidate) }
    }
    guard isComplete || now >= settleMonotonic || isSettled else {
      for candidate in externals + members { setVerdict(.settling, of: candidate.source) }
      return nil
    }
    return combine(externals: externals, members: members)
  }

  /// Whether an estimate was made since the start or the last disruption.
  private var isSettled: Bool { discipline.hasSynchronized && disruptedMonotonic == nil }

  private mutating func combine(
    externals: [ClockCandidate], members: [ClockCandidate]
  ) -> ClockAgreement? {
    let outcome = ClockEnsemble.intersect(externals)
    if !externals.isEmpty, outcome.agreement != nil {
      apply(outcome.verdicts, to: externals)
      return outcome.agreement
    }
    let median = ClockEnsemble.median(members, memberCount: configuration.peers.count + 1)
    apply(median.verdicts, to: members)
    // After the members': a peer that was one of the time sources without a majority says so.
    if median.agreement == nil {
      apply(outcome.verdicts, to: externals)
    } else {
      for (candidate, verdict) in zip(externals, outcome.verdicts)
      where candidate.source.isReference {
        setVerdict(verdict, of: candidate.source)
      }
    }
    return median.agreement
  }

  private mutating func apply(_ verdicts: [ClockVerdict], to candidates: [ClockCandidate]) {
    for (candidate, verdict) in zip(candidates, verdicts) {
      setVerdict(verdict, of: candidate.source)
    }
  }

  private mutating func setVerdict(_ verdict: ClockVerdict, of source: ClockSource) {
    if source == .host { hostVerdict = verdict }
    withSource(source) { $0.verdict = verdict }
  }

  private mutating func follow(_ agreement: ClockAgreement, monotonic now: Int64) {
    let isNewSet = agreement.chosen != chosen || agreement.reference != discipline.reference
    discipline.steer(
      to: agreement, slewRateMax: configuration.slewPartsPerMillionMax * 1000, monotonic: now)
    discipline.isDirect =
      agreement.reference == .external && agreement.chosen.contains(where: \.isReference)
    discipline.setStratum(
      of: agreement.chosen.map { source in
        sources.first { $0.source == source }?.filter.newest?.stratum ?? 0
      })
    chosen = agreement.chosen
    disruptedMonotonic = nil
    become(.synchronized, agreement.reference, isNewSet: isNewSet)
  }

  /// Without an estimate: holdover of what was known, until it is void.
  private mutating func carryOn(monotonic now: Int64) {
    let isVoid =
      !discipline.hasSynchronized || discipline.reference == .local
      || now - discipline.targetMonotonic > configuration.voidAfterNanoseconds
    discipline.isDirect = false
    if disruptedMonotonic != nil, !isVoid || now < settleMonotonic {
      return become(.disrupted, isVoid ? .local : discipline.reference, isNewSet: false)
    }
    guard isVoid else { return become(.holdover, discipline.reference, isNewSet: false) }
    disruptedMonotonic = nil
    chosen = []
    become(.unsynchronized, .local, isNewSet: false)
  }

  private mutating func become(
    _ status: ClockStatus, _ reference: ClockReference, isNewSet: Bool
  ) {
    if isNewSet || status != discipline.status || reference != discipline.reference {
      discipline.epoch &+= 1
    }
    discipline.status = status
    discipline.reference = reference
  }
}

extension ClockSource {
  /// Whether it speaks for true time of its own: a time server, or the kernel.
  var isReference: Bool {
    switch self {
    case .server, .kernel: true
    case .host, .peer: false
    }
  }
}

extension ClockSourceState {
  /// Its true time, if it may speak for it: a reference, or a peer that references decide.
  fileprivate func externalCandidate(monotonic now: Int64) -> ClockCandidate? {
    candidate(source.isReference ? .raw : .external, monotonic: now)
  }

  /// Its raw clock, if it is a member of the cluster.
  fileprivate func memberCandidate(monotonic now: Int64) -> ClockCandidate? {
    source.isReference ? nil : candidate(.raw, monotonic: now)
  }

  private func candidate(_ role: ClockFilter.Role, monotonic now: Int64) -> ClockCandidate? {
    estimate(role, monotonic: now).map {
      ClockCandidate(
        source: source, offsetNanoseconds: $0.offsetNanoseconds,
        errorNanoseconds: $0.errorNanoseconds, ratePartsPerBillion: $0.ratePartsPerBillion,
        rateErrorPartsPerBillion: $0.rateErrorPartsPerBillion,
        jitterNanoseconds: filter.fit(role)?.deviation ?? 0)
    }
  }
}

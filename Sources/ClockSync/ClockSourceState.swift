/// Why a request to a source gave no sample.
package enum ClockFailure: Error, Hashable, Sendable {
  /// No answer in time.
  case timeout
  /// It could not be sent.
  case unreachable
  /// The answer was not believed.
  case refused(NTPRefusal)
  /// The answer was believed but does not count.
  case sample(ClockSampleRefusal)
  /// The source asked to be left alone, for a while or for good.
  case kissOfDeath(KissCode)
}

/// What a node knows of one source.
struct ClockSourceState: Hashable, Sendable {
  /// RATE at most slows a source down to this many times its interval.
  static let slowdownMax: Int64 = 64

  let source: ClockSource
  let name: String
  let polling: ClockPolling
  /// What is possible between its clock and ours.
  let limits: ClockFit.Limits
  /// What is possible between true time and our clock.
  let trueLimits: ClockFit.Limits
  var filter: ClockFilter
  /// One bit per request, 1 for answered, the newest lowest (RFC 5905 §9.2).
  var reach: UInt8 = 0
  var lastHeardMonotonic: Int64?
  var nextPollMonotonic: Int64
  /// Requests left at the faster pace.
  var burstLeft: Int
  /// What RATE has multiplied the interval by.
  var slowdown: Int64 = 1
  /// Between two requests, but for RATE, nanoseconds. Invariant: within the polling's limits.
  private(set) var pace: Int64
  /// Samples in a row that were for a longer interval.
  private var patience = 0
  /// So many make it longer.
  private static let patienceCount = 4
  var refusedBy: KissCode?
  var sampleCount = 0
  var failureCount = 0
  var lastFailure: ClockFailure?
  var verdict = ClockVerdict.unheard

  init(
    source: ClockSource, name: String, polling: ClockPolling, limits: ClockFit.Limits,
    trueLimits: ClockFit.Limits, sampleCountMax: Int, monotonic: Int64
  ) {
    self.source = source
    self.name = name
    self.polling = polling
    self.limits = limits
    self.trueLimits = trueLimits
    filter = ClockFilter(countMax: sampleCountMax)
    nextPollMonotonic = monotonic
    burstLeft = polling.burstCount
    pace = polling.intervalNanosecondsMin
  }

  /// Between two requests. RATE slows the shortest pace down; a longer one suffices for it.
  var intervalNanoseconds: Int64 { max(pace, polling.intervalNanosecondsMin * slowdown) }

  mutating func take(_ sample: ClockSample) throws(ClockSampleRefusal) {
    let contradictions = filter.contradictionCount
    try filter.insert(sample, limits, external: trueLimits)
    sampleCount += 1
    reach = reach << 1 | 1
    lastHeardMonotonic = sample.monotonicNanoseconds
    adaptPace(to: sample, isContradicted: filter.contradictionCount > contradictions)
  }

  /// Asks less often while an answer's age costs less than its path, more often when it costs more.
  private mutating func adaptPace(to sample: ClockSample, isContradicted: Bool) {
    guard burstLeft == 0,
      let fit = filter.fit(.external) ?? filter.fit(.raw)
    else { return }
    let growth = fit.estimate(atMonotonic: sample.monotonicNanoseconds).rateErrorPartsPerBillion
    let path = sample.errorNanoseconds(
      atMonotonic: sample.monotonicNanoseconds, remoteError: sample.remoteErrorNanoseconds,
      rate: limits.rateMax)
    if isContradicted || PartsPerBillion.truncated(pace, rate: growth) / 2 > path {
      pace =
        isContradicted
        ? polling.intervalNanosecondsMin : max(pace / 2, polling.intervalNanosecondsMin)
      patience = 0
      // The next request was planned at the old pace; by the new one its answer would come when what is
      // known is stale.
      hurry(after: sample.monotonicNanoseconds)
    } else if PartsPerBillion.truncated(2 * pace, rate: growth) <= path {
      patience += 1
      guard patience >= Self.patienceCount else { return }
      pace = min(2 * pace, polling.intervalNanosecondsMax)
      patience = 0
    } else {
      patience = 0
    }
  }

  mutating func fail(_ failure: ClockFailure) {
    failureCount += 1
    lastFailure = failure
    reach <<= 1
    guard case .kissOfDeath(let code) = failure else { return }
    if code.isFinal { refusedBy = code }
    if code == .rate {
      slowdown = min(slowdown * 2, Self.slowdownMax)
      burstLeft = 0
    }
  }

  /// Whether it must be asked now; if so, when next is settled.
  mutating func takeDuePoll(monotonic now: Int64) -> Bool {
    guard refusedBy == nil, now >= nextPollMonotonic else { return false }
    let isBurst = burstLeft > 0
    if isBurst { burstLeft -= 1 }
    nextPollMonotonic = now + (isBurst ? polling.burstIntervalNanoseconds : intervalNanoseconds)
    return true
  }

  /// Forgets the samples and asks again at the faster pace.
  mutating func restart(monotonic now: Int64) {
    filter.removeAll()
    verdict = .unheard
    pace = polling.intervalNanosecondsMin
    patience = 0
    if slowdown == 1 {
      nextPollMonotonic = now
      burstLeft = polling.burstCount
    }
    hurry(after: now)
  }

  /// The next request comes no later than an interval from then.
  private mutating func hurry(after now: Int64) {
    nextPollMonotonic = min(nextPollMonotonic, now + intervalNanoseconds)
  }

  /// Why it cannot be used now; `nil` when it is fresh.
  func unusable(monotonic now: Int64, staleAfterPolls: Int64) -> ClockVerdict? {
    if let refusedBy { return .refused(refusedBy) }
    guard let newest = filter.newest else { return .unheard }
    let age = now - newest.monotonicNanoseconds
    return age > staleAfterPolls * intervalNanoseconds ? .stale(nanoseconds: age) : nil
  }

  func estimate(_ role: ClockFilter.Role, monotonic now: Int64) -> ClockEstimate? {
    switch (source, role) {
    case (.peer, .external):
      guard filter.newest?.claim?.isExternal == true else { return nil }
      return filter.estimate(role: role, atMonotonic: now)
    case (.peer, .raw), (.server, .raw), (.kernel, .raw):
      return filter.estimate(role: role, atMonotonic: now)
    case (.server, .external), (.kernel, .external), (.host, .raw), (.host, .external):
      return nil
    }
  }
}

package import HybridTime

/// One source, for status pages.
package struct ClockSourceSnapshot: Hashable, Sendable {
  /// Which source.
  package var source: ClockSource
  /// A server's name from the configuration, `node<N>` for a peer, `host` for this host's clock.
  package var name: String
  /// Its raw clock − corrected time now, nanoseconds; `nil` without samples.
  package var offsetNanoseconds: Int64?
  /// ± about the offset, nanoseconds.
  package var errorNanoseconds: Int64
  /// How fast its raw clock gains on the local monotonic clock, parts per billion; `nil` without samples.
  package var ratePartsPerBillion: Int64?
  /// Round trip of the newest sample, nanoseconds.
  package var delayNanoseconds: Int64
  /// Root mean square of the samples about their line, by weight, nanoseconds.
  package var jitterNanoseconds: Int64
  /// One bit for each of the last eight requests, 1 for answered, the newest lowest.
  package var reach: UInt8
  /// When it was last heard, monotonic nanoseconds.
  package var lastHeardMonotonicNanoseconds: Int64?
  /// Between two requests now, nanoseconds.
  package var pollIntervalNanoseconds: Int64
  /// Samples taken since the start.
  package var sampleCount: Int
  /// Samples that its line goes through now.
  package var usedCount: Int
  /// Requests without a sample since the start.
  package var failureCount: Int
  /// Samples dropped because newer ones contradicted them.
  package var contradictionCount: Int
  /// Samples that were taken for lone spikes.
  package var spikeCount: Int
  /// The last failure.
  package var lastFailure: ClockFailure?
  /// What became of it in the last estimate.
  package var verdict: ClockVerdict
}

/// A node's clock, for status pages and clock reports.
package struct ClockSnapshot: Hashable, Sendable {
  /// What the clock says: raw, correction, bound, epoch, status, reference.
  package var reading: ClockReading
  /// The raw clock's rate against the reference, parts per billion; positive when it runs fast.
  package var driftPartsPerBillion: Int64?
  /// How fast corrected time gains on the host's monotonic clock, parts per billion.
  package var ratePartsPerBillion: Int64
  /// How fast the bound grows between two estimates, parts per billion.
  package var boundGrowthPartsPerBillion: Int64
  /// What corrected time has still to be slewed by, nanoseconds.
  package var residualNanoseconds: Int64
  /// Whether a time was ever agreed on since the start.
  package var hasSynchronized: Bool
  /// Whether time servers of this node's own are among those that decide its time.
  package var isDirect: Bool
  /// Steps of the system clock seen since the start.
  package var stepCount: Int
  /// How far the last step went, nanoseconds.
  package var lastStepNanoseconds: Int64
  /// Pauses seen since the start.
  package var pauseCount: Int
  /// The last estimate's age, nanoseconds; `nil` before the first.
  package var estimateAgeNanoseconds: Int64?
  /// How long from now the clock is void without another estimate, nanoseconds; `nil` where it is.
  package var voidAfterNanoseconds: Int64?
  /// The host's clock first, then the peers, then the servers.
  package var sources: [ClockSourceSnapshot]
}

extension ClockVerdict {
  /// One word, as a status table shows it.
  package var name: String {
    switch self {
    case .selected: "selected"
    case .falseticker: "falseticker"
    case .outlier: "outlier"
    case .notCombined: "not-combined"
    case .noMajority: "no-majority"
    case .superseded: "superseded"
    case .noQuorum: "no-quorum"
    case .stale: "stale"
    case .unheard: "unheard"
    case .refused: "refused"
    case .settling: "settling"
    }
  }

  /// The reason as a sentence.
  package var reason: String {
    switch self {
    case .selected: "decides the corrected time"
    case .falseticker(let away): "misses the majority's interval by \(away) ns"
    case .outlier(let away): "misses the cluster median's interval by \(away) ns"
    case .notCombined(let away):
      "right, but \(away) ns from the others' mean: more than their noise"
    case .noMajority(let largest, let all): "only \(largest) of \(all) time sources agree"
    case .superseded: "not needed: time servers decide"
    case .noQuorum(let heard, let all): "only \(heard) of \(all) members are heard"
    case .stale(let age): "not heard for \(age) ns"
    case .unheard: "not heard since the start or the last disruption"
    case .refused(let code): "asked not to be polled: \(code)"
    case .settling: "waits for the first answers of the other sources"
    }
  }
}

extension ClockFailure {
  /// What happened, as a status table shows it.
  package var sentence: String {
    switch self {
    case .timeout: "no answer in time"
    case .unreachable: "cannot be reached"
    case .refused(let refusal): "its answer was not believed: \(refusal.sentence)"
    case .sample(let refusal): "its answer does not count: \(refusal.sentence)"
    case .kissOfDeath(let code): "asked to be left alone: \(code)"
    }
  }
}

extension NTPRefusal {
  fileprivate var sentence: String {
    switch self {
    case .malformed: "it is no NTP packet"
    case .wrongMode: "it is no server's answer"
    case .wrongVersion(let version): "version \(version)"
    case .originMismatch: "it answers another request"
    case .unsynchronized: "the source does not know the time itself"
    case .missingTimestamp: "a timestamp is missing"
    case .rootDistanceTooLong: "the source is more than 16 s from its reference"
    case .sample(let refusal): refusal.sentence
    }
  }
}

extension ClockSampleRefusal {
  fileprivate var sentence: String {
    switch self {
    case .timeOutOfRange: "a time out of range"
    case .receivedBeforeSent: "received before it was sent"
    case .transmittedBeforeReceived: "transmitted before the request was received"
    case .negativeDelay: "the source held it longer than the exchange took"
    case .delayTooLong: "the exchange took more than 4 s"
    case .errorOutOfRange: "the source's own error is out of range"
    case .outOfOrder: "a later one has come before it"
    case .beforeDisruption: "it was under way when the clock was disrupted"
    }
  }
}

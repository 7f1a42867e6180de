import ClockSync
import HybridTime
import JSONText

extension JSONWriter {
  /// The `clock` of `GET /status`: what it says, what it rests on, and why each source counts or not.
  mutating func clock(_ status: NodeStatus) {
    beginObject()
    key("status")
    string(status.clock.status.name)
    key("reference")
    string(status.clock.reference.name)
    key("correction")
    seconds(nanoseconds: status.clock.correctionNanoseconds, decimals: 9)
    key("bound")
    seconds(nanoseconds: status.clock.boundNanoseconds, decimals: 9)
    key("drift_ppb")
    integer(status.clockSnapshot?.driftPartsPerBillion ?? 0)
    key("epoch")
    integer(status.clock.epoch)
    key("raw")
    nanoseconds(status.clock.rawNanoseconds)
    key("corrected")
    nanoseconds(status.clock.correctedNanoseconds)
    if let snapshot = status.clockSnapshot { disciplined(snapshot) }
    key("sources")
    beginArray()
    for source in status.clockSnapshot?.sources ?? [] {
      clockSource(source, atMonotonic: status.monotonicNanoseconds)
    }
    endArray()
    endObject()
  }

  private mutating func disciplined(_ snapshot: ClockSnapshot) {
    key("rate_ppb")
    integer(snapshot.ratePartsPerBillion)
    key("bound_growth_ppb")
    integer(snapshot.boundGrowthPartsPerBillion)
    key("residual")
    seconds(nanoseconds: snapshot.residualNanoseconds, decimals: 9)
    key("void_after")
    optionalSeconds(snapshot.voidAfterNanoseconds, decimals: 3)
    key("direct")
    boolean(snapshot.isDirect)
    key("steps")
    integer(snapshot.stepCount)
    key("last_step")
    seconds(nanoseconds: snapshot.lastStepNanoseconds, decimals: 9)
    key("pauses")
    integer(snapshot.pauseCount)
  }

  private mutating func clockSource(_ source: ClockSourceSnapshot, atMonotonic now: Int64) {
    let isHeard = source.offsetNanoseconds != nil
    beginObject()
    key("name")
    string(source.name)
    key("kind")
    string(source.source.kindName)
    key("selected")
    boolean(source.verdict == .selected)
    key("verdict")
    string(source.verdict.name)
    key("reason")
    string(source.verdict.reason)
    key("offset")
    optionalSeconds(source.offsetNanoseconds, decimals: 9)
    key("bound")
    optionalSeconds(isHeard ? source.errorNanoseconds : nil, decimals: 9)
    key("delay")
    optionalSeconds(isHeard ? source.delayNanoseconds : nil, decimals: 9)
    key("jitter")
    optionalSeconds(isHeard ? source.jitterNanoseconds : nil, decimals: 9)
    key("rate_ppb")
    optional(source.ratePartsPerBillion) { $0.integer($1) }
    key("age")
    optionalSeconds(source.lastHeardMonotonicNanoseconds.map { now - $0 }, decimals: 3)
    key("poll")
    seconds(nanoseconds: source.pollIntervalNanoseconds, decimals: 3)
    key("reach")
    integer(source.reach)
    for (name, count) in [
      ("samples", source.sampleCount), ("used", source.usedCount),
      ("failures", source.failureCount),
      ("contradictions", source.contradictionCount), ("spikes", source.spikeCount),
    ] as [(StaticString, Int)] {
      key(name)
      integer(count)
    }
    key("last_failure")
    optional(source.lastFailure) { $0.string($1.sentence) }
    endObject()
  }
}

extension ClockSource {
  /// What it is, in answers.
  fileprivate var kindName: String {
    switch self {
    case .host: "host"
    case .peer: "node"
    case .server: "time_server"
    case .kernel: "kernel"
    }
  }
}

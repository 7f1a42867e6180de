import HybridTime

extension NodeClock {
  /// Everything for a status page, at a raw and a monotonic time that were read together.
  package func snapshot(
    rawNanoseconds raw: Int64, monotonicNanoseconds now: Int64
  ) -> ClockSnapshot {
    let reading = reading(rawNanoseconds: raw, monotonicNanoseconds: now)
    let correctedOffset = discipline.correctedNanoseconds(atMonotonic: now) - now
    var reports = [hostReport(aheadNanoseconds: raw - now - correctedOffset, now)]
    for state in sources { reports.append(state.snapshot(correctedOffset: correctedOffset, now)) }
    let isLocal = discipline.reference == .local
    return ClockSnapshot(
      reading: reading, driftPartsPerBillion: driftPartsPerBillion,
      ratePartsPerBillion: isLocal ? 0 : discipline.targetRate,
      boundGrowthPartsPerBillion: isLocal ? 0 : discipline.errorGrowth,
      residualNanoseconds: isLocal
        ? 0 : discipline.targetOffset(atMonotonic: now) - correctedOffset,
      hasSynchronized: discipline.hasSynchronized, isDirect: discipline.isDirect,
      stepCount: stepCount, lastStepNanoseconds: lastStepNanoseconds, pauseCount: pauseCount,
      estimateAgeNanoseconds: discipline.hasSynchronized
        ? now - discipline.targetMonotonic : nil,
      voidAfterNanoseconds: isLocal
        ? nil : discipline.targetMonotonic + configuration.voidAfterNanoseconds - now,
      sources: reports)
  }

  private func hostReport(aheadNanoseconds: Int64, _ now: Int64) -> ClockSourceSnapshot {
    ClockSourceSnapshot(
      source: .host, name: "host", offsetNanoseconds: aheadNanoseconds, errorNanoseconds: 0,
      ratePartsPerBillion: host.ratePartsPerBillion, delayNanoseconds: 0, jitterNanoseconds: 0,
      reach: .max,
      lastHeardMonotonicNanoseconds: now, pollIntervalNanoseconds: 0, sampleCount: 0,
      usedCount: 0, failureCount: 0, contradictionCount: 0, spikeCount: 0, lastFailure: nil,
      verdict: hostVerdict)
  }

  /// How fast the raw clock gains on the reference.
  private var driftPartsPerBillion: Int64? {
    guard discipline.hasSynchronized, discipline.reference != .local else { return nil }
    return host.ratePartsPerBillion.map { $0 - discipline.targetRate }
  }
}

extension ClockSourceState {
  fileprivate func snapshot(correctedOffset: Int64, _ now: Int64) -> ClockSourceSnapshot {
    let estimate = estimate(.raw, monotonic: now)
    return ClockSourceSnapshot(
      source: source, name: name,
      offsetNanoseconds: estimate.map { $0.offsetNanoseconds - correctedOffset },
      errorNanoseconds: estimate?.errorNanoseconds ?? 0,
      ratePartsPerBillion: estimate?.ratePartsPerBillion,
      delayNanoseconds: estimate?.delayNanoseconds ?? 0,
      jitterNanoseconds: filter.fit(.raw)?.deviation ?? 0,
      reach: reach, lastHeardMonotonicNanoseconds: lastHeardMonotonic,
      pollIntervalNanoseconds: intervalNanoseconds, sampleCount: sampleCount,
      usedCount: filter.fit(.raw)?.usedCount ?? 0, failureCount: failureCount,
      contradictionCount: filter.contradictionCount, spikeCount: filter.spikeCount,
      lastFailure: lastFailure, verdict: verdict)
  }
}

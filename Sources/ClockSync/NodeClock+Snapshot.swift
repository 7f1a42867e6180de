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
      reading: reading, driftPartsPerBillion: drift.partsPerBillion,
      residualNanoseconds: isLocal ? 0 : discipline.target - correctedOffset,
      hasSynchronized: discipline.hasSynchronized, isDirect: discipline.isDirect,
      stepCount: stepCount, lastStepNanoseconds: lastStepNanoseconds, pauseCount: pauseCount,
      estimateAgeNanoseconds: discipline.hasSynchronized
        ? now - discipline.targetMonotonic : nil,
      sources: reports)
  }

  private func hostReport(aheadNanoseconds: Int64, _ now: Int64) -> ClockSourceSnapshot {
    ClockSourceSnapshot(
      source: .host, name: "host", offsetNanoseconds: aheadNanoseconds, errorNanoseconds: 0,
      delayNanoseconds: 0, jitterNanoseconds: 0, reach: .max,
      lastHeardMonotonicNanoseconds: now, pollIntervalNanoseconds: 0, sampleCount: 0,
      failureCount: 0, contradictionCount: 0, lastFailure: nil, verdict: hostVerdict)
  }
}

extension ClockSourceState {
  fileprivate func snapshot(correctedOffset: Int64, _ now: Int64) -> ClockSourceSnapshot {
    let estimate = estimate(.raw, monotonic: now)
    return ClockSourceSnapshot(
      source: source, name: name,
      offsetNanoseconds: estimate.map { $0.offsetNanoseconds - correctedOffset },
      errorNanoseconds: estimate?.errorNanoseconds ?? 0,
      delayNanoseconds: estimate?.delayNanoseconds ?? 0,
      jitterNanoseconds: estimate.map {
        filter.jitterNanoseconds(about: $0.offsetNanoseconds)
      } ?? 0,
      reach: reach, lastHeardMonotonicNanoseconds: lastHeardMonotonic,
      pollIntervalNanoseconds: intervalNanoseconds, sampleCount: sampleCount,
      failureCount: failureCount, contradictionCount: filter.contradictionCount,
      lastFailure: lastFailure, verdict: verdict)
  }
}

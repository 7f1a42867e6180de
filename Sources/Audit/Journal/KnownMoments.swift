import Bytes
import ClockSync
import Ledger

/// A time in which one monotonic clock ran and nothing was seen to disturb it.
private struct ClockRun: Hashable {
  let process: Int
  /// Disruptions of the process before it.
  let disruptions: Int
}

extension NodeJournal {
  /// At every moment of both clocks: where true time was by the answers of time servers and of the kernel,
  /// from before and after; in the journal's order. Runs of the node are looked at one by one, as are the times
  /// between two disruptions: there the monotonic clock may have lost what it never counted.
  ///
  /// `count`: answers that it rests on.
  func knownMoments(_ limits: AuditedClockLimits) -> (moments: [KnownMoment], count: Int) {
    var runs: [ClockRun: [ClockSource: [ClockPoint]]] = [:]
    for sample in samples {
      guard let source = sample.measurement.reference else { continue }
      let point = sample.measurement.point(sample.moment)
      guard point.isPossible else { continue }
      runs[run(sample.process, sample.moment), default: [:]][source, default: []].append(point)
    }
    var hindsights: [ClockRun: ClockHindsight] = [:]
    for (run, points) in runs {
      hindsights[run] = ClockHindsight(
        points.mapValues(Self.ascending), rateMax: limits.frequencyErrorMax, wander: limits.drift)
    }
    var moments: [KnownMoment] = []
    for anchor in anchors {
      guard let hindsight = hindsights[run(anchor.process, anchor.moment)],
        ClockPoint.times.contains(anchor.monotonic),
        ClockPoint.times.contains(anchor.moment.corrected),
        let interval = hindsight.interval(atMonotonic: anchor.monotonic)
      else { continue }
      let corrected = anchor.moment.corrected &- anchor.monotonic
      moments.append(
        KnownMoment(
          corrected: anchor.moment.corrected, epoch: anchor.moment.epoch,
          low: interval.low &- corrected, high: interval.high &- corrected))
    }
    return (moments, hindsights.values.reduce(0) { $0 + $1.pointCount })
  }

  /// As far as they are in order: a monotonic clock that runs back is another one.
  private static func ascending(_ points: [ClockPoint]) -> [ClockPoint] {
    var kept: [ClockPoint] = []
    for point in points where kept.last.map({ $0.monotonic < point.monotonic }) ?? true {
      kept.append(point)
    }
    return kept
  }

  /// Which run of the monotonic clock something belongs to.
  private func run(_ process: Int, _ moment: ClockMoment) -> ClockRun {
    ClockRun(
      process: process, disruptions: processes[process].disruptions.count { $0 <= moment.epoch })
  }
}

extension ClockPoint {
  /// Monotonic and corrected times that a node can have had, nanoseconds: up to 127 years, so that differences
  /// of what a journal says, true or not, stay within 64 bits.
  fileprivate static let times: Range<Int64> = 0..<4_000_000_000_000_000_000
  /// The largest error that says anything, nanoseconds: three years.
  private static let errorMax: Int64 = 100_000_000_000_000_000

  fileprivate var isPossible: Bool {
    Self.times.contains(monotonic) && Self.times.contains(offset)
      && (0...Self.errorMax).contains(error)
  }
}

extension ClockMeasurement {
  /// The source, where it speaks for true time of its own.
  fileprivate var reference: ClockSource? {
    switch kind {
    case .peer: nil
    case .server: .server(UInt16(truncatingIfNeeded: id))
    case .kernel: .kernel
    }
  }

  /// The answer against the monotonic clock.
  fileprivate func point(_ moment: ClockMoment) -> ClockPoint {
    ClockPoint(
      monotonic: monotonicNanoseconds,
      offset: offsetNanoseconds &+ (moment.raw &- monotonicNanoseconds), error: bound,
      delay: delayNanoseconds)
  }
}

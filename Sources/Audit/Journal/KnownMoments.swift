import Bytes
import ClockSync
import Ledger

extension NodeJournal {
  /// At every moment of both clocks: where true time was by the answers of time servers and of the kernel,
  /// from before and after; in the journal's order. Runs of the node are looked at one by one, as are the times
  /// between two disruptions: there the monotonic clock may have lost what it never counted.
  ///
  /// `count`: answers that it rests on.
  func knownMoments() -> (moments: [KnownMoment], count: Int) {
    var runs: [Int: [ClockSource: [ClockPoint]]] = [:]
    for sample in samples {
      guard let source = sample.measurement.reference else { continue }
      runs[run(of: sample.moment.epoch), default: [:]][source, default: []].append(
        sample.measurement.point(sample.moment))
    }
    var hindsights: [Int: ClockHindsight] = [:]
    for (run, points) in runs { hindsights[run] = ClockHindsight(points.mapValues(Self.ascending)) }
    var moments: [KnownMoment] = []
    for anchor in anchors {
      guard let hindsight = hindsights[run(of: anchor.moment.epoch)],
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

  /// Which run of the monotonic clock an epoch belongs to.
  private func run(of epoch: UInt32) -> Int { runStarts.count { $0 <= epoch } }
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

package import ClockSync
package import HybridTime

/// A time at which the clock was looked at.
package struct ClockLabMoment: Sendable {
  /// True time, nanoseconds since 1970.
  package let trueNanoseconds: Int64
  /// The monotonic clock.
  package let monotonic: Int64
  /// What the clock said.
  package let reading: ClockReading
}

/// What a clock was worth in one simulated world.
package struct ClockLabResult: Sendable {
  /// An error above this counts as not yet synchronized, nanoseconds: chrony's own limit.
  package static let errorNanosecondsMax: Int64 = 1_000_000

  /// The world's seed.
  package let seed: UInt64
  /// False servers that it had.
  package let falseServerCount: Int
  /// Readings that claim true time, and lie within their bound.
  package private(set) var insideCount = 0
  /// The first reading that does not.
  package private(set) var violation: String?
  /// Seconds until the error stayed below ``errorNanosecondsMax`` for good; nil where it has not, for the
  /// last tenth of the time at least.
  package var synchronizedSeconds: Int64? {
    firstSeconds.map { max($0, lateSeconds) }.flatMap { $0 < seconds * 9 / 10 ? $0 : nil }
  }
  /// The largest error of any reading that claims true time, nanoseconds.
  package private(set) var errorMaxEver: Int64 = 0
  /// The largest error after the settling time, nanoseconds.
  package private(set) var errorMax: Int64 = 0
  private let seconds: Int64
  private let settlingSeconds: Int64
  private var firstSeconds: Int64?
  /// After this the error was never above the limit.
  private var lateSeconds: Int64 = 0
  private var squareSum = 0.0
  private var errorCount = 0
  /// Bounds beside those errors, nanoseconds.
  package private(set) var bounds: [Int64] = []
  /// Datagrams sent, both ways.
  package var packetCount = 0
  /// Time that the clock's own work took, nanoseconds.
  package var clockNanoseconds: UInt64 = 0
  /// The servers' answers, where they are kept.
  package private(set) var points: [ClockSource: [ClockPoint]] = [:]
  /// When the clock was looked at, where that is kept.
  package var moments: [ClockLabMoment] = []
  /// Sources that the clock calls falsetickers at the end.
  package var falseVerdictCount = 0

  init(_ options: ClockLabOptions) {
    seed = options.seed
    falseServerCount = options.falseServerCount
    seconds = options.seconds
    settlingSeconds = options.settlingSeconds
    bounds.reserveCapacity(Int(options.seconds))
  }

  /// Root mean square of the errors, nanoseconds.
  package var errorRootMeanSquare: Double {
    errorCount == 0 ? 0 : (squareSum / Double(errorCount)).squareRoot()
  }

  /// The median bound, nanoseconds.
  package var boundMedian: Int64 {
    bounds.isEmpty ? 0 : bounds.sorted()[bounds.count / 2]
  }

  /// What ``lookBack()`` found: moments in the bounds of hindsight, those of them whose bounds are narrower than
  /// the clock's own, and moments that are outside.
  package private(set) var hindsight = (inside: 0, narrower: 0, outside: 0)

  /// Looks back at the moments that were kept, and forgets them.
  package mutating func lookBack() {
    let known = ClockHindsight(points)
    var counts = (inside: 0, narrower: 0, outside: 0)
    for moment in moments {
      guard let interval = known.interval(atMonotonic: moment.monotonic) else { continue }
      let truth = moment.trueNanoseconds - moment.monotonic
      guard interval.low <= truth, truth <= interval.high else {
        counts.outside += 1
        continue
      }
      counts.inside += 1
      let corrected = moment.reading.correctedNanoseconds - moment.monotonic
      let reach = max(interval.high - corrected, corrected - interval.low)
      if moment.reading.reference != .external || reach < moment.reading.boundNanoseconds {
        counts.narrower += 1
      }
    }
    hindsight = counts
    (points, moments) = ([:], [])
  }

  /// Keeps an answer.
  mutating func take(_ sample: ClockSample, from source: ClockSource) {
    let error = sample.errorNanoseconds(
      atMonotonic: sample.monotonicNanoseconds, remoteError: sample.remoteErrorNanoseconds,
      rate: 500_000)
    points[source, default: []].append(
      ClockPoint(
        monotonic: sample.monotonicNanoseconds, offset: sample.offsetNanoseconds, error: error,
        delay: sample.delayNanoseconds))
  }

  /// Takes a reading whose error is known, at a true time since the start.
  mutating func take(_ reading: ClockReading, error: Int64, at now: Int64) {
    guard reading.reference == .external,
      reading.status == .synchronized || reading.status == .holdover
    else { return }
    if error.magnitude <= UInt64(reading.boundNanoseconds) {
      insideCount += 1
    } else if violation == nil {
      violation =
        "at \(now / 1_000_000) ms it is \(error) ns from true time and claims \(reading.boundNanoseconds)"
    }
    errorMaxEver = max(errorMaxEver, Int64(clamping: error.magnitude))
    let second = now / 1_000_000_000
    if firstSeconds == nil { firstSeconds = second }
    if error.magnitude > UInt64(Self.errorNanosecondsMax) { lateSeconds = second + 1 }
    guard second >= settlingSeconds else { return }
    errorMax = max(errorMax, Int64(clamping: error.magnitude))
    squareSum += Double(error) * Double(error)
    errorCount += 1
    bounds.append(reading.boundNanoseconds)
  }
}

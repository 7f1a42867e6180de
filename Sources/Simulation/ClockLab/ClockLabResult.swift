import HybridTime

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
  /// Seconds until the error stayed below ``errorNanosecondsMax`` for good; nil while it has not.
  package private(set) var synchronizedSeconds: Int64?
  /// Errors since then or since the first reading that claims true time, whichever is later: the largest,
  /// nanoseconds.
  package private(set) var errorMax: Int64 = 0
  private var squareSum = 0.0
  private var errorCount = 0
  /// Bounds beside those errors, nanoseconds.
  package private(set) var bounds: [Int64] = []
  /// Datagrams sent, both ways.
  package var packetCount = 0
  /// Time that the clock's own work took, nanoseconds.
  package var clockNanoseconds: UInt64 = 0
  /// Sources that the clock calls falsetickers at the end.
  package var falseVerdictCount = 0

  init(_ options: ClockLabOptions) {
    seed = options.seed
    falseServerCount = options.falseServerCount
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
    guard error.magnitude <= UInt64(Self.errorNanosecondsMax) else {
      synchronizedSeconds = nil
      (errorMax, squareSum, errorCount) = (0, 0, 0)
      bounds.removeAll(keepingCapacity: true)
      return
    }
    if synchronizedSeconds == nil { synchronizedSeconds = now / 1_000_000_000 }
    errorMax = max(errorMax, Int64(clamping: error.magnitude))
    squareSum += Double(error) * Double(error)
    errorCount += 1
    bounds.append(reading.boundNanoseconds)
  }
}

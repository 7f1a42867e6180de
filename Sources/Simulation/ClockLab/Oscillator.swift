import Bytes
import Glibc

/// A monotonic clock whose rate is wrong and walks at random, over true time.
struct Oscillator {
  /// True time of the last change of rate, nanoseconds since the start.
  private(set) var now: Int64 = 0
  private var reading: Double = 0
  private(set) var rate: Double
  private let start: Int64
  private let walk: Double
  /// The rate stays within this of what it was, parts per billion.
  private let walkMax: Double
  private let rateStart: Double

  /// `rate` and `walk` (standard deviation a second) in parts per billion.
  init(start: Int64, rate: Double, walk: Double, walkMax: Double) {
    self.start = start
    self.rate = rate
    rateStart = rate
    self.walk = walk
    self.walkMax = walkMax
  }

  /// What it shows at a true time from the last change on.
  func monotonic(atTrue time: Int64) -> Int64 {
    let span = Double(time - now)
    return start + now + (time - now) + Int64(reading + span * rate * 1e-9)
  }

  /// Goes on to a true time, where the rate changes.
  mutating func advance(toTrue time: Int64, _ random: inout SeededGenerator) {
    let span = Double(time - now)
    reading += span * rate * 1e-9
    now = time
    let step = random.normal() * walk * (span * 1e-9).squareRoot()
    rate = min(max(rate + step, rateStart - walkMax), rateStart + walkMax)
  }
}

extension SeededGenerator {
  /// A number of the standard normal distribution (Box and Muller 1958).
  mutating func normal() -> Double {
    let (first, second) = (
      Double.random(in: 0x1p-60..<1, using: &self), Double.random(in: 0..<1, using: &self)
    )
    return (-2 * log(first)).squareRoot() * cos(2 * .pi * second)
  }

  /// A number of the exponential distribution with mean 1.
  mutating func exponential() -> Double { -log(Double.random(in: 0x1p-60..<1, using: &self)) }
}

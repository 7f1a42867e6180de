import Glibc
package import NodeRuntime

/// The host's two clocks: CLOCK_REALTIME, and CLOCK_BOOTTIME, which counts suspend.
package struct HostClock: Sendable {
  /// Tests set the system clock wrong by this, nanoseconds.
  private let rawOffsetNanoseconds: Int64
  /// Tests make it run fast by this.
  private let rawDriftPartsPerMillion: Int64
  private let startNanoseconds: Int64

  /// The host's clocks, off by what a test asks for.
  package init(rawOffsetMilliseconds: Int = 0, rawDriftPartsPerMillion: Int = 0) {
    rawOffsetNanoseconds = Int64(rawOffsetMilliseconds) * 1_000_000
    self.rawDriftPartsPerMillion = Int64(rawDriftPartsPerMillion)
    startNanoseconds = Self.read(CLOCK_BOOTTIME)
  }

  /// Both clocks, read together: again where the thread was suspended in between.
  package func now() -> HostTime {
    var best = HostTime(rawNanoseconds: 0, monotonicNanoseconds: 0)
    var narrowest = Int64.max
    for _ in 0..<Self.attemptsMax {
      let before = Self.read(CLOCK_BOOTTIME)
      let raw = Self.read(CLOCK_REALTIME)
      let after = Self.read(CLOCK_BOOTTIME)
      if after - before < narrowest {
        narrowest = after - before
        best = HostTime(
          rawNanoseconds: raw, monotonicNanoseconds: before + (after - before) / 2)
      }
      if narrowest < Self.togetherNanoseconds { break }
    }
    let age = best.monotonicNanoseconds - startNanoseconds
    best.rawNanoseconds +=
      rawOffsetNanoseconds + age / 1_000_000 * rawDriftPartsPerMillion
    return best
  }

  private static let attemptsMax = 3
  private static let togetherNanoseconds: Int64 = 5000

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    let result = clock_gettime(clock, &time)
    precondition(result == 0, "every Linux has these clocks")
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

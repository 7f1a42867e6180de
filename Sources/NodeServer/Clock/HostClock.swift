import CHost
import Glibc
package import NodeRuntime
import Synchronization

/// The host's two clocks: CLOCK_REALTIME, and one that no daemon slews and that counts suspend:
/// CLOCK_MONOTONIC_RAW and the time suspended, which is CLOCK_BOOTTIME − CLOCK_MONOTONIC.
///
/// CLOCK_BOOTTIME alone would not do: a daemon that brings the system clock to time slews it too, chronyd
/// by as much as 8 %, which is far beyond what any oscillator may do.
package struct HostClock: Sendable {
  /// Tests set the system clock wrong by this, nanoseconds.
  private let rawOffsetNanoseconds: Int64
  /// Tests make it run fast by this.
  private let rawDriftPartsPerMillion: Int64
  private let startNanoseconds: Int64
  private let suspension = Suspension()

  /// The host's clocks, off by what a test asks for.
  package init(rawOffsetMilliseconds: Int = 0, rawDriftPartsPerMillion: Int = 0) {
    rawOffsetNanoseconds = Int64(rawOffsetMilliseconds) * 1_000_000
    self.rawDriftPartsPerMillion = Int64(rawDriftPartsPerMillion)
    startNanoseconds = suspension.nanoseconds() + HostClock.read(CLOCK_MONOTONIC_RAW)
  }

  /// Both clocks, read together: again where the thread was suspended in between.
  package func now() -> HostTime {
    let suspended = suspension.nanoseconds()
    var best = HostTime(rawNanoseconds: 0, monotonicNanoseconds: 0)
    var narrowest = Int64.max
    for _ in 0..<Self.attemptsMax {
      let before = Self.read(CLOCK_MONOTONIC_RAW)
      let raw = Self.read(CLOCK_REALTIME)
      let after = Self.read(CLOCK_MONOTONIC_RAW)
      if after - before < narrowest {
        narrowest = after - before
        best = HostTime(
          rawNanoseconds: raw, monotonicNanoseconds: suspended + before + (after - before) / 2)
      }
      if narrowest < Self.togetherNanoseconds { break }
    }
    let age = best.monotonicNanoseconds - startNanoseconds
    best.rawNanoseconds +=
      rawOffsetNanoseconds + age / 1_000_000 * rawDriftPartsPerMillion
    return best
  }

  /// What the kernel says of the system clock (adjtimex(2)); nil where nobody disciplines it.
  package func kernel() -> KernelClock? {
    var state = timex()
    let result = adjtimex(&state)
    guard result >= 0, result != TIME_ERROR, state.status & STA_UNSYNC == 0, state.maxerror >= 0
    else { return nil }
    let offset = Int64(state.offset) * (state.status & STA_NANO == 0 ? 1000 : 1)
    let error = Int64(state.maxerror).multipliedReportingOverflow(by: 1000)
    guard !error.overflow else { return nil }
    return KernelClock(
      time: now(), errorNanoseconds: error.partialValue + Int64(clamping: offset.magnitude))
  }

  private static let attemptsMax = 3
  private static let togetherNanoseconds: Int64 = 5000

  fileprivate static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    let result = clock_gettime(clock, &time)
    precondition(result == 0, "every Linux has these clocks")
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// How long the host has been suspended since it started.
///
/// CLOCK_MONOTONIC is read after CLOCK_BOOTTIME, so that a difference may come out too small and never too
/// large: the largest seen is the best, and what rests on it never runs back.
private final class Suspension: Sendable {
  private let largest = Atomic<Int64>(0)

  func nanoseconds() -> Int64 {
    let total = HostClock.read(CLOCK_BOOTTIME)
    let difference = total - HostClock.read(CLOCK_MONOTONIC)
    return largest.max(difference, ordering: .relaxed).newValue
  }
}

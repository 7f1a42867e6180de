import NodeRuntime
import Simulation
import Testing

/// A host's clocks over true time.
@Suite struct SimulatedClockTests {
  private let second: Int64 = 1_000_000_000
  private let clock = SimulatedClock(
    monotonicStart: 500, monotonicDrift: 50_000, rawOffset: 7, rawDrift: -20_000)

  private func raw(_ clock: SimulatedClock, at now: Int64) -> Int64 {
    clock.time(at: now).rawNanoseconds - SimulatedClock.worldStartNanoseconds
  }

  @Test func `rates and offsets are those that were drawn`() {
    #expect(clock.time(at: 0).monotonicNanoseconds == 500)
    #expect(clock.time(at: second).monotonicNanoseconds == 500 + second + 50_000)
    #expect(raw(clock, at: second) == 7 + second - 20_000)
  }

  @Test func `a step moves the system clock and nothing else`() {
    var stepped = clock
    stepped.step(by: -3600 * second, at: second)
    #expect(raw(stepped, at: second) == raw(clock, at: second) - 3600 * second)
    #expect(raw(stepped, at: 2 * second) == raw(clock, at: 2 * second) - 3600 * second)
    #expect(
      stepped.time(at: second).monotonicNanoseconds == clock.time(at: second).monotonicNanoseconds)
  }

  @Test func `a frozen system clock goes on from where it stood`() {
    var frozen = clock
    frozen.setFrozen(true, at: second)
    #expect(raw(frozen, at: 3 * second) == raw(clock, at: second))
    frozen.setFrozen(false, at: 3 * second)
    #expect(raw(frozen, at: 4 * second) == raw(clock, at: second) + second - 20_000)
  }

  @Test func `a clock is brought near only where it is far`() {
    var far = clock
    far.bringNear(10, at: 0)
    #expect(raw(far, at: 0) == 7)
    far.step(by: second, at: 0)
    far.bringNear(10, at: 0)
    #expect(raw(far, at: 0) == 10)
  }
}

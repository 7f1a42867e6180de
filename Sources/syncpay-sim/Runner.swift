import Foundation
import Simulation

/// Runs many worlds, each in one task of its own that shares nothing with the others.
struct Runner {
  let canary: Canary
  let jobs: Int
  let failuresMax: Int
  /// Told of each failure when it comes.
  let tell: (UInt64, Violation) -> Void

  /// What many worlds came to.
  struct Summary {
    var worldCount = 0
    var failed: [(seed: UInt64, violation: Violation)] = []
    var statistics = SimulationStatistics()

    /// What is printed at the end.
    func lines(elapsed: Duration) -> [String] {
      let seconds = max(elapsed / .seconds(1), 0.001)
      let virtual = Double(statistics.virtualNanoseconds) / 1e9
      let rate = Int(Double(worldCount) * 60 / seconds)
      return statistics.lines + [
        "\(worldCount) worlds, \(worldCount - failed.count) passed, \(failed.count) failed, in "
          + "\(Int(seconds)) s: \(rate) worlds a minute, "
          + "\(Int(virtual / seconds)) simulated hours an hour"
      ]
    }
  }

  func run(_ seeds: ClosedRange<UInt64>) async -> Summary {
    var summary = Summary()
    await withTaskGroup(of: SimulationResult.self) { group in
      var next: UInt64? = seeds.lowerBound
      func startNext() {
        guard let seed = next, summary.failed.count < failuresMax else { return }
        next = seed < seeds.upperBound ? seed + 1 : nil
        let options = SimulationOptions(seed: seed, canary: canary)
        group.addTask { World(options).run() }
      }
      for _ in 0..<jobs { startNext() }
      for await result in group {
        summary.worldCount += 1
        summary.statistics.add(result.statistics)
        if let violation = result.violation {
          summary.failed.append((result.options.seed, violation))
          tell(result.options.seed, violation)
        }
        startNext()
      }
    }
    return summary
  }
}

import ArgumentParser
import Foundation
import Simulation

/// What accuracy costs: a sweep of poll interval and sample count over simulated networks.
struct ClockCostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clock-cost",
    abstract: "What accuracy costs: poll interval and sample count against simulated networks.",
    discussion: """
      For each network, interval and number of samples some clocks are run over three good servers, from
      seeds 1 on. Printed: error (rms and largest after the first hour), median bound,
      datagrams and processor time an hour. CPU is what the clock's own code took on this machine; all
      other figures are the same on any.

      Networks: lan (0.05 ms each way, 0.02 ms of jitter), wan (10 ms, 2 ms), internet (40 ms, 10 ms, and
      20 ms longer back than there).
      """)

  private static let settlingSeconds: Int64 = 3600

  @Option(help: "Poll intervals, seconds.", transform: numbers)
  var intervals: [Int] = [1, 4, 16, 64, 256, 1024]

  @Option(help: "Samples that a fit goes through, 4 to 64.", transform: numbers)
  var samples: [Int] = [8, 64]

  @Option(help: "Clocks for each row.")
  var clocks = 5

  @Option(help: "Hours of each clock.")
  var hours = 6

  @Option(help: "Write an SVG picture of it to this file.")
  var plot: String?

  func validate() throws {
    guard clocks > 0, hours > 1, intervals.allSatisfy({ (1...4096).contains($0) }),
      samples.allSatisfy({ (4...64).contains($0) })
    else { throw ValidationError("See syncpay-sim clock-cost --help for the ranges.") }
  }

  func run() throws {
    print("network   poll s  samples   rms error   max error  median bound  datagrams/h  cpu ms/h")
    var rows: [ClockCostRow] = []
    for network in ClockCostNetwork.allCases {
      for count in samples {
        for interval in intervals {
          let row = row(network, interval: interval, samples: count)
          print(row.line)
          fflush(nil)
          rows.append(row)
        }
      }
    }
    if let plot { try Data(ClockCostPlot(rows).svg.utf8).write(to: URL(fileURLWithPath: plot)) }
  }

  private func row(_ network: ClockCostNetwork, interval: Int, samples: Int) -> ClockCostRow {
    var row = ClockCostRow(network: network, interval: interval, samples: samples)
    var (squares, packets, nanoseconds) = (0.0, 0, UInt64(0))
    var bounds: [Int64] = []
    for seed in 1...UInt64(clocks) {
      var options = ClockLabOptions(seed: seed)
      network.apply(to: &options)
      options.seconds = Int64(hours) * 3600
      options.settlingSeconds = Self.settlingSeconds
      options.poll(everySeconds: Int64(interval), sampleCount: samples)
      var lab = ClockLab(options) { monotonicNanoseconds() }
      let result = lab.run()
      row.errorMax = max(row.errorMax, Double(result.errorMax))
      squares += result.errorRootMeanSquare * result.errorRootMeanSquare
      bounds.append(result.boundMedian)
      packets += result.packetCount
      nanoseconds += result.clockNanoseconds
    }
    let total = Double(clocks * hours)
    row.errorRootMeanSquare = (squares / Double(clocks)).squareRoot()
    row.boundMedian = Double(bounds.sorted()[bounds.count / 2])
    row.packetsAnHour = Double(packets) / total
    row.cpuMillisecondsAnHour = Double(nanoseconds) / 1e6 / total
    return row
  }
}

private func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Reads `1,4,16`.
private func numbers(_ text: String) throws -> [Int] {
  let numbers = text.split(separator: ",").map { Int($0) }
  guard !numbers.isEmpty, !numbers.contains(nil) else {
    throw ValidationError("\"\(text)\" is no list of numbers: write 1,4,16.")
  }
  return numbers.compactMap { $0 }
}

/// A kind of path to the servers.
enum ClockCostNetwork: String, CaseIterable {
  case lan, wan, internet

  func apply(to options: inout ClockLabOptions) {
    switch self {
    case .lan: (options.baseDelay, options.jitter) = (50_000, 20_000)
    case .wan: (options.baseDelay, options.jitter) = (10_000_000, 2_000_000)
    case .internet:
      (options.baseDelay, options.jitter, options.asymmetry) = (40_000_000, 10_000_000, 20_000_000)
    }
    options.serverError = 20_000
  }
}

/// What one setting came to; times in nanoseconds.
struct ClockCostRow {
  let network: ClockCostNetwork
  let interval: Int
  let samples: Int
  var errorRootMeanSquare = 0.0
  var errorMax = 0.0
  var boundMedian = 0.0
  var packetsAnHour = 0.0
  var cpuMillisecondsAnHour = 0.0

  var line: String {
    func text(_ nanoseconds: Double) -> String { String(format: "%.1f us", nanoseconds / 1000) }
    return [
      network.rawValue.padded(to: 8), "\(interval)".padded(to: -8), "\(samples)".padded(to: -9),
      text(errorRootMeanSquare).padded(to: -12), text(errorMax).padded(to: -12),
      text(boundMedian).padded(to: -14), String(format: "%.0f", packetsAnHour).padded(to: -13),
      String(format: "%.1f", cpuMillisecondsAnHour).padded(to: -10),
    ].joined()
  }
}

extension String {
  /// With spaces behind it up to a width, or before it where that is negative.
  fileprivate func padded(to width: Int) -> String {
    let room = String(repeating: " ", count: max(0, abs(width) - count))
    return width < 0 ? room + self : self + room
  }
}

import Bytes
import ClockSync

/// What one node's clock is tried against: an oscillator, time servers, and the paths to them.
package struct ClockLabOptions: Sendable {
  /// Decides every draw.
  package var seed: UInt64
  /// How long, seconds of true time.
  package var seconds: Int64 = 10_000
  /// Errors and bounds are told from then on, seconds: chrony's limit for being synchronized.
  package var settlingSeconds: Int64 = 120
  /// Time servers.
  package var serverCount = 3
  /// How many of them tell a time that is off by more than any exchange could hide.
  package var falseServerCount = 0
  /// The system clock's error at the start, nanoseconds.
  package var startOffset: Int64 = 100_000_000
  /// The oscillator's rate error at the start, parts per billion, either way.
  package var frequencyError = 100_000.0
  /// Standard deviation of what the rate walks in a second, parts per billion.
  package var wander = 1.0
  /// The rate stays within this of what it was at the start, parts per billion: half of what the settings
  /// promise to cover.
  package var wanderMax = 7_500.0
  /// Shortest way there and back each, nanoseconds.
  package var baseDelay = 100_000.0
  /// Mean of the exponential delay that each way adds, nanoseconds.
  package var jitter = 100_000.0
  /// How much longer than the way there the way back is, nanoseconds.
  package var asymmetry = 0.0
  /// Requests or answers lost, permille.
  package var lossPermille = 0
  /// Everything is lost in these seconds.
  package var outage: Range<Int64>?
  /// Keep every answer and every true time that was looked at, for whoever looks back.
  package var keepsHistory = false
  /// What the servers say they may be off, and are at most, nanoseconds.
  package var serverError: Int64 = 0
  /// The clock's own settings beside its servers.
  var configuration = ClockConfiguration(node: NodeID(1))

  /// The simulation that chrony's own tests use by default (clknetsim; ANCHORS, Time): 100 ms and 100 ppm
  /// off, 0.1 ms of delay and of jitter, the rate walking by 1e-9 a second.
  package init(seed: UInt64) { self.seed = seed }

  /// A world of which everything is drawn, within what the settings promise to cover.
  package static func drawn(seed: UInt64) -> ClockLabOptions {
    var random = SeededGenerator(seed: seed, concern: .options)
    var options = ClockLabOptions(seed: seed)
    options.seconds = 4_000
    options.settlingSeconds = 0
    options.serverCount = random.number(1...7)
    options.falseServerCount = random.number(0...(options.serverCount - 1) / 2)
    options.startOffset = random.span(-3600 * Span.second...3600 * Span.second)
    options.frequencyError = Double(random.number(0...450_000))
    options.wander = Double(random.number(0...30)) / 10
    options.baseDelay = Double(random.logarithmicSpan(20_000...80_000_000))
    options.jitter = Double(random.logarithmicSpan(5_000...20_000_000))
    options.asymmetry =
      random.chance(500) ? Double(random.span(0...Int64(2 * options.baseDelay))) : 0
    options.lossPermille = random.number(0...300)
    options.serverError = random.logarithmicSpan(1_000...5_000_000)
    let interval = Span.second << Int64(random.number(0...7))
    options.configuration.serverPolling.intervalNanosecondsMin = interval
    options.configuration.serverPolling.intervalNanosecondsMax =
      interval << Int64(random.number(0...3))
    options.configuration.sampleCountMax = random.number(4...ClockFilter.sampleCountMax)
    return options
  }

  /// Asks the servers at one pace, and keeps so many samples of each.
  package mutating func poll(everySeconds seconds: Int64, sampleCount: Int) {
    configuration.serverPolling.intervalNanosecondsMin = seconds * Span.second
    configuration.serverPolling.intervalNanosecondsMax = seconds * Span.second
    configuration.sampleCountMax = sampleCount
  }
}

import Bytes
import ClockSync
import HybridTime

/// One node's clock against simulated time servers, over true time that it does not know.
///
/// The clock is the code of production, asked and polled as a node does; the wire format is passed through
/// as well. Every second its reading is held against true time.
package struct ClockLab {
  private struct UnderWay {
    let exchange: ClockExchange
    let datagram: [UInt8]?
    /// True time of the answer's arrival, or of the time-out where it is lost.
    let end: Int64
  }

  private static let stepNanoseconds: Int64 = 500 * Span.millisecond
  /// As ``NodeRuntime``'s exchanges are given up.
  private static let timeoutNanoseconds: Int64 = 2 * Span.second

  private let options: ClockLabOptions
  private let rawOffset: Int64
  private let serverErrors: [Int64]
  private var oscillator: Oscillator
  private var clock: NodeClock
  private var network: SeededGenerator
  private var walk: SeededGenerator
  private var underWay: [UnderWay] = []
  private var result: ClockLabResult
  /// What the clock's own work is timed with, nanoseconds; 0 in a world that is not timed.
  private let stopwatch: () -> UInt64

  /// A world at its start. `stopwatch` is asked before and after the clock's own work.
  package init(_ options: ClockLabOptions, stopwatch: @escaping () -> UInt64 = { 0 }) {
    self.options = options
    self.stopwatch = stopwatch
    var random = SeededGenerator(seed: options.seed, concern: .clock)
    let start = random.span(0...1_000_000 * Span.second)
    rawOffset = SimulatedClock.worldStartNanoseconds - start + options.startOffset
    oscillator = Oscillator(
      start: start, rate: (random.chance(500) ? 1 : -1) * options.frequencyError,
      walk: options.wander, walkMax: options.wanderMax)
    serverErrors = (0..<options.serverCount).map { place in
      guard place < options.falseServerCount else {
        return random.span(-options.serverError...options.serverError)
      }
      return (random.chance(500) ? 1 : -1) * random.span(10 * Span.second...3600 * Span.second)
    }
    var configuration = options.configuration
    configuration.servers = serverErrors.indices.map {
      ClockServer(number: UInt16($0), name: "server\($0)")
    }
    clock = NodeClock(
      configuration: configuration, rawNanoseconds: start + rawOffset, monotonicNanoseconds: start)
    network = SeededGenerator(seed: options.seed, concern: .network)
    walk = SeededGenerator(seed: options.seed, concern: .nodes)
    result = ClockLabResult(options)
  }

  /// Runs the world to its end.
  package mutating func run() -> ClockLabResult {
    var now: Int64 = 0
    while now < options.seconds * Span.second {
      oscillator.advance(toTrue: now, &walk)
      end(before: now)
      let monotonic = oscillator.monotonic(atTrue: now)
      let (due, asking) = timed { clock.nextPolls(monotonicNanoseconds: monotonic) }
      for source in due { ask(source, at: now) }
      let (_, polling) = timed {
        clock.poll(rawNanoseconds: monotonic + rawOffset, monotonicNanoseconds: monotonic)
      }
      result.clockNanoseconds += asking + polling
      // At any time of every other step.
      if now % Span.second == 0 {
        check(at: now + network.span(0...Self.stepNanoseconds - 1))
      }
      now += Self.stepNanoseconds
    }
    let monotonic = oscillator.monotonic(atTrue: oscillator.now)
    let snapshot = clock.snapshot(
      rawNanoseconds: monotonic + rawOffset, monotonicNanoseconds: monotonic)
    result.falseVerdictCount = snapshot.sources.count { source in
      if case .falseticker = source.verdict { true } else { false }
    }
    return result
  }

  private func timed<R>(_ body: () -> R) -> (R, UInt64) {
    let start = stopwatch()
    let value = body()
    return (value, stopwatch() - start)
  }

  /// Sends a request: what becomes of it is drawn now.
  private mutating func ask(_ source: ClockSource, at now: Int64) {
    guard case .server(let number) = source else { return }
    result.packetCount += 1
    let exchange = ClockExchange(
      source: source, nonce: network.next() | 1,
      sentMonotonicNanoseconds: oscillator.monotonic(atTrue: now))
    let received = now + travel(extra: 0)
    let answered = received + network.span(1_000...50_000)
    let back = answered + travel(extra: options.asymmetry)
    let isOut = options.outage?.contains(now / Span.second) ?? false
    guard !network.chance(options.lossPermille), !isOut, back - now < Self.timeoutNanoseconds else {
      underWay.append(
        UnderWay(exchange: exchange, datagram: nil, end: now + Self.timeoutNanoseconds))
      return
    }
    result.packetCount += 1
    let start = SimulatedClock.worldStartNanoseconds + serverErrors[Int(number)]
    let state = NTPPacket.ServerState(
      stratum: 2, rootDelayNanoseconds: 0, rootDispersionNanoseconds: options.serverError,
      referenceID: 1, referenceTimeNanoseconds: start)
    let answer = NTPPacket.makeServerResponse(
      to: exchange.request, receiveNanoseconds: start + received,
      transmitNanoseconds: start + answered, state: state)
    underWay.append(UnderWay(exchange: exchange, datagram: answer?.datagram, end: back))
  }

  private mutating func travel(extra: Double) -> Int64 {
    Int64(options.baseDelay + extra + options.jitter * network.exponential())
  }

  /// Hands the clock what has arrived by now.
  private mutating func end(before now: Int64) {
    for exchange in underWay where exchange.end <= now { finish(exchange) }
    underWay.removeAll { $0.end <= now }
  }

  private mutating func finish(_ ended: UnderWay) {
    guard let datagram = ended.datagram else {
      return clock.recordFailure(.timeout, from: ended.exchange.source)
    }
    let monotonic = oscillator.monotonic(atTrue: ended.end)
    let start = stopwatch()
    do throws(NTPRefusal) {
      let answer = try ended.exchange.accept(
        datagram: datagram, monotonicNanoseconds: monotonic, rawNanoseconds: monotonic + rawOffset)
      if case .sample(let sample) = answer {
        clock.record(sample, from: ended.exchange.source)
        if options.keepsHistory { result.take(sample, from: ended.exchange.source) }
      }
    } catch {
      clock.recordFailure(.refused(error), from: ended.exchange.source)
    }
    result.clockNanoseconds += stopwatch() - start
  }

  private mutating func check(at now: Int64) {
    let monotonic = oscillator.monotonic(atTrue: now)
    let reading = clock.reading(
      rawNanoseconds: monotonic + rawOffset, monotonicNanoseconds: monotonic)
    result.take(
      reading, error: reading.correctedNanoseconds - SimulatedClock.worldStartNanoseconds - now,
      at: now)
    guard options.keepsHistory else { return }
    result.moments.append(
      ClockLabMoment(
        trueNanoseconds: SimulatedClock.worldStartNanoseconds + now, monotonic: monotonic,
        reading: reading))
  }
}

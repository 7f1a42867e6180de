import ClockSync

/// The clock requests that are out, one for each source.
struct ClockExchanges {
  /// A request without an answer for so long is given up, nanoseconds.
  static let timeoutNanoseconds: Int64 = 2_000_000_000

  private var open: [ClockExchange] = []
  private var generator: any RandomNumberGenerator & Sendable

  init(generator: any RandomNumberGenerator & Sendable) { self.generator = generator }

  /// Starts an exchange, in place of one that is still out with this source.
  mutating func start(_ source: ClockSource, monotonicNanoseconds now: Int64) -> ClockExchange {
    open.removeAll { $0.source == source }
    let exchange = ClockExchange(
      source: source, nonce: UInt64.random(in: 1 ... .max, using: &generator),
      sentMonotonicNanoseconds: now)
    open.append(exchange)
    return exchange
  }

  /// The exchange that an answer of this source belongs to; it is over.
  mutating func end(_ source: ClockSource) -> ClockExchange? {
    guard let place = open.firstIndex(where: { $0.source == source }) else { return nil }
    return open.remove(at: place)
  }

  /// Puts an exchange back: what came was not its answer.
  mutating func resume(_ exchange: ClockExchange) { open.append(exchange) }

  /// Ends the exchanges that have been out for too long, and returns their sources.
  mutating func expire(monotonicNanoseconds now: Int64) -> [ClockSource] {
    let isOver = { (exchange: ClockExchange) in
      now - exchange.sentMonotonicNanoseconds > Self.timeoutNanoseconds
    }
    let sources = open.filter(isOver).map(\.source)
    open.removeAll(where: isOver)
    return sources
  }
}

import Synchronization

/// What clients that pay all the time have come to.
final class SteadyLoad: Sendable {
  private struct State {
    var isOver = false
    var count = 0
    /// When each client last had an acknowledgement.
    var last: [Int: ContinuousClock.Instant] = [:]
    /// The longest time between two acknowledgements of one client.
    var pauseMax = Duration.zero
  }

  private let state = Mutex(State())

  /// Whether clients are to end.
  var isOver: Bool { state.withLock(\.isOver) }

  /// Payments acknowledged so far.
  var count: Int { state.withLock(\.count) }

  /// Tells clients to end when they have their answer.
  func stop() { state.withLock { $0.isOver = true } }

  /// Notes an acknowledgement.
  func acknowledged(by client: Int, at instant: ContinuousClock.Instant) {
    state.withLock { state in
      state.count += 1
      if let last = state.last[client] { state.pauseMax = max(state.pauseMax, instant - last) }
      state.last[client] = instant
    }
  }

  /// Notes an acknowledgement of a client that pays once.
  func acknowledgedOnce() { state.withLock { $0.count += 1 } }

  /// The longest that any client has waited since this was last asked, those that still wait too.
  func takePauseMax(at now: ContinuousClock.Instant) -> Duration {
    state.withLock { state in
      defer { state.pauseMax = .zero }
      return state.last.values.reduce(state.pauseMax) { max($0, now - $1) }
    }
  }
}

/// One object's behaviour, one operation at a time.
package protocol SequentialSpecification: Sendable {
  /// All that the object remembers.
  associatedtype State: Hashable
  /// What was asked and what came back.
  associatedtype Call
  /// Before the first operation.
  static var initial: State { get }
  /// The states that the object can be in after a call with that answer; none where it could not
  /// have answered so. A call without an answer has taken effect, whatever it answered.
  static func step(_ state: State, _ call: Call, hasAnswered: Bool) -> [State]
}

/// A call with the span in which it took effect, if it did: from its invocation to its answer, both
/// included; without an end where no answer came, which may also mean that it never took effect.
package struct TimedCall<Call> {
  /// What was asked, and what came back.
  package let call: Call
  /// Virtual nanoseconds.
  package let invoked: Int64
  /// Virtual nanoseconds, nil while open.
  package let answered: Int64?

  /// A call from its parts.
  package init(_ call: Call, invoked: Int64, answered: Int64?) {
    self.call = call
    self.invoked = invoked
    self.answered = answered
  }
}

/// Whether calls that overlap in time can be put into one order that respects time and that the
/// specification allows.
///
/// The search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's
/// memory of configurations seen ("Testing for linearizability", 2017): a configuration is the set
/// of calls already ordered and the state they led to. Exponential in the calls that overlap.
package enum Linearizability<Specification: SequentialSpecification> {
  private struct Configuration: Hashable {
    /// One bit for each call that has been ordered.
    var ordered: [UInt64]
    let state: Specification.State

    func contains(_ place: Int) -> Bool {
      ordered[place / 64] & (1 << UInt64(place % 64)) != 0
    }

    func adding(_ place: Int, _ state: Specification.State) -> Configuration {
      var next = Configuration(ordered: ordered, state: state)
      next.ordered[place / 64] |= 1 << UInt64(place % 64)
      return next
    }
  }

  /// True where there is such an order.
  package static func holds(_ calls: [TimedCall<Specification.Call>]) -> Bool {
    let sorted = calls.sorted { $0.invoked < $1.invoked }
    let start = Configuration(
      ordered: [UInt64](repeating: 0, count: sorted.count / 64 + 1), state: Specification.initial)
    var seen: Set<Configuration> = [start]
    var open = [start]
    while let configuration = open.popLast() {
      var isComplete = true
      var nextAnswer = Int64.max
      for (place, call) in sorted.enumerated() where !configuration.contains(place) {
        guard let answered = call.answered else { continue }
        isComplete = false
        nextAnswer = min(nextAnswer, answered)
      }
      if isComplete { return true }
      // Whoever was invoked before the first answer that is still due may be next.
      for (place, call) in sorted.enumerated() {
        if call.invoked > nextAnswer { break }
        guard !configuration.contains(place) else { continue }
        let states = Specification.step(
          configuration.state, call.call, hasAnswered: call.answered != nil)
        for state in states {
          let next = configuration.adding(place, state)
          if seen.insert(next).inserted { open.append(next) }
        }
      }
    }
    return false
  }
}

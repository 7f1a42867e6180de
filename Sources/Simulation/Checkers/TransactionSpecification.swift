/// What one transaction id may answer, as a sequential object: the first payment takes the id; the
/// same payment is a duplicate from then on; another one is refused.
package enum TransactionSpecification: SequentialSpecification {
  /// What came back.
  package enum Answer: Hashable, Sendable {
    /// It took effect, as this event.
    case applied(sequence: UInt64)
    /// It had taken effect, as this event.
    case duplicate(of: UInt64)
    /// Nothing was done for it.
    case refused
    /// Nothing is known.
    case none
  }

  /// A payment of some contents under the id.
  package struct Call: Hashable, Sendable {
    /// Names the contents.
    package let contents: Int
    /// What came back.
    package let answer: Answer

    /// A call from its parts.
    package init(contents: Int, answer: Answer) {
      self.contents = contents
      self.answer = answer
    }
  }

  /// Which contents took the id, and the event if an answer named it.
  package struct Taken: Hashable, Sendable {
    let contents: Int
    let sequence: UInt64?
  }

  /// The id is free.
  package static var initial: Taken? { nil }

  /// One call.
  package static func step(_ state: Taken?, _ call: Call, hasAnswered: Bool) -> [Taken?] {
    guard hasAnswered else {
      return [state ?? Taken(contents: call.contents, sequence: nil)]
    }
    let isOurs = state.map { $0.contents == call.contents } ?? true
    switch call.answer {
    case .refused: return [state]
    case .none: return [state, state ?? Taken(contents: call.contents, sequence: nil)]
    case .applied(let sequence):
      // Calls that waited for one pending payment are told the same.
      guard isOurs, state?.sequence == nil || state?.sequence == sequence else { return [] }
      return [Taken(contents: call.contents, sequence: sequence)]
    case .duplicate(let sequence):
      // The payment it repeats may be one whose answer never came.
      guard let state, isOurs, state.sequence == nil || state.sequence == sequence else {
        return []
      }
      return [Taken(contents: call.contents, sequence: sequence)]
    }
  }
}

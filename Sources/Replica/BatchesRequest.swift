package import Bytes
package import SegmentLog

/// A damaged node asks for batches that it lacks.
package struct BatchesRequest: Hashable, Sendable {
  /// The first batch.
  package var first: LogIndex
  /// The last batch. Invariant: not before `first`.
  package var last: LogIndex
  /// Whether only committed ones will do: nothing that the asker has left vouches for them.
  package var mustBeCommitted: Bool

  /// A request from its parts. Precondition: `first <= last`.
  package init(first: LogIndex, last: LogIndex, mustBeCommitted: Bool) {
    precondition(first <= last, "a request names a batch")
    self.first = first
    self.last = last
    self.mustBeCommitted = mustBeCommitted
  }
}

/// Why a node gives no batches.
package enum BatchesProblem: UInt8, Hashable, Sendable {
  /// It has none at that place, or, where only committed ones will do, none that it knows to be.
  case absent = 1
  /// It had it, and its own copy is damaged; it does not know it to be committed.
  case damaged = 2
  /// It knows it to be committed, and its own copy is damaged.
  case lost = 3
}

/// The answer to a ``BatchesRequest``: batches from `first` on, as many as a frame may carry, or why
/// there are none.
package struct BatchesAnswer: Sendable {
  /// The first batch that was asked for.
  package var first: LogIndex
  /// The batches, verified. Empty exactly where there is a problem.
  package var batches: [Batch]
  /// Why there are none.
  package var problem: BatchesProblem?

  /// Batches, the first of them at `first`.
  package init(first: LogIndex, batches: [Batch]) {
    precondition(!batches.isEmpty, "an answer without batches has a reason")
    self.first = first
    self.batches = batches
  }

  /// No batches.
  package init(first: LogIndex, problem: BatchesProblem) {
    self.first = first
    batches = []
    self.problem = problem
  }
}

import Bytes
import Ledger
import SegmentLog
import Synchronization

/// The checks of a window of segments, filled in by several threads.
final class CheckResults: Sendable {
  private let results: Mutex<[SegmentCheck?]>

  init(count: Int) { results = Mutex(Array(repeating: nil, count: count)) }

  func set(_ check: SegmentCheck, _ place: Int) { results.withLock { $0[place] = check } }

  var all: [SegmentCheck] { results.withLock { $0.compactMap { $0 } } }
}

/// Replays segments that have been checked, while the next ones are.
///
/// One thread at a time runs it; the lock is what shows that.
final class LedgerJob: Sendable {
  private struct State: ~Copyable {
    var ledger: LedgerCheck?
    var waiting: [SegmentCheck] = []
    var fault: LogFault?
    var failure: LogError?
  }

  private let state: Mutex<State>

  /// Whether there is a ledger to be rebuilt.
  let isLedger: Bool

  init(isLedger: Bool) {
    self.isLedger = isLedger
    state = Mutex(State(ledger: isLedger ? LedgerCheck() : nil))
  }

  /// What is to be replayed next.
  var waiting: [SegmentCheck] {
    get { state.withLock { $0.waiting } }
    set { state.withLock { $0.waiting = newValue } }
  }

  /// Replays what waits, up to the first fault.
  func run(_ directory: String, _ marking: Set<LogIndex>) {
    state.withLock { state in
      let waiting = state.waiting
      state.waiting = []
      for check in waiting where state.fault == nil && state.failure == nil {
        do throws(LogError) {
          state.fault =
            try state.ledger?.replay(check, directory: directory, marking: marking) ?? nil
        } catch {
          state.failure = error
        }
      }
    }
  }

  /// The fault that was found, once.
  func takeFault() throws(LogError) -> LogFault? {
    let (fault, failure) = state.withLock { state in (state.fault.take(), state.failure) }
    if let failure { throw failure }
    return fault
  }

  /// The ledger's digest, where there is a ledger.
  var digest: Digest256? { state.withLock { $0.ledger?.digest ?? nil } }

  /// The members, where there is a ledger and it names some.
  var members: [ClusterMember]? { state.withLock { $0.ledger?.members ?? nil } }

  /// The ledger's digest at a place of which a checkpoint tells.
  func mark(_ index: LogIndex) -> Digest256? { state.withLock { $0.ledger?.marks[index] } }
}

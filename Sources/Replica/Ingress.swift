import Bytes
import DequeModule
import HybridTime
import Ledger

/// The payments that clients of this node sent and that are not settled yet.
///
/// A payment stays here, encoded, until this node's own ledger has settled it, so that it can be
/// sent again to a new leader: its transaction id makes that safe.
struct Ingress {
  /// One payment and everybody who waits for it.
  struct Pending {
    let draft: PaymentDraft
    let stamp: Stamp
    /// The event record as it will stand in the log.
    let record: [UInt8]
    /// Submissions that wait: more than one where clients sent the same payment again.
    var tokens: [UInt64]
    /// Its number in the order of arrival.
    let number: UInt64
    /// When it was taken in.
    let takenTick: Int
    /// When it was last given to a leader, or nil. A payment never given out was never logged.
    var sentTick: Int?
    /// How often it was given out.
    var sendCount = 0
  }

  private struct Arrival {
    let number: UInt64
    let id: TransactionID
  }

  private var pending: [TransactionID: Pending] = [:]
  /// In order of arrival; settled ones are dropped when they come to the front.
  private var order: Deque<Arrival> = []
  /// To be given to the leader, in order.
  private var unsent: Deque<TransactionID> = []
  private var nextNumber: UInt64 = 0

  /// How many payments wait for their answer.
  var count: Int { pending.count }

  /// Whether something is to be given to the leader.
  var hasUnsent: Bool { !unsent.isEmpty }

  subscript(id: TransactionID) -> Pending? { pending[id] }

  /// Takes in a payment that is not pending.
  mutating func add(_ submission: Submission, stamp: Stamp, record: [UInt8], tick: Int) {
    let id = submission.draft.id
    precondition(pending[id] == nil)
    pending[id] = Pending(
      draft: submission.draft, stamp: stamp, record: record, tokens: [submission.token],
      number: nextNumber, takenTick: tick, sentTick: nil)
    order.append(Arrival(number: nextNumber, id: id))
    unsent.append(id)
    nextNumber += 1
  }

  /// Lets one more submission wait for a pending payment.
  mutating func join(_ id: TransactionID, token: UInt64) { pending[id]?.tokens.append(token) }

  /// Ends a payment's wait.
  mutating func remove(_ id: TransactionID) -> Pending? {
    guard let removed = pending.removeValue(forKey: id) else { return nil }
    while let front = order.first, pending[front.id]?.number != front.number {
      order.removeFirst()
    }
    return removed
  }

  /// Everything is to be sent again: the leader changed, or the connection to it broke.
  mutating func resendAll() {
    unsent.removeAll(keepingCapacity: true)
    for arrival in order where pending[arrival.id]?.number == arrival.number {
      unsent.append(arrival.id)
    }
  }

  /// Whether the oldest payment was sent so long ago that it seems lost.
  func isOverdue(tick: Int, resendTicks: Int) -> Bool {
    guard unsent.isEmpty, let front = order.first, let oldest = pending[front.id],
      let sent = oldest.sentTick
    else { return false }
    return tick - sent >= resendTicks
  }

  /// Calls `give` with each unsent payment as it was before, in order, for as long as it returns
  /// true. One that was given before has a `sentTick`.
  mutating func send(tick: Int, _ give: (Pending) -> Bool) {
    while let id = unsent.first {
      if let payment = pending[id] {
        guard give(payment) else { return }
        pending[id]?.sentTick = tick
        pending[id]?.sendCount += 1
      }
      unsent.removeFirst()
    }
  }

  /// Removes and returns the payments taken in more than `ticksMax` ago, oldest first.
  mutating func removeExpired(tick: Int, ticksMax: Int) -> [Pending] {
    var expired: [Pending] = []
    while let front = order.first, let oldest = pending[front.id],
      oldest.number == front.number, tick - oldest.takenTick >= ticksMax
    {
      if let removed = remove(front.id) { expired.append(removed) }
    }
    if !expired.isEmpty { unsent.removeAll { pending[$0] == nil } }
    return expired
  }

  /// Removes and returns the payments that `condition` names, in order of arrival.
  mutating func removeAll(where condition: (Pending) -> Bool) -> [Pending] {
    var removed: [Pending] = []
    for arrival in order {
      guard let payment = pending[arrival.id], payment.number == arrival.number,
        condition(payment)
      else { continue }
      pending.removeValue(forKey: arrival.id)
      removed.append(payment)
    }
    order.removeAll { pending[$0.id]?.number != $0.number }
    if !removed.isEmpty { unsent.removeAll { pending[$0] == nil } }
    return removed
  }
}

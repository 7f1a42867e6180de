package import Bytes
import HybridTime
package import Ledger
import SegmentLog

/// A payment that another order would have treated otherwise.
package struct AffectedByOrder: Sendable {
  /// The event.
  package let sequence: EventSequence
  /// Its transaction id.
  package let id: String
  /// What became of it in the log's order, and what would have in the other.
  package let outcomes: (log: OutcomeCode, other: OutcomeCode)
  /// Its sender's balance right after it, minor units, in the log's order and in the other.
  package let senderBalances: (log: Int128, other: Int128)
  /// Its receiver's.
  package let receiverBalances: (log: Int128, other: Int128)

}

/// What another order of the same payments would have changed in the ledger.
package struct OrderEffects: Sendable {
  /// What the other order is by.
  package let order: TimelineOrder
  /// Payments that stand at another place in it.
  package fileprivate(set) var movedCount = 0
  /// Payments that it accepts where the log's order rejects them, or the other way round.
  package fileprivate(set) var acceptanceCount = 0
  /// Payments after which their sender or receiver has another balance.
  package fileprivate(set) var balanceCount = 0
  /// The first payments whose acceptance or balance differs, in the log's order; those of acceptance first.
  package private(set) var affected: [AffectedByOrder] = []
  /// Accounts whose balance at the end differs.
  package fileprivate(set) var finalBalanceCount = 0

  /// What became of a payment, and the balances right after it.
  fileprivate struct Effect {
    var code: OutcomeCode
    var sender: Int128
    var receiver: Int128

    /// Whether its client was told that it stands: a repetition is.
    var isAccepted: Bool { code == .applied || code == .duplicate }
  }
}

/// All records of a log, one after the other, so that they can be applied in another order.
private struct RecordedPayments {
  var bytes: [UInt8] = []
  /// Of each event: its record.
  var ranges: [Range<Int>] = []
  /// Of each event: the time that orders it, nanoseconds; nil where it is no payment.
  var times: [Int64?] = []
  var hybrids: [UInt32] = []

  /// Applies the events in an order, and gives what became of each, by its place in the log.
  func effects(
    inOrder order: [Int]
  ) throws(AuditError) -> (effects: [OrderEffects.Effect?], balances: [AccountBalance]) {
    var ledger = LedgerState()
    var effects = [OrderEffects.Effect?](repeating: nil, count: ranges.count)
    var outcomes: [Outcome] = []
    for (number, place) in order.enumerated() {
      outcomes.removeAll(keepingCapacity: true)
      let record = bytes.span.bytes.extracting(ranges[place])
      do throws(LedgerError) {
        try ledger.apply(
          firstSequence: EventSequence(UInt64(number) + 1), count: 1, records: record,
          batchHash: .zero, outcomes: &outcomes)
      } catch {
        throw .ledger(index: .zero, error)
      }
      guard times[place] != nil, let outcome = outcomes.first else { continue }
      effects[place] = try decoding(.zero) { () throws(DecodeError) in
        var cursor = RecordCursor(record)
        guard let found = try cursor.next(in: record) else { return nil }
        let view = try PaymentView(found.body, in: record)
        func balance(_ name: Range<Int>) -> Int128 {
          let bytes = record.extracting(name).withUnsafeBytes { [UInt8]($0) }
          return ledger.balance(of: bytes, view.currency) ?? 0
        }
        return OrderEffects.Effect(
          code: outcome.code, sender: balance(view.sender), receiver: balance(view.receiver))
      }
    }
    return (effects, ledger.balances())
  }

  /// The events with the payments among them in order of their times; everything else keeps its place.
  var orderByTime: [Int] {
    let payments = ranges.indices.filter { times[$0] != nil }
    let sorted = payments.sorted {
      (times[$0] ?? 0, hybrids[$0], $0) < (times[$1] ?? 0, hybrids[$1], $1)
    }
    var order = Array(ranges.indices)
    for (place, payment) in zip(payments, sorted) { order[place] = payment }
    return order
  }
}

extension AgreedLog {
  /// Applies the log's payments in order of another time, and compares with what became of them. Memory:
  /// the log's records, and some 150 bytes a payment.
  package func effects(
    of order: TimelineOrder, through limit: LogIndex, listed: Int
  ) throws(AuditError) -> OrderEffects {
    guard base.firstSequence == EventSequence(1) else { throw .incomplete(first: base.firstIndex) }
    var recorded = RecordedPayments()
    try forEachBatch(through: limit) { header, records throws(AuditError) in
      try decoding(header.index) { () throws(DecodeError) in
        var cursor = RecordCursor(records)
        var start = 0
        while let record = try cursor.next(in: records) {
          let stamp = try record.stamp(in: records)
          let base = recorded.bytes.count
          records.extracting(start..<record.body.upperBound).withUnsafeBytes {
            recorded.bytes.append(contentsOf: $0)
          }
          recorded.ranges.append(base..<recorded.bytes.count)
          recorded.times.append(record.kind == .payment ? stamp.time(order) : nil)
          recorded.hybrids.append(order == .hlc ? stamp.hybrid.logical : 0)
          start = record.body.upperBound
        }
      }
      return .proceed
    }
    let other = recorded.orderByTime
    let logged = try recorded.effects(inOrder: Array(recorded.ranges.indices))
    let reordered = try recorded.effects(inOrder: other)
    var effects = OrderEffects(order: order)
    effects.movedCount = other.enumerated().count { $0.offset != $0.element }
    effects.finalBalanceCount = differences(logged.balances, reordered.balances)
    var found: [Int] = []
    for place in recorded.ranges.indices {
      guard let one = logged.effects[place], let two = reordered.effects[place] else { continue }
      let isAccepted = one.isAccepted != two.isAccepted
      let isBalance = one.sender != two.sender || one.receiver != two.receiver
      if isAccepted { effects.acceptanceCount += 1 }
      if isBalance { effects.balanceCount += 1 }
      if isAccepted || isBalance, found.count < 1 << 20 { found.append(place) }
    }
    found.sort { first, second in
      let one = logged.effects[first]?.isAccepted != reordered.effects[first]?.isAccepted
      let two = logged.effects[second]?.isAccepted != reordered.effects[second]?.isAccepted
      return one == two ? first < second : one
    }
    for place in found.prefix(listed) {
      guard let one = logged.effects[place], let two = reordered.effects[place] else { continue }
      effects.take(
        place, try recorded.id(of: place), log: one, other: two)
    }
    return effects
  }
}

/// Accounts that are not in both lists with one balance.
private func differences(_ left: [AccountBalance], _ right: [AccountBalance]) -> Int {
  struct Account: Hashable {
    let name: [UInt8]
    let currency: Currency
  }
  var balances: [Account: Int128] = [:]
  for balance in left {
    balances[Account(name: balance.name, currency: balance.currency)] = balance.minorUnits
  }
  var count = 0
  for balance in right {
    let known = balances.removeValue(
      forKey: Account(name: balance.name, currency: balance.currency))
    if known != balance.minorUnits { count += 1 }
  }
  return count + balances.count
}

extension RecordedPayments {
  fileprivate func id(of place: Int) throws(AuditError) -> String {
    try decoding(.zero) { () throws(DecodeError) in
      let record = bytes.span.bytes.extracting(ranges[place])
      var cursor = RecordCursor(record)
      guard let found = try cursor.next(in: record) else { return "" }
      return try PaymentView(found.body, in: record).id(in: record).text
    }
  }
}

extension OrderEffects {
  fileprivate init(order: TimelineOrder) { self.order = order }

  fileprivate mutating func take(_ place: Int, _ id: String, log: Effect, other: Effect) {
    affected.append(
      AffectedByOrder(
        sequence: EventSequence(UInt64(place) + 1), id: id, outcomes: (log.code, other.code),
        senderBalances: (log.sender, other.sender),
        receiverBalances: (log.receiver, other.receiver)))
  }
}

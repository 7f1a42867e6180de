package import Bytes
import HybridTime
package import Ledger
package import SegmentLog

/// The ledger once more, as simply as it can be said, fed with the committed batches: what every
/// answer, every balance and every audit is compared with. Shares no code with ``LedgerState`` but
/// the decoding of records.
package struct ModelLedger {
  /// What became of one event.
  package struct Event: Sendable {
    /// The payment, or nil for another kind of event.
    package let draft: PaymentDraft?
    /// What it gave.
    package let code: OutcomeCode
  }

  private struct Account: Hashable {
    let name: [UInt8]
    let currency: Currency
  }

  /// By sequence, from 1 on.
  package private(set) var events: [Event] = []
  private var firsts: [TransactionID: Int] = [:]
  /// Every balance that an account had, and the event that brought it; the first is 0, by none.
  private var balances: [Account: [(sequence: Int, balance: Int128)]] = [:]
  /// Payments whose money moved.
  package private(set) var appliedCount: UInt64 = 0
  /// Payments that were there before.
  package private(set) var duplicateCount: UInt64 = 0

  /// Nothing has happened.
  package init() {}

  /// The event with that sequence.
  package subscript(sequence: EventSequence) -> Event? {
    sequence > .zero && sequence.rawValue <= UInt64(events.count)
      ? events[Int(sequence.rawValue) - 1] : nil
  }

  /// The sequence and the payment that first used an id.
  package func first(_ id: TransactionID) -> (sequence: EventSequence, event: Event)? {
    firsts[id].map { (EventSequence(UInt64($0) + 1), events[$0]) }
  }

  /// Applies the next committed batch.
  package mutating func apply(_ batch: Batch) throws(Violation) {
    guard batch.header.firstSequence.rawValue == UInt64(events.count) + 1 else {
      throw Violation("sequences have no gap", "batch \(batch.index.rawValue)")
    }
    let records = batch.records
    let span = records.span.bytes
    var cursor = RecordCursor(span)
    do {
      while let record = try cursor.next(in: span) {
        guard record.kind == .payment else {
          events.append(Event(draft: nil, code: .noted))
          continue
        }
        settle(try PaymentView(record.body, in: span).draft(in: span))
      }
    } catch {
      throw Violation("committed records decode", "batch \(batch.index.rawValue): \(error)")
    }
    guard events.count == Int(batch.header.lastSequence.rawValue) else {
      throw Violation("headers count their events", "batch \(batch.index.rawValue)")
    }
  }

  private mutating func settle(_ draft: PaymentDraft) {
    if let first = firsts[draft.id] {
      let isSame = events[first].draft == draft
      if isSame { duplicateCount += 1 }
      events.append(Event(draft: draft, code: isSame ? .duplicate : .idReused))
      return
    }
    firsts[draft.id] = events.count
    appliedCount += 1
    events.append(Event(draft: draft, code: .applied))
    move(-Int128(draft.amountMinorUnits), draft.sender, draft.currency)
    move(Int128(draft.amountMinorUnits), draft.receiver, draft.currency)
  }

  private mutating func move(_ amount: Int128, _ name: [UInt8], _ currency: Currency) {
    let account = Account(name: name, currency: currency)
    let before = balances[account]?.last?.balance ?? 0
    balances[account, default: [(0, 0)]].append((events.count, before + amount))
  }

  /// Every balance that an account had, and the event that brought it; the first is 0, by none.
  func balances(of name: [UInt8], _ currency: Currency) -> [(sequence: Int, balance: Int128)] {
    balances[Account(name: name, currency: currency)] ?? [(0, 0)]
  }

  /// Whether a ledger that has applied all of this says the same of every account and count:
  /// conservation of money, no payment lost, none applied twice.
  package func check(
    _ node: String, balances theirs: [AccountBalance], counts: LedgerCounts
  ) throws(Violation) {
    guard theirs.reduce(Int128(0), { $0 + $1.minorUnits }) == 0 else {
      throw Violation("conservation of money", "\(node): balances do not sum to zero")
    }
    guard theirs.count == balances.count,
      theirs.allSatisfy({
        balances(of: $0.name, $0.currency).last?.balance == $0.minorUnits
      })
    else { throw Violation("balances are the model's", node) }
    guard counts.applied == appliedCount, counts.duplicates == duplicateCount else {
      throw Violation(
        "no payment lost or applied twice",
        "\(node) has \(counts.applied) applied and \(counts.duplicates) duplicates; the model "
          + "\(appliedCount) and \(duplicateCount)")
    }
  }
}

package import Bytes
import HybridTime
import JSONText
import Ledger
import SegmentLog

/// Up to where a ledger is asked for.
package enum LedgerMoment: Hashable, Sendable {
  /// Everything that the log holds.
  case end
  /// Payments taken in at or before this corrected time, nanoseconds since 1970.
  case time(Int64)
  /// Events up to this one.
  case sequence(EventSequence)
}

/// Which ledger is shown, and how.
package struct LedgerOptions: Sendable {
  /// Up to where.
  package var moment = LedgerMoment.end
  /// Only this account, and every posting on it. UTF-8.
  package var account: [UInt8]?
  /// Table or JSON.
  package var format = ReportFormat.table
  /// Also what is not certainly committed.
  package var includesUncommitted = false

  /// All balances at the end of the log, as a table.
  package init() {}
}

/// What a ledger run came to.
package struct LedgerSummary: Hashable, Sendable {
  /// Accounts, a name in two currencies counted twice.
  package var accountCount = 0
  /// Payments whose money moved, up to the moment asked for.
  package var paymentCount: UInt64 = 0
  /// Whether the balances of every currency sum to zero, as double entry demands.
  package var isBalanced = true

  /// An empty ledger.
  package init() {}
}

/// The ledger up to a moment: only what the whole log applied, and was before the moment.
///
/// The whole log decides what counts, so that a retry never counts in place of its original.
private struct LedgerAt: ~Copyable {
  var state = LedgerState()
  private let moment: LedgerMoment
  private var kept: [UInt8] = []

  init(_ moment: LedgerMoment) { self.moment = moment }

  func includes(_ stamp: Stamp, _ sequence: EventSequence) -> Bool {
    switch moment {
    case .end: true
    case .time(let time): stamp.correctedNanoseconds <= time
    case .sequence(let last): sequence <= last
    }
  }

  /// Starts a batch.
  mutating func begin() { kept.removeAll(keepingCapacity: true) }

  /// Keeps a record's bytes for the batch at hand.
  mutating func keep(_ record: Record, _ records: borrowing RawSpan) {
    records.extracting(record.bytes).withUnsafeBytes { kept.append(contentsOf: $0) }
  }

  /// Applies what was kept.
  mutating func end(count: UInt64, _ header: BatchHeader) throws(AuditError) {
    guard count > 0 else { return }
    var outcomes: [Outcome] = []
    let (first, records) = (state.lastSequence.next, kept)
    do throws(LedgerError) {
      try state.apply(
        firstSequence: first, count: count, records: records.span.bytes, batchHash: header.hash,
        outcomes: &outcomes)
    } catch {
      throw .ledger(index: header.index, error)
    }
  }
}

extension AgreedLog {
  /// Writes balances, totals, and for one account its postings, all from the segments alone.
  package func writeLedger(
    _ options: LedgerOptions, to writer: ReportWriter
  ) throws(AuditError) -> LedgerSummary {
    var postings = PostingList(options, writer)
    let limit = options.includesUncommitted ? lastIndex : committed
    var past = LedgerAt(options.moment)
    let isPast = options.moment != .end
    let whole = try replay(through: limit) { header, records, outcomes throws(AuditError) in
      guard isPast || options.account != nil else { return .proceed }
      past.begin()
      var keptCount: UInt64 = 0
      var cursor = RecordCursor(records)
      for (number, outcome) in outcomes.enumerated() {
        let sequence = EventSequence(header.firstSequence.rawValue + UInt64(number))
        let next = try decoding(header.index) { () throws(DecodeError) in
          try cursor.next(in: records)
        }
        guard outcome.code == .applied, let record = next else { continue }
        let stamp = try decoding(header.index) { () throws(DecodeError) in
          try record.stamp(in: records)
        }
        guard past.includes(stamp, sequence) else { continue }
        if isPast {
          past.keep(record, records)
          keptCount += 1
        }
        try postings.take(record, records, stamp, sequence, header.index)
      }
      if isPast { try past.end(count: keptCount, header) }
      if case .sequence(let last) = options.moment, header.lastSequence >= last { return .stop }
      return .proceed
    }
    let summary =
      isPast
      ? try write(past.state, options, writer, whole, &postings)
      : try write(whole.state, options, writer, whole, &postings)
    try writing { () throws(OutputError) in try writer.flush() }
    return summary
  }

  private func write(
    _ state: borrowing LedgerState, _ options: LedgerOptions, _ writer: ReportWriter,
    _ whole: borrowing ReplayedLedger, _ postings: inout PostingList
  ) throws(AuditError) -> LedgerSummary {
    let balances = state.balances()
    let sheet = BalanceSheet(
      balances: balances, paymentCount: state.counts.applied, moment: options.moment,
      lastIndex: whole.index, lastSequence: whole.state.lastSequence, committed: committed)
    do throws(OutputError) {
      if let account = options.account {
        try postings.end(balances.filter { $0.name == account })
      } else {
        switch options.format {
        case .table: try sheet.writeTable(to: writer)
        case .json: try sheet.writeJSON(to: writer)
        }
      }
    } catch {
      throw .output(error)
    }
    return sheet.summary
  }
}

/// The postings of one account, written as they come.
private struct PostingList {
  private let account: [UInt8]?
  private let format: ReportFormat
  private let writer: ReportWriter
  private var json = JSONWriter(capacity: 512)
  /// Running balance by currency, in order of first use.
  private var running: [(currency: Currency, minorUnits: Int128)] = []
  private var count: UInt64 = 0

  init(_ options: LedgerOptions, _ writer: ReportWriter) {
    account = options.account
    format = options.format
    self.writer = writer
  }

  mutating func take(
    _ record: Record, _ records: borrowing RawSpan, _ stamp: Stamp, _ sequence: EventSequence,
    _ index: LogIndex
  ) throws(AuditError) {
    guard let account else { return }
    let view = try decoding(index) { () throws(DecodeError) in
      try PaymentView(record.body, in: records)
    }
    let isDebit = view.equal(view.sender, account, in: records)
    guard isDebit || view.equal(view.receiver, account, in: records) else { return }
    let draft = view.draft(in: records)
    let amount = Int128(draft.amountMinorUnits) * (isDebit ? -1 : 1)
    let place =
      running.firstIndex { $0.currency == draft.currency } ?? running.endIndex
    if place == running.endIndex { running.append((draft.currency, 0)) }
    running[place].minorUnits += amount
    let posting = Posting(
      sequence: sequence, stamp: stamp, draft: draft, amount: amount,
      balance: running[place].minorUnits)
    do throws(OutputError) {
      if count == 0 && format == .table {
        try writer.line("time (corrected)             sequence  amount, balance, other party, id")
      }
      count += 1
      switch format {
      case .table: try posting.writeLine(to: writer)
      case .json: try posting.writeJSON(&json, to: writer)
      }
    } catch {
      throw .output(error)
    }
  }

  func end(_ balances: [AccountBalance]) throws(OutputError) {
    guard format == .table else { return }
    if balances.isEmpty { return try writer.line("No such account.") }
    for balance in balances {
      let text = Amount.text(minorUnits: balance.minorUnits, currency: balance.currency)
      try writer.line("Balance: \(text) \(balance.currency.code)")
    }
    try writer.line("\(ReportText.count(count, "posting")).")
  }
}

/// One side of a payment.
private struct Posting {
  let sequence: EventSequence
  let stamp: Stamp
  let draft: PaymentDraft
  /// Minor units, negative for a debit.
  let amount: Int128
  /// After the posting, minor units.
  let balance: Int128

  private var otherParty: [UInt8] { amount < 0 ? draft.receiver : draft.sender }

  func writeLine(to writer: ReportWriter) throws(OutputError) {
    let digits = String(sequence.rawValue)
    let fill = String(repeating: " ", count: max(0, 8 - digits.utf8.count))
    let money = { (units: Int128) in Amount.text(minorUnits: units, currency: draft.currency) }
    try writer.line(
      "\(TimeText.text(nanoseconds: stamp.correctedNanoseconds))  \(fill)\(digits)  "
        + "\(amount > 0 ? "+" : "")\(money(amount)) \(draft.currency.code), "
        + "balance \(money(balance)), \(amount < 0 ? "to" : "from") "
        + "\(ReportText.safe(otherParty)), \(draft.id.text)")
  }

  func writeJSON(_ json: inout JSONWriter, to writer: ReportWriter) throws(OutputError) {
    json.removeAll()
    json.beginObject()
    json.key("sequence")
    json.integer(sequence.rawValue)
    json.key("time")
    json.string(TimeText.text(nanoseconds: stamp.correctedNanoseconds, decimals: 9))
    json.key("transaction_id")
    json.string(utf8: draft.id.bytes)
    json.key("amount")
    json.decimal(amount, decimals: draft.currency.exponent)
    json.key("balance")
    json.decimal(balance, decimals: draft.currency.exponent)
    json.key("currency")
    json.string(draft.currency.code)
    json.key("other_party")
    json.string(utf8: otherParty)
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
    try writer.spill()
  }
}

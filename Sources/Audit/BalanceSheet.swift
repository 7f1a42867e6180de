import Bytes
import JSONText
import Ledger
import SegmentLog

/// All balances, and their sums.
struct BalanceSheet {
  /// The balances of one currency together.
  struct Total {
    let currency: Currency
    var accountCount = 0
    /// Sum of the balances above zero, minor units.
    var positive: Int128 = 0
    /// Sum of all balances, minor units. Double entry: zero.
    var sum: Int128 = 0
  }

  let balances: [AccountBalance]
  let totals: [Total]
  let paymentCount: UInt64
  private let moment: LedgerMoment
  private let lastIndex: LogIndex
  private let lastSequence: EventSequence
  private let committed: LogIndex

  init(
    balances: [AccountBalance], paymentCount: UInt64, moment: LedgerMoment, lastIndex: LogIndex,
    lastSequence: EventSequence, committed: LogIndex
  ) {
    self.balances = balances
    self.paymentCount = paymentCount
    self.moment = moment
    self.lastIndex = lastIndex
    self.lastSequence = lastSequence
    self.committed = committed
    var byCurrency: [Currency: Total] = [:]
    for balance in balances {
      var total = byCurrency[balance.currency] ?? Total(currency: balance.currency)
      total.accountCount += 1
      total.positive += max(0, balance.minorUnits)
      total.sum += balance.minorUnits
      byCurrency[balance.currency] = total
    }
    totals = byCurrency.values.sorted { $0.currency < $1.currency }
  }

  var summary: LedgerSummary {
    var summary = LedgerSummary()
    summary.accountCount = balances.count
    summary.paymentCount = paymentCount
    summary.isBalanced = totals.allSatisfy { $0.sum == 0 }
    return summary
  }

  /// Up to where, in words.
  private var asOf: String {
    switch moment {
    case .end: "event \(lastSequence.rawValue) (index \(lastIndex.rawValue))"
    case .time(let time): TimeText.text(nanoseconds: time, decimals: 9)
    case .sequence(let sequence): "event \(min(sequence, lastSequence).rawValue)"
    }
  }

  func writeTable(to writer: ReportWriter) throws(OutputError) {
    var table = TextTable([("account", .left), ("balance", .right), ("", .left)])
    for balance in balances {
      table.add([
        ReportText.safe(balance.name),
        Amount.text(minorUnits: balance.minorUnits, currency: balance.currency),
        balance.currency.code,
      ])
    }
    try table.write(to: writer)
    try writer.line()
    var sums = TextTable([
      ("currency", .left), ("accounts", .right), ("owed to accounts", .right), ("sum", .right),
      ("", .left),
    ])
    for total in totals {
      sums.add([
        total.currency.code, ReportText.grouped(total.accountCount),
        Amount.text(minorUnits: total.positive, currency: total.currency),
        Amount.text(minorUnits: total.sum, currency: total.currency),
        total.sum == 0 ? "balanced" : "NOT BALANCED",
      ])
    }
    try sums.write(to: writer)
    try writer.line()
    try writer.line(
      "\(ReportText.count(paymentCount, "payment")), as of \(asOf); "
        + "certainly committed up to index \(committed.rawValue).")
  }

  func writeJSON(to writer: ReportWriter) throws(OutputError) {
    var json = JSONWriter(capacity: 4096 + balances.count * 64)
    json.beginObject()
    json.key("as_of")
    json.string(asOf)
    json.key("last_index")
    json.integer(lastIndex.rawValue)
    json.key("committed_index")
    json.integer(committed.rawValue)
    json.key("payment_count")
    json.integer(paymentCount)
    json.key("accounts")
    json.beginArray()
    for balance in balances {
      json.beginObject()
      json.key("account")
      json.string(utf8: balance.name)
      json.key("currency")
      json.string(balance.currency.code)
      json.key("balance")
      json.decimal(balance.minorUnits, decimals: balance.currency.exponent)
      json.endObject()
    }
    json.endArray()
    writeTotals(to: &json)
    json.endObject()
    json.endLine()
    writer.text.append(contentsOf: json.bytes)
    try writer.spill()
  }

  private func writeTotals(to json: inout JSONWriter) {
    json.key("totals")
    json.beginArray()
    for total in totals {
      json.beginObject()
      json.key("currency")
      json.string(total.currency.code)
      json.key("account_count")
      json.integer(total.accountCount)
      json.key("sum")
      json.decimal(total.sum, decimals: total.currency.exponent)
      json.endObject()
    }
    json.endArray()
    json.key("balanced")
    json.boolean(summary.isBalanced)
  }
}

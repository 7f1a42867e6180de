import Bytes
import HybridTime
import JSONText
import Ledger

/// Writes the bodies of answers: names and types of the original system, numbers exact.
///
/// Times in seconds have six decimals, clock offsets nine; nanoseconds are strings, because most
/// readers of JSON make a binary floating point number of a number.
struct AnswerText {
  /// Who answers.
  let identity: NodeIdentity

  // MARK: Payments

  /// `POST /payment`: the payment stands.
  /// `isTimeCertain`: whether its latest time has passed, where that was asked for.
  func settled(
    _ record: PaymentRecord, duplicate: Bool, isTimeCertain: Bool? = nil
  ) -> [UInt8] {
    var json = JSONWriter(capacity: 768)
    json.beginObject()
    json.key("status")
    json.string("success")
    members(of: record, duplicate: duplicate, into: &json)
    if let isTimeCertain {
      json.key("time_certain")
      json.boolean(isTimeCertain)
    }
    json.endObject()
    return json.bytes
  }

  /// `GET /transactions/{id}`: the payment stands.
  func applied(_ record: PaymentRecord, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 768)
    json.beginObject()
    json.key("status")
    json.string("applied")
    members(of: record, duplicate: nil, into: &json)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /transactions/{id}`: rejected, with its reason.
  func rejected(
    _ id: TransactionID, code: OutcomeCode, sequence: EventSequence, _ consistency: ReadConsistency
  ) -> [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.beginObject()
    json.key("status")
    json.string("rejected")
    json.key("transaction_id")
    json.string(utf8: id.bytes)
    json.key("code")
    json.string(code.name)
    json.key("event")
    json.beginObject()
    json.key("sequence")
    json.integer(sequence.rawValue)
    json.endObject()
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /transactions/{id}`: taken in here, outcome not known yet.
  func pending(_ id: TransactionID, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 128)
    json.beginObject()
    json.key("status")
    json.string("pending")
    json.key("transaction_id")
    json.string(utf8: id.bytes)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  /// `GET /transactions`.
  func page(_ page: TransactionPage, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 256 + page.records.count * 640)
    json.beginObject()
    json.key("transactions")
    json.beginArray()
    for record in page.records {
      json.beginObject()
      members(of: record, duplicate: nil, into: &json)
      json.endObject()
    }
    json.endArray()
    json.key("total_count")
    json.integer(page.totalCount)
    json.key("next_cursor")
    if let cursor = page.nextCursor { json.string(CursorText.text(cursor)) } else { json.null() }
    json.key("node_id")
    json.string(identity.name)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  private func members(
    of record: PaymentRecord, duplicate: Bool?, into json: inout JSONWriter
  ) {
    json.key("transaction_id")
    json.string(utf8: record.id.bytes)
    json.key("timestamp")
    json.seconds(nanoseconds: record.stamp.correctedNanoseconds, decimals: 6)
    json.key("amount")
    json.decimal(Int128(record.amountMinorUnits), decimals: record.currency.exponent)
    json.key("sender")
    json.string(utf8: record.sender)
    json.key("receiver")
    json.string(utf8: record.receiver)
    json.key("processed_by")
    json.string(identity.name(of: record.stamp.node))
    json.key("currency")
    json.string(record.currency.code)
    if let reference = record.reference {
      json.key("reference")
      json.string(utf8: reference)
    }
    json.key("event")
    json.beginObject()
    json.key("sequence")
    json.integer(record.sequence.rawValue)
    json.key("index")
    json.integer(record.index.rawValue)
    if let term = record.term {
      json.key("term")
      json.integer(term.rawValue)
    }
    if let duplicate {
      json.key("duplicate")
      json.boolean(duplicate)
    }
    json.key("stamp")
    stamp(record.stamp, into: &json)
    json.endObject()
  }

  private func stamp(_ stamp: Stamp, into json: inout JSONWriter) {
    json.beginObject()
    json.key("raw")
    json.nanoseconds(stamp.reading.rawNanoseconds)
    json.key("correction")
    json.nanoseconds(stamp.reading.correctionNanoseconds)
    json.key("bound")
    json.nanoseconds(stamp.reading.boundNanoseconds)
    json.key("corrected")
    json.nanoseconds(stamp.correctedNanoseconds)
    json.key("hlc")
    json.beginObject()
    json.key("wall")
    json.nanoseconds(stamp.hybrid.wallNanoseconds)
    json.key("logical")
    json.integer(stamp.hybrid.logical)
    json.endObject()
    json.key("node")
    json.string(identity.name(of: stamp.node))
    json.key("epoch")
    json.integer(stamp.reading.epoch)
    json.key("status")
    json.string(stamp.reading.status.name)
    json.key("reference")
    json.string(stamp.reading.reference.name)
    json.endObject()
  }

  // MARK: Balances

  /// `GET /get_ledger`: `balances` are those in USD, the original's shape.
  func balances(_ page: BalancePage, _ consistency: ReadConsistency) -> [UInt8] {
    var json = JSONWriter(capacity: 256 + page.balances.count * 48)
    json.beginObject()
    json.key("node_id")
    json.string(identity.name)
    json.key("balances")
    balances(page.balances, in: .usd, into: &json)
    json.key("balances_by_currency")
    json.beginObject()
    for currency in Set(page.balances.map(\.currency)).sorted() {
      json.key(utf8: Array(currency.code.utf8))
      balances(page.balances, in: currency, into: &json)
    }
    json.endObject()
    json.key("next_cursor")
    if let account = page.nextCursor {
      json.string(CursorText.text(account: account))
    } else {
      json.null()
    }
    json.key("total_accounts")
    json.integer(page.totalAccounts)
    json.consistency(consistency)
    json.endObject()
    return json.bytes
  }

  private func balances(
    _ balances: [AccountBalance], in currency: Currency, into json: inout JSONWriter
  ) {
    json.beginObject()
    for balance in balances where balance.currency == currency {
      json.key(utf8: balance.name)
      json.decimal(balance.minorUnits, decimals: currency.exponent)
    }
    json.endObject()
  }
}

extension JSONWriter {
  /// Nanoseconds as a string of digits: 64 bits do not fit a binary floating point number.
  mutating func nanoseconds(_ value: Int64) {
    var digits: [UInt8] = []
    digits.reserveCapacity(20)
    appendDecimal(Int128(value), decimals: 0, to: &digits)
    string(utf8: digits)
  }

  /// How new an answer is.
  mutating func consistency(_ consistency: ReadConsistency) {
    key("consistency")
    string(consistency.rawValue)
  }

  /// A value or null.
  mutating func optional<Value>(
    _ value: Value?, _ write: (inout JSONWriter, Value) -> Void
  ) {
    if let value { write(&self, value) } else { null() }
  }
}

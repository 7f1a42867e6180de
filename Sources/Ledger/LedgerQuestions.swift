package import Bytes

extension LedgerState {
  /// What is known of a transaction id, as of ``lastSequence``.
  ///
  /// Errors: only the log could tell, and it cannot be read there.
  package func lookup(_ id: TransactionID) throws(PastProblem) -> TransactionLookup {
    let entry = try known(id)
    if entry.isEmpty { return .unknown }
    return entry.code == .applied
      ? .applied(entry.sequence) : .rejected(entry.sequence, entry.code)
  }

  /// What logging `draft` would meet, as of ``lastSequence``.
  ///
  /// Errors: only the log could tell, and it cannot be read there.
  package func precheck(_ draft: PaymentDraft) throws(PastProblem) -> Precheck {
    let entry = try known(draft.id)
    if entry.isEmpty { return .new }
    var writer = ByteWriter(capacity: 256)
    draft.encodeTexts(into: &writer)
    let fingerprint = Mixing.fingerprint(
      amount: draft.amountMinorUnits, currency: draft.currency,
      texts: 0..<writer.count, in: writer.bytes.span.bytes)
    return entry.fingerprint == fingerprint
      ? .known(entry.sequence, entry.code) : .conflict(entry.sequence)
  }

  /// Whether the event moved money; false for duplicates, rejections, and what is not there yet.
  package func wasApplied(_ sequence: EventSequence) -> Bool { bitmap.contains(sequence) }

  /// The balance of `name` (UTF-8, trimmed) in `currency`, or nil where there is no account.
  package func balance(of name: [UInt8], _ currency: Currency) -> Int128? {
    guard let number = accounts.find(0..<name.count, in: name.span.bytes, currency) else {
      return nil
    }
    return accounts.balance(number)
  }

  /// The balances of accounts after a name, by name bytes, then currency: `limit` of them, and then
  /// as many as share the last one's name; and whether more follow. Work grows with the page, and
  /// with all accounts only when some were opened since the last page.
  package mutating func balances(
    after name: [UInt8]?, limit: Int
  ) -> (balances: [AccountBalance], more: Bool) {
    let page = accounts.page(after: name, limit: limit)
    return (page.accounts, page.more)
  }

  /// Every balance, by name bytes, then currency. Work grows with the number of accounts.
  package func balances() -> [AccountBalance] {
    accounts.sortedNumbers().map { accounts.account($0) }
  }

  /// The first currency whose balances do not sum to zero, or nil as it must be.
  ///
  /// Walks all accounts: for checkers and audits, not for each batch.
  package func currencyOutOfBalance() -> Currency? {
    var sums = [Int128](repeating: 0, count: Currency.codeCount)
    for number in 0..<accounts.count {
      let account = accounts.accounts[number]
      sums[account.currency.codeIndex] += account.balance
    }
    for number in 0..<accounts.count {
      let currency = accounts.accounts[number].currency
      if sums[currency.codeIndex] != 0 { return currency }
    }
    return nil
  }
}

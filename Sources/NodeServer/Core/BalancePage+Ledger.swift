import Ledger

extension BalancePage {
  /// A page of the ledger's balances, sorted by name.
  init(_ ledger: inout LedgerState, _ query: BalanceQuery) {
    let page = ledger.balances(after: query.cursor, limit: query.limit)
    self.init(
      balances: page.balances, nextCursor: page.more ? page.balances.last?.name : nil,
      totalAccounts: ledger.accountCount)
  }
}

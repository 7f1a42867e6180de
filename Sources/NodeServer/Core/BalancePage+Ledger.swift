import Ledger

extension BalancePage {
  /// A page of the ledger's balances, sorted by name.
  init(_ ledger: borrowing LedgerState, _ query: BalanceQuery) {
    var balances: [AccountBalance] = []
    var cursor: [UInt8]?
    for balance in ledger.balances() {
      if let after = query.cursor, !after.lexicographicallyPrecedes(balance.name) { continue }
      if balances.count >= query.limit, let last = balances.last, last.name != balance.name {
        cursor = last.name
        break
      }
      balances.append(balance)
    }
    self.init(balances: balances, nextCursor: cursor, totalAccounts: ledger.accountCount)
  }
}

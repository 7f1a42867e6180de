package import Bytes
package import Ledger

/// Which payments are asked for.
package struct TransactionQuery: Hashable, Sendable {
  /// Payments in a page when the request names no limit.
  package static let limitDefault = 100
  /// Most payments in a page.
  package static let limitMax = 1000

  /// Go on after this sequence; before it, when newest first.
  package var cursor: EventSequence?
  /// Most records in the page. Invariant: 1 … ``limitMax``.
  package var limit = limitDefault
  /// Only payments that this account sent or received, UTF-8.
  package var account: [UInt8]?
  /// Only payments at this corrected time or later, nanoseconds since 1970.
  package var fromNanoseconds: Int64?
  /// Only payments before this corrected time, nanoseconds since 1970.
  package var toNanoseconds: Int64?
  /// Only payments that this node took in, by its name.
  package var node: String?
  /// Whether the highest sequence comes first.
  package var newestFirst = false
  /// How new the answer must be.
  package var consistency = ReadConsistency.local
}

/// A page of payments.
package struct TransactionPage: Sendable {
  /// The payments, in the order that was asked for.
  package var records: [PaymentRecord]
  /// Where the next page goes on, or nil at the end: the sequence of the last record looked at.
  package var nextCursor: EventSequence?
  /// All payments applied here, whatever the filters.
  package var totalCount: UInt64

  /// A page from its parts.
  package init(records: [PaymentRecord], nextCursor: EventSequence?, totalCount: UInt64) {
    self.records = records
    self.nextCursor = nextCursor
    self.totalCount = totalCount
  }
}

/// Why payments could not be read.
package enum ReadProblem: Error, Hashable, Sendable {
  /// Too many readers; nothing is wrong.
  case busy(retryAfterSeconds: Int)
  /// No leader confirmed in time that this node's answer would be new.
  case unconfirmed(retryAfterSeconds: Int)
  /// The node is stopping.
  case stopping
  /// The log could not be read; the sentence goes to the node's log, not to the client.
  case unreadable(reason: String)
}

/// Which balances are asked for.
package struct BalanceQuery: Hashable, Sendable {
  /// Accounts in a page when the request names no limit.
  package static let limitDefault = 1000
  /// Most accounts in a page.
  package static let limitMax = 10_000

  /// This account only, UTF-8.
  package var account: [UInt8]?
  /// Accounts after this name, in the order of bytes.
  package var cursor: [UInt8]?
  /// Most accounts in the page. Invariant: 1 … ``limitMax``.
  package var limit = limitDefault
  /// How new the answer must be: who asks for a balance wants the one that is true now.
  package var consistency = ReadConsistency.linearizable
}

/// A page of balances. An account's currencies are never in two pages.
package struct BalancePage: Sendable {
  /// Sorted by account, then currency.
  package var balances: [AccountBalance]
  /// The last account of the page, where more follow.
  package var nextCursor: [UInt8]?
  /// How many accounts there are in all.
  package var totalAccounts: Int

  /// A page from its parts.
  package init(balances: [AccountBalance], nextCursor: [UInt8]?, totalAccounts: Int) {
    self.balances = balances
    self.nextCursor = nextCursor
    self.totalAccounts = totalAccounts
  }
}

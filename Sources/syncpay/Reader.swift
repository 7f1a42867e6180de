/// Reads that any node can answer: the first node that answers is asked.
struct Reader: Sendable {
  let client: NodeClient
  let nodes: [NodeAddress]
  let timeout: Duration

  /// Asks the nodes in turn until one gives a definite answer.
  ///
  /// - Throws: `CommandFailure`: refused with the node's sentence, or unreachable.
  func get(_ path: String, _ query: [(String, String?)] = []) async throws -> JSONValue {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    var reasons: [String] = []
    for (place, node) in nodes.enumerated() {
      let left = clock.now.duration(to: deadline)
      guard left > .zero else { break }
      let share = left / (nodes.count - place)
      let answer: Answer
      do throws(NoAnswer) {
        answer = try await client.send(.get(path, query), to: node, within: share)
      } catch {
        reasons.append("\(node.name): \(error.reason)")
        continue
      }
      if answer.isSuccess, let body = answer.body { return body }
      guard answer.isWorthRetrying || answer.isSuccess else {
        throw CommandFailure(.refused, "\(node.name): \(answer.sentence)")
      }
      reasons.append("\(node.name): " + (answer.isSuccess ? "not JSON" : answer.sentence))
    }
    throw CommandFailure(
      .unreachable, "no node answered: " + reasons.joined(separator: "; ") + ".")
  }
}

/// A page of `GET /transactions`.
struct TransactionPage: Sendable {
  let transactions: [JSONValue]
  let nextCursor: String?
  let totalCount: Int?

  init(_ body: JSONValue) {
    transactions = body["transactions"]?.elements ?? []
    nextCursor = body["next_cursor"]?.text
    totalCount = body["total_count"]?.integer
  }
}

/// One balance of `GET /get_ledger` or of `syncpay-audit ledger --format json`.
struct LedgerRow: Equatable, Sendable {
  let account: String
  let currency: String
  /// The exact text.
  let balance: String

  /// The balances of a document, whatever of the known shapes it has: `{"balances_by_currency":
  /// {"USD": {"alice": -1.50}}}`, which is preferred; `{"balances": {"alice": {"USD": "-1.50"}}}`
  /// with numbers or strings, with or without currencies; or rows with `account`, `currency` and
  /// `balance`.
  static func all(in document: JSONValue) -> [LedgerRow] {
    if let rows = document.elements { return rows.flatMap(rows(ofRow:)) }
    if let currencies = document["balances_by_currency"]?.members {
      return currencies.flatMap { currency in
        (currency.value.members ?? []).compactMap { account in
          account.value.text.map {
            LedgerRow(account: account.name, currency: currency.name, balance: $0)
          }
        }
      }
    }
    for name in ["balances", "accounts", "ledger"] {
      guard let inner = document[name] else { continue }
      if let rows = inner.elements { return rows.flatMap(Self.rows(ofRow:)) }
      return (inner.members ?? []).flatMap { rows(account: $0.name, $0.value) }
    }
    return rows(ofRow: document)
  }

  private static func rows(ofRow row: JSONValue) -> [LedgerRow] {
    guard let account = row["account"]?.text ?? row["name"]?.text else { return [] }
    guard let balance = row["balance"] ?? row["balances"] else { return [] }
    guard let text = balance.text else { return rows(account: account, balance) }
    return [LedgerRow(account: account, currency: row["currency"]?.text ?? "USD", balance: text)]
  }

  private static func rows(account: String, _ value: JSONValue) -> [LedgerRow] {
    if let text = value.text {
      return [LedgerRow(account: account, currency: "USD", balance: text)]
    }
    return (value.members ?? []).compactMap { member in
      let text = member.value.text ?? member.value["balance"]?.text
      return text.map { LedgerRow(account: account, currency: member.name, balance: $0) }
    }
  }
}

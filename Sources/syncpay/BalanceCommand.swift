import ArgumentParser

/// `syncpay balance`: what the accounts hold.
struct BalanceCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "balance",
    abstract: "Show the balances of accounts.",
    discussion: """
      Without an account: all of them. Amounts are printed with the digits the node sent.

      A balance holds everything that was acknowledged before it was asked for, whichever node \
      answers. Without a majority no node can be sure of that: --consistency local then shows what \
      the node has.

      With --format json: one object per balance and line.

      Example: syncpay balance alice bob
      """)

  @OptionGroup var nodes: NodeOptions

  @Option(help: "How new the answer must be: linearizable or local.")
  var consistency: Consistency = .linearizable

  @Argument(help: "The accounts; all when none is given.")
  var accounts: [String] = []

  func perform() async throws {
    let addresses = try nodes.addresses()
    let rows = try await NodeClient.with { client in
      let reader = Reader(client: client, nodes: addresses, timeout: nodes.timeoutDuration)
      guard !accounts.isEmpty else { return try await reader.ledger(account: nil, consistency) }
      var rows: [LedgerRow] = []
      for account in accounts {
        let found = try await reader.ledger(account: account, consistency).filter {
          $0.account == account
        }
        if found.isEmpty { Terminal.note("\(account.printable) has no entries.") }
        rows += found
      }
      return rows
    }
    switch nodes.format {
    case .table: Self.table(rows).show()
    case .json: for row in rows { Terminal.line(row.json.description) }
    }
  }

  static func table(_ rows: [LedgerRow]) -> Table {
    var table = Table([.init("account"), .init("cur"), .init("balance", .right)])
    for row in rows { table.add([row.account, row.currency, row.balance]) }
    return table
  }
}

extension Reader {
  /// The balances of one account, or of all; follows pages where the node pages them.
  func ledger(
    account: String?, _ consistency: Consistency = .linearizable
  ) async throws -> [LedgerRow] {
    var rows: [LedgerRow] = []
    var cursor: String?
    repeat {
      let body = try await get(
        "/get_ledger",
        [("account", account), ("cursor", cursor), ("consistency", consistency.rawValue)])
      rows += LedgerRow.all(in: body)
      let next = body["next_cursor"]?.text
      guard next != cursor else { break }
      cursor = next
    } while cursor != nil
    return rows
  }
}

extension LedgerRow {
  fileprivate var json: JSONValue {
    .object([
      .init(name: "account", value: .string(account)),
      .init(name: "currency", value: .string(currency)),
      .init(name: "balance", value: .string(balance)),
    ])
  }
}

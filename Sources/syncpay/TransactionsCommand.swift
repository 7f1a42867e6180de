import ArgumentParser

/// `syncpay transactions`: what was recorded, page by page.
struct TransactionsCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "transactions",
    abstract: "List recorded payments.",
    discussion: """
      One page of at most --limit payments, or with --all every page until the end. When there is \
      more, the cursor that continues the list is printed on standard error.

      Times are seconds since 1970 (1727123456.789) or ISO 8601 (2024-09-23, \
      2024-09-23T20:30:56.789Z, UTC when no offset is given).

      With --format json: one transaction per line, as the node sent it.

      Example: syncpay transactions --account alice --from 2024-09-23 --all
      """)

  @OptionGroup var nodes: NodeOptions

  @Option(help: "Only payments this account sent or received.")
  var account: String?

  @Option(help: "Only payments at this time or later.")
  var from: String?

  @Option(help: "Only payments before this time.")
  var to: String?

  @Option(help: "How new the answer must be: local or linearizable.")
  var consistency: Consistency = .local

  @Option(help: "The most payments of one page.")
  var limit: Int = 50

  @Flag(help: "Follow the pages to the end.")
  var all = false

  @Option(help: "Continue where an earlier list ended.")
  var cursor: String?

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
    for time in [from, to] {
      if let time, Moment.secondsText(typed: time) == nil {
        throw ValidationError(
          "'\(time)' is not a time; write 2024-09-23T20:30:56Z or seconds since 1970.")
      }
    }
  }

  func perform() async throws {
    let addresses = try nodes.addresses()
    try await NodeClient.with { client in
      let reader = Reader(client: client, nodes: addresses, timeout: nodes.timeoutDuration)
      var next = cursor
      var shown = 0
      repeat {
        let page = TransactionPage(try await reader.get("/transactions", query(cursor: next)))
        show(page, isFirst: shown == 0)
        shown += page.transactions.count
        if let cursor = page.nextCursor, cursor == next {
          throw CommandFailure(.refused, "the node's cursor does not move on.")
        }
        next = page.nextCursor
      } while all && next != nil
      if let next { Terminal.note("More: --cursor \(next.printable)") }
    }
  }

  private func query(cursor: String?) -> [(String, String?)] {
    [
      ("limit", String(limit)), ("cursor", cursor), ("account", account),
      ("consistency", consistency.rawValue),
      ("from", from.flatMap(Moment.secondsText(typed:))),
      ("to", to.flatMap(Moment.secondsText(typed:))),
    ]
  }

  private func show(_ page: TransactionPage, isFirst: Bool) {
    guard nodes.format == .table else {
      for transaction in page.transactions { Terminal.line(transaction.description) }
      return
    }
    var table = Table([
      .init("time", widthMin: 30), .init("transaction", widthMin: 30),
      .init("sender", widthMin: 12), .init("receiver", widthMin: 12),
      .init("amount", .right, widthMin: 12), .init("cur", widthMin: 3), .init("node"),
      .init("sequence", .right),
    ])
    for transaction in page.transactions { table.add(Self.row(transaction)) }
    table.show(withTitles: isFirst)
    if isFirst, let total = page.totalCount { Terminal.note("\(total) in all.") }
  }

  private static func row(_ transaction: JSONValue) -> [String] {
    let time = transaction["timestamp"]?.text ?? "-"
    let event = transaction["event"]
    return [
      Moment.utc(secondsText: time) ?? time,
      transaction["transaction_id"]?.text ?? transaction["id"]?.text ?? "-",
      transaction["sender"]?.text ?? "-", transaction["receiver"]?.text ?? "-",
      transaction["amount"]?.text ?? "-", transaction["currency"]?.text ?? "-",
      transaction["processed_by"]?.text ?? "-",
      event?["sequence"]?.text ?? transaction["sequence"]?.text ?? "-",
    ]
  }
}

import ArgumentParser

/// `syncpay pay`: one payment, sent until there is a definite answer.
struct PayCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "pay",
    abstract: "Make one payment.",
    discussion: """
      The amount is sent as the digits typed; it never passes through a binary float.

      The payment's transaction id is made here unless --id gives one. It goes with every try, so a \
      payment is made once however often it is sent: when a node does not answer or has no \
      majority, the same payment goes to the next node, and after each round over the nodes there \
      is a growing pause (50 ms doubling to 1 s, half of it random, a node's Retry-After heeded), \
      until --timeout.

      Exit codes: 0 the payment is on stable storage on a majority; 1 refused, with the node's \
      sentence; 2 no definite answer in time: run it again with the printed --id.

      Example: syncpay pay --from alice --to bob --amount 150.75
      """)

  @OptionGroup var nodes: NodeOptions

  @Option(name: .customLong("from"), help: "The account that pays.")
  var sender: String

  @Option(name: .customLong("to"), help: "The account that is paid.")
  var receiver: String

  @Option(help: "How much, in digits: 150.75.")
  var amount: String

  @Option(help: "The currency's ISO 4217 code; the node's default (USD) when not given.")
  var currency: String?

  @Option(help: "The transaction id, to send an earlier payment again.")
  var id: String?

  @Option(help: "A text kept with the payment.")
  var reference: String?

  func validate() throws {
    guard JSONParser.isNumber(amount) else {
      throw ValidationError("--amount must be digits such as 150.75; it is '\(amount)'.")
    }
  }

  func perform() async throws {
    let order = PaymentOrder(
      id: id ?? TransactionID.make(), sender: sender, receiver: receiver, amount: amount,
      currency: currency, reference: reference)
    let addresses = try nodes.addresses()
    let (result, tries) = try await NodeClient.with { client in
      let policy = RetryPolicy(total: nodes.timeoutDuration)
      return await Payer(client: client, nodes: addresses, policy: policy).pay(order)
    }
    switch result {
    case .acknowledged(let answer):
      show(answer, order, tries: tries)
    case .refused(let answer):
      if nodes.format == .json { Terminal.line(answer.text.printable) }
      throw CommandFailure(.refused, "\(order.id) was refused: \(answer.sentence)")
    case .undecided(let reason):
      throw CommandFailure(
        .unreachable,
        """
        no definite answer after \(tries) tries (\(reason)). The payment may or may not have been \
        made. Run the same command again with --id \(order.id): it is made at most once.
        """)
    }
  }

  private func show(_ answer: Answer, _ order: PaymentOrder, tries: Int) {
    guard nodes.format == .table else { return Terminal.line(answer.text.printable) }
    let body = answer.body ?? .null
    let event = body["event"]
    let amount = body["amount"]?.text ?? order.amount
    let currency = body["currency"]?.text ?? order.currency ?? ""
    let node = body["processed_by"]?.text ?? "a node"
    let id = body["transaction_id"]?.text ?? order.id
    Terminal.line("\(id)  \(sender) → \(receiver)  \(amount) \(currency)  by \(node)".printable)
    var facts: [String] = []
    if let sequence = event?["sequence"]?.text { facts.append("sequence \(sequence)") }
    if let time = body["timestamp"]?.text { facts.append(Moment.utc(secondsText: time) ?? time) }
    if event?["duplicate"]?.bool == true {
      facts.append("it was recorded before; nothing was paid twice")
    }
    if tries > 1 { facts.append("\(tries) tries") }
    if !facts.isEmpty { Terminal.line("  " + facts.joined(separator: ", ").printable) }
  }
}

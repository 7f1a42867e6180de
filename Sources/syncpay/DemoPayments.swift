import ArgumentParser

/// `syncpay demo payment`.
struct DemoPayment: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "payment",
    abstract: "Make one payment and find it on every node.",
    discussion: "Uses the running loopback cluster and accounts of its own.")

  @OptionGroup var options: ClusterOptions

  func perform() async throws {
    try await DemoStage.with(options) { stage, narrator in
      narrator.begin("One payment of 150.75, then the same on every node.")
      let accounts = DemoAccounts()
      let order = PaymentOrder(
        id: TransactionID.make(), sender: accounts.sender, receiver: accounts.receiver,
        amount: "150.75", reference: "demo")
      let answer = await stage.pay(order, to: stage.cluster.addresses, narrator)
      guard let answer else { return }
      narrator.check(
        answer["transaction_id"]?.text == order.id,
        "\(order.id) acknowledged by \(answer["processed_by"]?.text ?? "-")")
      narrator.check(
        answer["amount"]?.text.flatMap { ExactDecimal($0) } == ExactDecimal("150.75"),
        "the amount came back as \(answer["amount"]?.text ?? "-")")
      try await stage.checkStands(order, narrator)
    }
  }
}

/// `syncpay demo follower`.
struct DemoFollower: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "follower",
    abstract: "Pay through a follower.",
    discussion: """
      A follower forwards to the leader, waits until its own replica has applied the payment, and \
      answers in its own name: processed_by is the follower.
      """)

  @OptionGroup var options: ClusterOptions

  func perform() async throws {
    try await DemoStage.with(options) { stage, narrator in
      let leader = try await stage.leader()
      let followers = stage.cluster.files.filter { $0.name != leader.name }
      guard !followers.isEmpty else {
        throw CommandFailure(.usage, "a cluster of one node has no follower.")
      }
      for follower in followers {
        narrator.begin("A payment through \(follower.name), while \(leader.name) leads.")
        let accounts = DemoAccounts()
        let order = PaymentOrder(
          id: TransactionID.make(), sender: accounts.sender, receiver: accounts.receiver,
          amount: "42.00")
        guard let answer = await stage.pay(order, to: [follower.address], narrator) else {
          continue
        }
        let node = answer["processed_by"]?.text ?? "-"
        narrator.check(node == follower.name, "processed_by is \(node)")
        try await stage.checkStands(order, narrator)
      }
    }
  }
}

/// Accounts that no earlier run used.
struct DemoAccounts: Sendable {
  let sender: String
  let receiver: String
  let run: String

  init() {
    run = String(TransactionID.make().suffix(16))
    sender = "payer-\(run)"
    receiver = "payee-\(run)"
  }
}

extension DemoStage {
  /// Whether a single payment stands once, with its balance, on every node.
  func checkStands(_ order: PaymentOrder, _ narrator: Narrator) async throws {
    let expected = ExactDecimal(order.amount)
    _ = await caughtUp(cluster.files)
    for file in cluster.files {
      let listed = try await listed(account: order.sender, at: file)
      let balance = try await balance(order.receiver, at: file)
      narrator.check(
        listed.map(\.id) == [order.id] && balance == expected,
        "\(file.name): listed \(listed.count == 1 ? "once" : "\(listed.count) times"), "
          + "\(order.receiver) has \(balance)")
    }
  }
}

/// `syncpay demo stress`.
struct DemoStress: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "stress",
    abstract: "Many clients pay at once; rate, latencies, and the total to the cent.",
    discussion: """
      Each client sends its next payment when the last one is answered; ids are made by the \
      clients. A payment without an answer, or answered 503, goes to the next node with the same \
      id. Latency is from the first try to the answer. Client and nodes share this machine, so \
      the rate is a lower bound; syncpay-bench measures.
      """)

  @OptionGroup var options: ClusterOptions

  @Option(help: "How many clients pay at once.")
  var clients: Int = 64

  @Option(help: "How many payments.")
  var payments: Int = 5_000

  func validate() throws {
    guard (1...4_096).contains(clients), (1...10_000_000).contains(payments) else {
      throw ValidationError("--clients must be 1 to 4096, --payments 1 to 10000000.")
    }
  }

  func perform() async throws {
    try await DemoStage.with(options, connectionsPerNode: clients + 8) { stage, narrator in
      narrator.begin("\(clients) clients make \(payments) payments through all nodes.")
      let accounts = DemoAccounts()
      let plan = LoadPlan(
        clients: clients, payments: payments, nodes: stage.cluster.addresses,
        sender: accounts.sender, receivers: (1...10).map { "\(accounts.receiver)-\($0)" })
      let report = await LoadGenerator(client: stage.client, plan: plan).run()
      show(report, narrator)
      narrator.check(
        report.acknowledged.count == payments,
        "\(report.acknowledged.count) of \(payments) payments acknowledged")
      let cents = (0..<payments).reduce(0) { $0 + LoadPlan.cents($1) }
      narrator.check(
        report.total == ExactDecimal(cents: cents), "together \(report.total), as planned")
      narrator.begin("Every node has them, each once, and the balances to the cent.")
      narrator.check(await stage.caughtUp(stage.cluster.files), "the nodes agree on the index")
      try await stage.checkNothingLost(
        report, plan: plan, on: stage.cluster.files, narrator)
    }
  }

  private func show(_ report: LoadReport, _ narrator: Narrator) {
    narrator.say(
      "\(fixed(report.rate, decimals: 0)) payments/s over "
        + "\(fixed(report.elapsed.secondsDouble, decimals: 2)) s, \(report.retries) retries")
    var table = Table([.init("latency"), .init("ms", .right)])
    let shares = [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000)]
    for (name, share) in shares {
      table.add([name, fixed(report.percentile(share).secondsDouble * 1_000, decimals: 2)])
    }
    table.show(indent: "   ")
    for sentence in Set(report.refused).sorted().prefix(3) { narrator.say("refused: \(sentence)") }
  }
}

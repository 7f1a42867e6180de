import ArgumentParser

/// `syncpay demo`: the system shown and checked, step by step.
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Show what the system promises, and check it.",
    discussion: """
      'quick' brings its own cluster on fresh data; the others use the running loopback cluster \
      ('syncpay cluster start'). Every step says in a sentence what it shows and ends in ✔ or ✘; the \
      exit code is 0 only if every check held.
      """,
    subcommands: [
      DemoQuick.self, DemoPayment.self, DemoStress.self, DemoFaults.self, DemoValidation.self,
      DemoFollower.self, DemoClocks.self, DemoConfig.self,
    ])
}

/// Says what happens and counts the checks that did not hold.
final class Narrator {
  private var step = 0
  private var checks = 0
  private var failed = 0
  private let start = ContinuousClock.now

  func begin(_ sentence: String) {
    step += 1
    Terminal.line()
    Terminal.line("\(step). \(sentence)")
  }

  func say(_ sentence: String) { Terminal.line("   " + sentence.printable) }

  /// A check and what it found.
  func check(_ holds: Bool, _ sentence: String) {
    checks += 1
    if !holds { failed += 1 }
    Terminal.line("   \(holds ? "✔" : "✘") \(sentence.printable)")
  }

  /// The last line.
  ///
  /// - Throws: `CommandFailure` if any check did not hold.
  func finish() throws(CommandFailure) {
    let seconds = fixed((ContinuousClock.now - start).secondsDouble, decimals: 1)
    Terminal.line()
    guard failed == 0 else {
      Terminal.line("✘ \(failed) of \(checks) checks failed, in \(seconds) s.")
      throw CommandFailure(.refused, "the demo found \(failed) of \(checks) checks failing.")
    }
    Terminal.line("✔ All \(checks) checks held, in \(seconds) s.")
  }
}

/// A cluster under demonstration: its processes, its nodes, and what can be asked of them.
struct DemoStage: Sendable {
  let cluster: LoopbackCluster
  let client: NodeClient
  /// How long nodes have to elect, answer or catch up.
  let patience: Duration

  /// Runs a demonstration on the running cluster.
  static func with(
    _ options: ClusterOptions, connectionsPerNode: Int = 64,
    _ body: (DemoStage, Narrator) async throws -> Void
  ) async throws {
    let cluster = try options.cluster()
    let narrator = Narrator()
    try await NodeClient.with(connectionsPerNode: connectionsPerNode) { client in
      let stage = DemoStage(cluster: cluster, client: client, patience: options.waitDuration)
      guard await stage.reports().contains(where: \.isServing) else {
        throw CommandFailure(
          .unreachable, "the cluster does not serve; start it with 'syncpay cluster start'.")
      }
      try await body(stage, narrator)
    }
    try narrator.finish()
  }

  func reports(of files: [NodeFile]? = nil) async -> [NodeReport] {
    await NodeReport.all(
      of: (files ?? cluster.files).map(\.address), client: client, within: .seconds(2))
  }

  /// The node that leads, waited for; the one of the highest term, should an old one not know yet.
  func leader() async throws(CommandFailure) -> NodeFile {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
      let leaders = zip(cluster.files, await reports()).filter { $0.1.isLeader }
      if let best = leaders.max(by: { $0.1.term < $1.1.term }) { return best.0 }
      try? await Task.sleep(for: .milliseconds(50))
    }
    throw CommandFailure(.unreachable, "no node leads after \(patience).")
  }

  /// Waits until the nodes have applied the same index.
  func caughtUp(_ files: [NodeFile]) async -> Bool {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
      let reports = await reports(of: files)
      let applied = Set(reports.map { $0.applied ?? -1 })
      if applied.count == 1, applied.first != -1, reports.allSatisfy(\.isServing) { return true }
      Terminal.progress(
        "applied: " + reports.map { $0.applied.map(String.init) ?? "-" }.joined(separator: ", "))
      try? await Task.sleep(for: .milliseconds(100))
    }
    return false
  }

  func reader(_ file: NodeFile) -> Reader {
    Reader(client: client, nodes: [file.address], timeout: .seconds(20))
  }

  /// Every payment of an account as one node lists it.
  func listed(account: String, at file: NodeFile) async throws -> [ListedPayment] {
    var result: [ListedPayment] = []
    var cursor: String?
    repeat {
      let query = [("account", account), ("limit", "1000"), ("cursor", cursor)]
      let page = TransactionPage(try await reader(file).get("/transactions", query))
      result += page.transactions.map(ListedPayment.init)
      guard page.nextCursor != cursor else { break }
      cursor = page.nextCursor
    } while cursor != nil
    return result
  }

  /// Sends one payment and says how it went; the answer if it was acknowledged.
  func pay(
    _ order: PaymentOrder, to nodes: [NodeAddress], _ narrator: Narrator
  ) async -> JSONValue? {
    let payer = Payer(client: client, nodes: nodes, policy: RetryPolicy())
    switch await payer.pay(order).0 {
    case .acknowledged(let answer): return answer.body
    case .refused(let answer): narrator.check(false, "refused: \(answer.sentence)")
    case .undecided(let reason): narrator.check(false, "no definite answer: \(reason)")
    }
    return nil
  }
}

/// A payment in a node's list.
struct ListedPayment: Sendable {
  let id: String
  let amount: String

  init(_ transaction: JSONValue) {
    id = transaction["transaction_id"]?.text ?? transaction["id"]?.text ?? ""
    amount = transaction["amount"]?.text ?? ""
  }
}

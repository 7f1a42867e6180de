/// The checks several demonstrations share.
extension DemoStage {
  /// Whether every acknowledged payment stands exactly once on each of the nodes, and the sender's
  /// balance is the sum of what is listed.
  func checkNothingLost(
    _ report: LoadReport, plan: LoadPlan, on files: [NodeFile], _ narrator: Narrator
  ) async throws {
    for file in files {
      let listed = try await listed(account: plan.sender, at: file)
      let ids = Set(listed.map(\.id))
      let lost = report.acknowledged.keys.filter { !ids.contains($0) }
      let twice = listed.count - ids.count
      narrator.check(
        lost.isEmpty && twice == 0,
        "\(file.name): \(report.acknowledged.count - lost.count) of "
          + "\(report.acknowledged.count) acknowledged payments stand in its log, \(twice) twice")
      if let example = lost.sorted().first { narrator.say("lost, for one: \(example)") }
      let amounts = listed.map { ExactDecimal($0.amount) }
      let sum = amounts.compactMap { $0 }.reduce(.zero, +)
      let balance = try await balance(plan.sender, at: file)
      narrator.check(
        balance == -sum && amounts.allSatisfy { $0 != nil },
        "\(file.name): the balance of \(plan.sender) is \(balance), "
          + "minus the sum of its \(listed.count) payments")
    }
  }

  /// An account's balance at a node, all currencies together; zero when it has none.
  func balance(_ account: String, at file: NodeFile) async throws -> ExactDecimal {
    try await reader(file).ledger(account: account)
      .filter { $0.account == account }
      .compactMap { ExactDecimal($0.balance) }.reduce(.zero, +)
  }

  /// Whether payments without an answer have a definite fate, asked by id.
  func checkFate(of report: LoadReport, at file: NodeFile, _ narrator: Narrator) async throws {
    guard !report.undecided.isEmpty else {
      return narrator.check(
        report.refused.isEmpty, "every payment got a definite answer: \(report.refused.count) no")
    }
    for (id, reason) in report.undecided.sorted(by: { $0.key < $1.key }).prefix(3) {
      narrator.say("\(id) had no answer: \(reason)")
    }
    var fates: [String: Int] = [:]
    for id in report.undecided.keys.sorted() {
      fates[await fate(of: id, at: file), default: 0] += 1
    }
    let definite = ["applied", "rejected", "unknown"]
    let known = definite.map { "\(fates[$0] ?? 0) \($0)" }
    narrator.check(
      fates.keys.allSatisfy(definite.contains),
      "\(report.undecided.count) payments without an answer in time have a fate: "
        + known.joined(separator: ", "))
  }

  /// What `GET /transactions/{id}` says of a payment; one that is pending is asked for again.
  private func fate(of id: String, at file: NodeFile) async -> String {
    let deadline = ContinuousClock.now + min(patience, .seconds(15))
    while true {
      let answer = try? await client.send(
        .get("/transactions/" + id.queryEncoded), to: file.address, within: .seconds(5))
      let isUnknown = answer?.body?["code"]?.text == "transaction_unknown"
      let state = answer?.body?["state"]?.text ?? answer?.body?["status"]?.text
      let fate = isUnknown ? "unknown" : state ?? "no answer"
      let isOpen = fate == "pending" || fate == "no answer"
      guard isOpen, ContinuousClock.now < deadline else { return fate }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Whether all nodes hold the same balances and these sum to zero in every currency.
  func checkLedgers(_ files: [NodeFile], _ narrator: Narrator) async throws -> LedgerTotals {
    var ledgers: [LedgerTotals] = []
    for file in files { ledgers.append(LedgerTotals(try await reader(file).ledger(account: nil))) }
    let first = ledgers[0]
    narrator.check(
      ledgers.allSatisfy { $0 == first },
      "the \(files.count) nodes hold the same \(first.balances.count) balances")
    narrator.check(first.sumsToZero, "every currency's balances sum to zero: \(first.sums)")
    return first
  }
}

/// Balances to compare: by account and currency, exact, without those that are zero.
struct LedgerTotals: Equatable, Sendable {
  struct Key: Hashable, Comparable, Sendable {
    let currency: String
    let account: String

    static func < (left: Key, right: Key) -> Bool {
      (left.currency, left.account) < (right.currency, right.account)
    }
  }

  let balances: [Key: ExactDecimal]
  /// Rows whose balance is not a number, or that stand twice.
  let faults: Int

  init(_ rows: [LedgerRow]) {
    var balances: [Key: ExactDecimal] = [:]
    var faults = 0
    for row in rows {
      let key = Key(currency: row.currency, account: row.account)
      guard let balance = ExactDecimal(row.balance), balances[key] == nil else {
        faults += 1
        continue
      }
      balances[key] = balance
    }
    self.balances = balances.filter { !$0.value.isZero }
    self.faults = faults
  }

  private var sumsByCurrency: [(currency: String, sum: ExactDecimal)] {
    Dictionary(grouping: balances, by: \.key.currency)
      .map { ($0.key, $0.value.map(\.value).reduce(.zero, +)) }
      .sorted { $0.0 < $1.0 }
  }

  var sumsToZero: Bool { faults == 0 && sumsByCurrency.allSatisfy(\.sum.isZero) }

  var sums: String {
    sumsByCurrency.map { "\($0.sum) \($0.currency)" }.joined(separator: ", ")
  }
}

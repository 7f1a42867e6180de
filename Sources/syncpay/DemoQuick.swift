import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc

/// `syncpay demo quick`: pay, replicate, survive, audit, in half a minute.
struct DemoQuick: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "quick",
    abstract: "Start three nodes, pay, kill the leader under load, and audit.",
    discussion: """
      Uses copies of the node files with fresh data under --directory (emptied first if an earlier \
      demo made it). The nodes are stopped at the end; their data stay for a look with \
      syncpay-audit. Exit code 0 only if nothing acknowledged was lost and every check held.
      """)

  @Option(help: ArgumentHelp("The directory with node*.json.", valueName: "directory"))
  var configs: String = "configs"

  @Option(help: ArgumentHelp("Where nodes and data of the demo stand.", valueName: "directory"))
  var directory: String = "run/demo"

  @Option(
    help: ArgumentHelp(
      "The node's program; 'syncpayd' beside this command when not given.", valueName: "path"))
  var daemon: String?

  @OptionGroup var audit: AuditOptions

  @Option(help: "How many clients pay at once.")
  var clients: Int = 50

  @Option(help: "How many payments the load has.")
  var payments: Int = 2_000

  func validate() throws {
    guard (1...1_000).contains(clients), (1...1_000_000).contains(payments) else {
      throw ValidationError("--clients must be 1 to 1000, --payments 1 to 1000000.")
    }
  }

  func perform() async throws {
    let cluster = try FreshCluster.prepare(from: configs, in: directory, daemon: daemon)
    let interruption = Interruption(cluster)
    defer { interruption.cancel() }
    let narrator = Narrator()
    do {
      try await NodeClient.with(connectionsPerNode: clients + 8) { client in
        let stage = DemoStage(cluster: cluster, client: client, patience: .seconds(30))
        try await show(stage, narrator)
      }
    } catch {
      _ = await cluster.stop(cluster.files, grace: .seconds(10))
      throw error
    }
    Terminal.line()
    Terminal.line("The data stay in \(directory); syncpay-audit reads them.")
    try narrator.finish()
  }

  private func show(_ stage: DemoStage, _ narrator: Narrator) async throws {
    let files = stage.cluster.files
    try await startNodes(stage, narrator)
    try await payThroughEveryNode(stage, narrator)
    try await retrySixTimes(stage, narrator)
    let (report, plan, killed) = try await killLeaderUnderLoad(stage, narrator)

    narrator.begin("Nothing acknowledged was lost: the survivors list every acknowledged id once.")
    let survivors = files.filter { $0.name != killed.name }
    narrator.check(await stage.caughtUp(survivors), "the survivors agree on one applied index")
    try await stage.checkNothingLost(report, plan: plan, on: survivors, narrator)
    try await stage.checkFate(of: report, at: survivors[0], narrator)

    narrator.begin("The killed node comes back from its own disk and catches up.")
    _ = try stage.cluster.launch(killed)
    narrator.check(await stage.caughtUp(files), "all \(files.count) nodes have applied the same")
    try await stage.checkNothingLost(report, plan: plan, on: [killed], narrator)
    let ledger = try await stage.checkLedgers(files, narrator)
    NodeReport.table(await stage.reports()).show(indent: "   ")

    narrator.begin("SIGTERM: every node drains and ends by itself.")
    let forced = await stage.cluster.stop(files, grace: .seconds(10))
    let names = forced.joined(separator: ", ")
    narrator.check(
      forced.isEmpty, forced.isEmpty ? "all ended within 10 s" : "had to be killed: \(names)")
    try await auditData(files, ledger, narrator)
  }

  private func startNodes(_ stage: DemoStage, _ narrator: Narrator) async throws {
    let files = stage.cluster.files
    narrator.begin("Start \(files.count) nodes on empty data; they elect a leader.")
    let start = ContinuousClock.now
    for file in files { _ = try stage.cluster.launch(file) }
    let reports = try await stage.cluster.waitUntilReady(
      files, needsLeader: true, client: stage.client, within: .seconds(30))
    let seconds = fixed((ContinuousClock.now - start).secondsDouble, decimals: 1)
    let leader = reports.first(where: \.isLeader)
    narrator.check(
      leader != nil, "\(leader?.name ?? "-") leads in term \(leader?.term ?? 0), after \(seconds) s"
    )
  }

  private func payThroughEveryNode(_ stage: DemoStage, _ narrator: Narrator) async throws {
    narrator.begin("Any node takes payments, and money is exact: 0.1 three times is 0.3.")
    for file in stage.cluster.files {
      let order = PaymentOrder(
        id: TransactionID.make(), sender: "alice", receiver: "bob", amount: "0.1")
      guard let answer = await stage.pay(order, to: [file.address], narrator) else { continue }
      let node = answer["processed_by"]?.text ?? "-"
      narrator.check(node == file.name, "alice → bob 0.1 through \(file.name), by \(node)")
    }
    let file = stage.cluster.files[0]
    let balance = try await stage.balance("bob", at: file)
    let expected = ExactDecimal(cents: 10 * stage.cluster.files.count)
    narrator.check(balance == expected, "bob has \(balance), which is exactly \(expected)")
  }

  private func retrySixTimes(_ stage: DemoStage, _ narrator: Narrator) async throws {
    narrator.begin("A payment sent six times, to all nodes in turn, is made once.")
    let order = PaymentOrder(
      id: TransactionID.make(), sender: "carol", receiver: "dave", amount: "150.75")
    var sequences: Set<String> = []
    for number in 0..<6 {
      let file = stage.cluster.files[number % stage.cluster.files.count]
      let answer = await stage.pay(order, to: [file.address], narrator)
      sequences.insert(answer?["event"]?["sequence"]?.text ?? "-")
    }
    let named = sequences.sorted().joined(separator: ", ")
    narrator.check(
      sequences.count == 1 && sequences != ["-"], "six answers name one event, sequence \(named)")
    let listed = try await stage.listed(account: "carol", at: stage.cluster.files[0])
    narrator.check(listed.count == 1, "carol has \(listed.count) payment, of \(order.amount)")
  }

  private func killLeaderUnderLoad(
    _ stage: DemoStage, _ narrator: Narrator
  ) async throws -> (LoadReport, LoadPlan, killed: NodeFile) {
    narrator.begin(
      "\(clients) clients make \(payments) payments; in the middle the leader is killed (SIGKILL).")
    let plan = LoadPlan(
      clients: clients, payments: payments, nodes: stage.cluster.addresses, sender: "till",
      receivers: (1...10).map { "shop-\($0)" })
    let generator = LoadGenerator(client: stage.client, plan: plan)
    async let running = generator.run()
    await generator.waitUntil(ended: payments / 3)
    let leader = try await stage.leader()
    let before = generator.ended
    let pid = await stage.cluster.kill(leader)
    narrator.check(
      pid != nil,
      "\(leader.name), the leader, was killed (pid \(pid ?? 0)) after \(before) payments")
    let report = await running
    narrator.say(report.summary)
    let next = try await stage.leader()
    narrator.check(next.name != leader.name, "\(next.name) leads now")
    narrator.check(
      report.acknowledged.count > before, "the survivors went on taking payments")
    return (report, plan, leader)
  }

  private func auditData(
    _ files: [NodeFile], _ ledger: LedgerTotals, _ narrator: Narrator
  ) async throws {
    let tool = audit.tool
    let directories = files.map(\.dataDirectory)
    narrator.begin("Audit without any node: the segments alone tell it all again.")
    try await tool.check(
      "timeline", directories, options: ["--limit", "8"], shows: 12,
      "timeline: the nodes' logs merge into one order by time", narrator)
    try await tool.check(
      "ledger", directories, shows: 16, "ledger: balances rebuilt from segments", narrator)
    let rebuilt = try await tool.ledger(directories)
    narrator.check(rebuilt == ledger, "ledger: they equal what GET /get_ledger answered")
    try await tool.check(
      "skew", directories, shows: 20, "skew: the quality of every clock, from the logs", narrator)
    try await tool.check(
      "verify", directories, shows: 12,
      "verify: every byte re-read, every hash checked, the nodes compared", narrator)
  }
}

/// Ends a demonstration's nodes when the person interrupts it; they live in sessions of their own
/// and would stay.
struct Interruption {
  private let sources: [any DispatchSourceSignal]

  init(_ cluster: LoopbackCluster) {
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        for file in cluster.files { cluster.send(SIGKILL, to: file) }
        Terminal.complain("interrupted; the demo's nodes were killed.")
        _exit(128 + number)
      }
      source.resume()
      return source
    }
  }

  func cancel() {
    for source in sources { source.cancel() }
  }
}

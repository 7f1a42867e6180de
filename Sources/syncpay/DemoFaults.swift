import ArgumentParser

/// `syncpay demo faults`.
struct DemoFaults: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "faults",
    abstract: "Kill and restart the leader and a follower under load.",
    discussion: """
      While clients pay, the leader is killed (SIGKILL) and started again, then a follower. \
      Afterwards every acknowledged id must stand exactly once on every node. Only processes that \
      the cluster's pid files name are killed; a killed node is started again in any case.
      """)

  @OptionGroup var options: ClusterOptions

  @Option(help: "How many clients pay at once.")
  var clients: Int = 32

  @Option(help: "How many payments.")
  var payments: Int = 4_000

  func validate() throws {
    guard (1...4_096).contains(clients), (4...10_000_000).contains(payments) else {
      throw ValidationError("--clients must be 1 to 4096, --payments 4 to 10000000.")
    }
  }

  func perform() async throws {
    try await DemoStage.with(options, connectionsPerNode: clients + 8) { stage, narrator in
      let files = stage.cluster.files
      guard files.count >= 3, files.allSatisfy({ stage.cluster.pid($0) != nil }) else {
        throw CommandFailure(
          .unreachable,
          "needs three or more running nodes of this machine; see 'syncpay cluster status'.")
      }
      let accounts = DemoAccounts()
      let plan = LoadPlan(
        clients: clients, payments: payments, nodes: stage.cluster.addresses,
        sender: accounts.sender, receivers: (1...10).map { "\(accounts.receiver)-\($0)" })
      let report = try await disturb(stage, plan, narrator)
      narrator.begin("Every acknowledged payment stands exactly once on every node.")
      narrator.check(await stage.caughtUp(files), "all nodes have applied the same index")
      try await stage.checkNothingLost(report, plan: plan, on: files, narrator)
      try await stage.checkFate(of: report, at: files[0], narrator)
    }
  }

  private func disturb(
    _ stage: DemoStage, _ plan: LoadPlan, _ narrator: Narrator
  ) async throws -> LoadReport {
    let generator = LoadGenerator(client: stage.client, plan: plan)
    async let running = generator.run()

    await generator.waitUntil(ended: payments / 4)
    let leader = try await stage.leader()
    narrator.begin("\(leader.name), the leader, is killed under load; another takes over.")
    try await crash(leader, stage, narrator) {
      let next = try await stage.leader()
      narrator.check(next.name != leader.name, "\(next.name) leads now")
    }
    await generator.waitUntil(ended: payments * 5 / 8)
    let current = try await stage.leader()
    let follower = stage.cluster.files.first { $0.name != current.name } ?? leader
    narrator.begin("\(follower.name), a follower, is killed under load; nobody waits for it.")
    try await crash(follower, stage, narrator) {
      let still = try await stage.leader()
      narrator.check(still.name == current.name, "\(still.name) still leads")
    }
    let report = await running
    narrator.say(report.summary)
    return report
  }

  /// Kills a node, looks, and starts it again, come what may.
  private func crash(
    _ file: NodeFile, _ stage: DemoStage, _ narrator: Narrator, look: () async throws -> Void
  ) async throws {
    let pid = await stage.cluster.kill(file)
    narrator.check(pid != nil, "\(file.name) was killed, pid \(pid ?? 0)")
    do {
      try await look()
    } catch let failure as CommandFailure {
      narrator.check(false, failure.message)
    }
    _ = try stage.cluster.launch(file)
    _ = try await stage.cluster.waitUntilReady(
      [file], needsLeader: false, client: stage.client, within: stage.patience)
    narrator.check(true, "\(file.name) runs again")
    narrator.check(await rejoins(file, stage), "\(file.name) follows the leader again")
  }

  private func rejoins(_ file: NodeFile, _ stage: DemoStage) async -> Bool {
    let deadline = ContinuousClock.now + stage.patience
    while ContinuousClock.now < deadline {
      if await stage.reports(of: [file])[0].isServing { return true }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return false
  }
}

import ArgumentParser

/// `syncpay cluster`: the loopback cluster as processes of this machine.
struct ClusterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster",
    abstract: "Run a cluster on this machine.",
    discussion: """
      One process per file node*.json of --configs. Each node has a pid file and a log in \
      --directory (run/node1.pid, run/node1.log); its data stand where its file says, relative to \
      the directory the command is run in.

      Only processes that a pid file names, that are alive and that really are syncpayd are ever \
      signalled.
      """,
    subcommands: [
      ClusterStart.self, ClusterStop.self, ClusterStatus.self, ClusterRestart.self,
      ClusterKill.self,
    ],
    defaultSubcommand: ClusterStatus.self)
}

/// Where the loopback cluster is described and where it runs.
struct ClusterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The directory with node*.json.", valueName: "directory"))
  var configs: String = "configs"

  @Option(help: ArgumentHelp("The directory for pid files and logs.", valueName: "directory"))
  var directory: String = "run"

  @Option(
    help: ArgumentHelp(
      "The node's program; 'syncpayd' beside this command when not given.", valueName: "path"))
  var daemon: String?

  @Option(help: ArgumentHelp("Seconds to wait until the nodes are ready.", valueName: "seconds"))
  var wait: Double = 30

  @Option(
    help: ArgumentHelp(
      "Seconds a node has to end after SIGTERM before it is killed.", valueName: "seconds"))
  var grace: Double = 10

  func validate() throws {
    guard (0...3_600).contains(wait), (0...3_600).contains(grace) else {
      throw ValidationError("--wait and --grace must be from 0 to 3600 seconds.")
    }
  }

  var waitDuration: Duration { .milliseconds(Int(wait * 1_000)) }
  var graceDuration: Duration { .milliseconds(Int(grace * 1_000)) }

  func cluster() throws(CommandFailure) -> LoopbackCluster {
    try LoopbackCluster(configs: configs, directory: directory, daemon: daemon)
  }
}

/// `syncpay cluster start`.
struct ClusterStart: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Start the nodes and wait until they are ready.",
    discussion: """
      The nodes run in sessions of their own and outlive this command. It returns when every node \
      answers and a leader is elected. It refuses if a node runs already. If a node ends while it \
      starts, the end of its log is shown and the nodes started by this command are stopped.

      With --only NODE, that node alone is started; the command returns when it answers.
      """)

  @OptionGroup var options: ClusterOptions

  @Option(help: ArgumentHelp("Start only this node, by name or number.", valueName: "node"))
  var only: String?

  func perform() async throws {
    let cluster = try options.cluster()
    let files = try only.map { name throws(CommandFailure) in [try cluster.files.named(name)] }
    let chosen = files ?? cluster.files
    for file in chosen {
      if let pid = cluster.pid(file) {
        throw CommandFailure(
          .refused,
          "\(file.name) runs already (pid \(pid)); stop it with 'syncpay cluster stop'.")
      }
    }
    let reports = try await start(chosen, of: cluster, needsLeader: only == nil)
    for (file, report) in zip(chosen, reports) {
      let pid = cluster.pid(file).map(String.init) ?? "-"
      Terminal.line("\(file.name)  \(report.role)  \(file.address.url)  pid \(pid)")
    }
  }

  private func start(
    _ files: [NodeFile], of cluster: LoopbackCluster, needsLeader: Bool
  ) async throws -> [NodeReport] {
    var started: [NodeFile] = []
    do {
      for file in files {
        _ = try cluster.launch(file)
        started.append(file)
      }
      return try await NodeClient.with { client in
        try await cluster.waitUntilReady(
          files, needsLeader: needsLeader, client: client, within: options.waitDuration)
      }
    } catch {
      _ = await cluster.stop(started, grace: options.graceDuration)
      throw error
    }
  }
}

/// `syncpay cluster stop`.
struct ClusterStop: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "Stop the nodes.",
    discussion: """
      Sends SIGTERM, upon which a node answers or refuses what is in flight, flushes and ends. A \
      node that has not ended after --grace seconds is killed, with a warning. Stopping nodes that \
      do not run is no error.
      """)

  @OptionGroup var options: ClusterOptions

  @Option(help: ArgumentHelp("Stop only this node, by name or number.", valueName: "node"))
  var only: String?

  func perform() async throws {
    let cluster = try options.cluster()
    let chosen: [NodeFile]
    if let only { chosen = [try cluster.files.named(only)] } else { chosen = cluster.files }
    let running = Set(chosen.filter { cluster.pid($0) != nil }.map(\.name))
    let killed = await cluster.stop(chosen, grace: options.graceDuration)
    for file in chosen {
      if killed.contains(file.name) {
        Terminal.complain(
          "warning: \(file.name) did not end within \(options.grace) s and was killed.")
      } else {
        let outcome = running.contains(file.name) ? "stopped" : "did not run"
        Terminal.line("\(file.name)  \(outcome)")
      }
    }
  }
}

/// `syncpay cluster status`.
struct ClusterStatus: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the processes of the cluster.",
    discussion: """
      One row per node file: the process, its address, its data and what it answers.

      Exit codes: 0 all nodes run and answer; 1 some do; 2 none does.
      """)

  @OptionGroup var options: ClusterOptions

  func perform() async throws {
    let cluster = try options.cluster()
    let reports = try await NodeClient.with { client in
      await NodeReport.all(of: cluster.addresses, client: client, within: .seconds(2))
    }
    var table = Table([
      .init("node"), .init("pid", .right), .init("url"), .init("state"), .init("term", .right),
      .init("data"), .init("log"),
    ])
    var ready = 0
    for (file, report) in zip(cluster.files, reports) {
      let pid = cluster.pid(file)
      if pid != nil && report.isReachable { ready += 1 }
      let state = pid == nil && !report.isReachable ? "stopped" : report.role
      table.add([
        file.name, pid.map(String.init) ?? "-", file.address.url, state,
        report.status?["term"]?.text ?? "-", file.dataDirectory, cluster.logPath(file),
      ])
    }
    table.show()
    guard ready < cluster.files.count else { return }
    throw CommandFailure(
      ready == 0 ? .unreachable : .refused, "\(ready) of \(cluster.files.count) nodes run.")
  }
}

/// `syncpay cluster restart`.
struct ClusterRestart: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "Stop one node and start it again.",
    discussion: "Returns when the node answers. A node that does not run is started.")

  @OptionGroup var options: ClusterOptions

  @Argument(help: "The node, by name or number.")
  var node: String

  func perform() async throws {
    let cluster = try options.cluster()
    let file = try cluster.files.named(node)
    if await !cluster.stop([file], grace: options.graceDuration).isEmpty {
      Terminal.complain(
        "warning: \(file.name) did not end within \(options.grace) s and was killed.")
    }
    let pid = try cluster.launch(file)
    _ = try await NodeClient.with { client in
      try await cluster.waitUntilReady(
        [file], needsLeader: false, client: client, within: options.waitDuration)
    }
    Terminal.line("\(file.name)  restarted  pid \(pid)")
  }
}

/// `syncpay cluster kill`.
struct ClusterKill: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "End one node at once (SIGKILL), to see the cluster survive it.",
    discussion: """
      Only the process that the node's pid file names, and only if it really is syncpayd.
      """)

  @OptionGroup var options: ClusterOptions

  @Argument(help: "The node, by name or number.")
  var node: String

  func perform() async throws {
    let cluster = try options.cluster()
    let file = try cluster.files.named(node)
    guard let pid = await cluster.kill(file) else {
      throw CommandFailure(.refused, "\(file.name) does not run.")
    }
    Terminal.line("\(file.name)  killed  pid \(pid)")
  }
}

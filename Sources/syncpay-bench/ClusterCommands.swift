import ArgumentParser

/// What the nodes of a cluster are started with.
struct NodeOptions: ParsableArguments {
  @Option(help: "The syncpayd to start; by default the one beside this program.")
  var daemon: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("A setting for the nodes.", valueName: "key=value"))
  var overrides: [String] = []
}

/// `syncpay-bench failover`.
struct FailoverCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover",
    abstract: "From SIGKILL of the leader to the next acknowledged payment.",
    discussion: """
      Starts a loopback cluster of its own, pays all the time through all nodes, and kills the \
      leader again and again. Each time, new payments are sent to the surviving nodes at once; the \
      first acknowledgement ends the measurement. The node is then started again, and has caught up \
      before the next kill. Clients retry as the API's guide says. Afterwards all nodes must have \
      every acknowledged payment once. Takes about three seconds for each kill.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "How often a leader is killed.")
  var kills = FailoverSettings().kills

  @Option(name: .customLong("nodes"), help: "Nodes of the cluster.")
  var nodeCount = FailoverSettings().nodes.count

  @Option(
    help: ArgumentHelp(
      "Takes settings from node1.json and so on in this directory, like configs/fast-failover.",
      valueName: "directory"))
  var configs: String?

  @Option(help: "Clients that pay all the time.")
  var clients = FailoverSettings().clients

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard (1...1000).contains(kills), (3...9).contains(nodeCount), (1...1000).contains(clients)
    else {
      throw ValidationError("A number is out of its range; two nodes do not survive one.")
    }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : FailoverSettings()
    if !shared.toy {
      settings.kills = kills
      settings.nodes.count = nodeCount
      settings.clients = clients
    }
    settings.nodes.configs = configs
    settings.nodes.daemon = node.daemon
    settings.nodes.overrides = node.overrides
    settings.seed = shared.seed
    let benchmark = FailoverBenchmark(settings)
    try await shared.report { [try await benchmark.run()] }
  }
}

/// `syncpay-bench restart`.
struct RestartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "From the start of a node with a long history until it takes payments.",
    discussion: """
      Makes a log of so many payments, gives a copy to each node of a loopback cluster, and lets \
      them replay it once; that is measured, too. Then one node is ended and started again and \
      again, gracefully and by SIGKILL: the time from its start until 'GET /readyz' says 200. Takes \
      about two minutes for ten million payments, and three times their log's size on the disk.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Payments in the log.")
  var events = RestartSettings().log.events

  @Option(help: "Accounts that they are drawn from.")
  var accounts = RestartSettings().log.accounts

  @Option(name: .customLong("nodes"), help: "Nodes of the cluster.")
  var nodeCount = RestartSettings().nodes.count

  @Option(help: "Starts after each kind of end.")
  var runs = RestartSettings().runs

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard (1...1_000_000_000).contains(events), (2...999_999).contains(accounts),
      (1...9).contains(nodeCount), (1...100).contains(runs)
    else { throw ValidationError("A number is out of its range.") }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : RestartSettings()
    if !shared.toy {
      settings.log.events = events
      settings.log.accounts = accounts
      settings.nodes.count = nodeCount
      settings.runs = runs
    }
    settings.nodes.daemon = node.daemon
    settings.nodes.overrides += node.overrides
    settings.log.seed = shared.seed
    let benchmark = RestartBenchmark(settings)
    try await shared.report { [try await benchmark.run()] }
  }
}

/// `syncpay-bench redundancy`.
struct RedundancyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redundancy",
    abstract: "What each further copy costs: payments per second, latency, bytes stored.",
    discussion: """
      Starts loopback clusters of 1, 3 and 5 nodes, one after the other, and pays through each \
      with one connection and with many. With --plot it also draws the figures. Takes a minute and \
      a half.

      Example:
        syncpay-bench redundancy --format markdown --plot data/redundancy.svg
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: ArgumentHelp("Draws the figures into this file, SVG.", valueName: "file"))
  var plot: String?

  @Option(help: "Seconds of each run.")
  var seconds = RedundancySettings().runSeconds

  @Option(help: "Runs of each level.")
  var runs = RedundancySettings().runs

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard seconds > 0, seconds <= 3_600, (1...100).contains(runs) else {
      throw ValidationError("A number is out of its range.")
    }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : RedundancySettings()
    if !shared.toy {
      settings.runSeconds = seconds
      settings.runs = runs
    }
    settings.daemon = node.daemon
    settings.overrides = node.overrides
    settings.seed = shared.seed
    let benchmark = RedundancyBenchmark(settings)
    try await shared.report {
      let result = try await benchmark.run()
      if let plot {
        let machine = RunContext.current(seed: shared.seed, isToy: shared.toy).machineName
        try Files.write(Array(result.chart(machine: machine).svg.utf8), to: plot)
      }
      return [result.section]
    }
  }
}

import ArgumentParser

extension LoadTarget: ExpressibleByArgument {}

/// `syncpay-bench http`.
struct HTTPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "http",
    abstract: "Payments per second and latency over HTTP.",
    discussion: """
      Starts a loopback cluster of its own in a fresh directory, or uses the nodes given. Each \
      connection sends its next payment when the last one is answered (a closed loop), so a pause \
      of the cluster counts once per connection. Every payment is durable on a majority before it \
      is answered. Afterwards all nodes must have exactly what was acknowledged.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(
    help: ArgumentHelp("Connections at once, one level after the other.", valueName: "n,n"),
    transform: { try Self.numbers($0) })
  var connections = HTTPSettings().connections

  @Option(
    name: .customLong("node"),
    help: ArgumentHelp("A running node; none: a cluster of its own.", valueName: "url"),
    transform: { try HTTPAddress($0) })
  var addresses: [HTTPAddress] = []

  @Option(name: .customLong("nodes"), help: "Nodes of its own cluster.")
  var nodeCount = HTTPSettings().nodeCount

  @Option(help: "The syncpayd to start; by default the one beside this program.")
  var daemon: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("A setting for the nodes started.", valueName: "key=value"))
  var overrides: [String] = []

  @Option(help: "Which nodes are paid through: all, leader or followers.")
  var target = HTTPSettings().target

  @Option(help: "Accounts that payments are drawn from.")
  var accounts = HTTPSettings().accounts

  @Option(help: "Seconds before a level is measured.")
  var warmup = HTTPSettings().warmupSeconds

  @Option(help: "Seconds of each run.")
  var seconds = HTTPSettings().runSeconds

  @Option(help: "Runs of each level.")
  var runs = HTTPSettings().runs

  @Option(help: "Client threads.")
  var threads = HTTPSettings().threads

  func validate() throws {
    guard connections.allSatisfy({ (1...60_000).contains($0) }), (1...9).contains(nodeCount),
      (2...999_999).contains(accounts), (0...3_600).contains(warmup), seconds > 0, seconds <= 3_600,
      (1...100).contains(runs), (1...64).contains(threads)
    else { throw ValidationError("A number is out of its range.") }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : HTTPSettings()
    if !shared.toy {
      settings.connections = connections
      settings.nodeCount = nodeCount
      settings.target = target
      settings.accounts = accounts
      settings.warmupSeconds = warmup
      settings.runSeconds = seconds
      settings.runs = runs
      settings.threads = threads
    }
    settings.addresses = addresses
    settings.daemon = daemon
    settings.overrides = overrides
    settings.seed = shared.seed
    let benchmark = HTTPBenchmark(settings)
    try await shared.report { [try await benchmark.run()] }
  }

  private static func numbers(_ text: String) throws -> [Int] {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }
    guard numbers.count == parts.count else {
      throw ValidationError("'\(text)' is not a list of numbers like 1,64,1000.")
    }
    return numbers
  }
}

/// `syncpay-bench append`.
struct AppendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "append",
    abstract: "Segment append with fdatasync, beside the same bytes written raw.",
    discussion: """
      Batches go one by one through the segment store that nodes use; each is durable before the \
      next. The raw limit, a write of as many bytes and an fdatasync, is measured in turn with it.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Where to write: it should be the disk that nodes will use.")
  var directory: String?

  @Option(help: "Seconds for each batch size.")
  var seconds = AppendSettings().seconds

  func validate() throws {
    guard seconds > 0, seconds <= 3_600 else { throw ValidationError("--seconds: 0 to 3600.") }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : AppendSettings()
    if !shared.toy { settings.seconds = seconds }
    settings.directory = directory
    settings.seed = shared.seed
    let benchmark = AppendBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

/// `syncpay-bench replay`.
struct ReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Replay of a log to balances on one core, beside SHA-256 and LZ4 alone.",
    discussion: """
      The log is made once and kept in --directory, or made anew in a fresh one. 'recovery' is the \
      way a node starts, 'audit' that of syncpay-audit replay; both check every hash.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Payments in the log.")
  var events = ReplaySettings().events

  @Option(help: "Accounts that they are drawn from.")
  var accounts = ReplaySettings().accounts

  @Option(help: "Payments in a batch.")
  var batch = ReplaySettings().batch

  @Option(help: "Runs.")
  var runs = ReplaySettings().runs

  @Option(help: "Keeps the log here for the next time.")
  var directory: String?

  func validate() throws {
    guard (1...1_000_000_000).contains(events), (2...999_999).contains(accounts),
      (1...8_192).contains(batch), (1...100).contains(runs)
    else { throw ValidationError("A number is out of its range.") }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : ReplaySettings()
    if !shared.toy {
      settings.events = events
      settings.accounts = accounts
      settings.batch = batch
      settings.runs = runs
    }
    settings.directory = directory
    settings.seed = shared.seed
    let benchmark = ReplayBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

/// `syncpay-bench merge`.
struct MergeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge of many nodes' events into one timeline.",
    discussion: """
      'merge' takes sources that are in order; 'reorder+merge' takes sources of which one event in \
      ten is out of order within a window of 1 ms, and orders each before it is merged. Events are \
      made on the way, so that the memory is that of the merge.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Events of all sources together.")
  var events = MergeSettings().events

  @Option(help: "Runs.")
  var runs = MergeSettings().runs

  func validate() throws {
    guard (1...1_000_000_000).contains(events), (1...100).contains(runs) else {
      throw ValidationError("A number is out of its range.")
    }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : MergeSettings()
    if !shared.toy {
      settings.events = events
      settings.runs = runs
    }
    settings.seed = shared.seed
    let benchmark = MergeBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

/// `syncpay-bench all`.
struct AllCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "all",
    abstract: "Every benchmark at its default size, in one report.",
    discussion: "Takes about three minutes.")

  @OptionGroup var shared: SharedOptions

  @Option(help: "The syncpayd to start; by default the one beside this program.")
  var daemon: String?

  func run() async throws {
    try await shared.report {
      var http = shared.toy ? HTTPSettings.toy : HTTPSettings()
      var append = shared.toy ? AppendSettings.toy : AppendSettings()
      var replay = shared.toy ? ReplaySettings.toy : ReplaySettings()
      var merge = shared.toy ? MergeSettings.toy : MergeSettings()
      var evidence = shared.toy ? EvidenceSettings.toy : EvidenceSettings()
      (http.seed, append.seed) = (shared.seed, shared.seed)
      (replay.seed, merge.seed) = (shared.seed, shared.seed)
      evidence.seed = shared.seed
      http.daemon = daemon
      return [
        try await HTTPBenchmark(http).run(), try AppendBenchmark(append).run(),
        try ReplayBenchmark(replay).run(), try VerifyBenchmark(evidence).run(),
        try LookupBenchmark(evidence).run(), try MergeBenchmark(merge).run(),
      ]
    }
  }
}

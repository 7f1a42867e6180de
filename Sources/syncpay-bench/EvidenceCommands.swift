import ArgumentParser

/// What both commands over sealed logs take.
struct EvidenceOptions: ParsableArguments {
  @Option(help: "Payments in the log.")
  var events = EvidenceSettings().events

  @Option(help: "Accounts that they are drawn from.")
  var accounts = EvidenceSettings().accounts

  @Option(help: "Payments in a batch.")
  var batch = EvidenceSettings().batch

  @Option(name: .customLong("segment-bytes"), help: "A segment is closed at this length.")
  var segmentBytes = EvidenceSettings().segmentByteCount

  @Option(help: "Where the log is made: it should be the disk that nodes will use.")
  var directory: String?

  func validate() throws {
    guard (1...1_000_000_000).contains(events), (2...999_999).contains(accounts),
      (1...8_192).contains(batch), (4_096...(1 << 30)).contains(segmentBytes)
    else { throw ValidationError("A number is out of its range.") }
  }

  func settings(_ shared: SharedOptions) -> EvidenceSettings {
    var settings = shared.toy ? .toy : EvidenceSettings()
    if !shared.toy {
      settings.events = events
      settings.accounts = accounts
      settings.batch = batch
      settings.segmentByteCount = segmentBytes
    }
    settings.directory = directory
    settings.seed = shared.seed
    return settings
  }
}

/// `syncpay-bench verify`.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verification of a sealed log, beside SHA-256 and lz4 -t alone.",
    discussion: """
      The way of syncpay-audit verify: every byte, every hash, the chain, the Merkle tree, the index \
      and the ledger's digests. Needs lz4.
      """)

  @OptionGroup var shared: SharedOptions
  @OptionGroup var log: EvidenceOptions

  @Option(help: "Runs.")
  var runs = EvidenceSettings().runs

  func validate() throws {
    guard (1...100).contains(runs) else { throw ValidationError("--runs: 1 to 100.") }
  }

  func run() async throws {
    var settings = log.settings(shared)
    if !shared.toy { settings.runs = runs }
    let benchmark = VerifyBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

/// `syncpay-bench lookup`.
struct LookupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lookup",
    abstract: "Look-ups of single events in a sealed log, warm and cold, beside raw reads.",
    discussion: """
      By transaction id, by time and by account, as syncpay-audit find does: only what is needed is \
      read, and all that is read is checked.
      """)

  @OptionGroup var shared: SharedOptions
  @OptionGroup var log: EvidenceOptions

  @Option(help: "Look-ups of each kind.")
  var lookups = EvidenceSettings().lookups

  func validate() throws {
    guard (1...1_000_000).contains(lookups) else {
      throw ValidationError("--lookups: 1 to 1000000.")
    }
  }

  func run() async throws {
    var settings = log.settings(shared)
    if !shared.toy { settings.lookups = lookups }
    let benchmark = LookupBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

/// `syncpay-bench tamper`.
struct TamperCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tamper",
    abstract: "Changes bytes of a large sealed segment, and shows that each is found in its batch.",
    discussion: """
      Not how fast, but whether: status 1 where a change is not found, or not where it is. The tests \
      do the same to every byte of a small segment.
      """)

  @OptionGroup var shared: SharedOptions

  @Option(help: "Bytes to change.")
  var samples = 100

  @Option(help: "Payments in the log: more than a segment of 64 MiB holds.")
  var events = 1_800_000

  @Option(help: "Where the log is made.")
  var directory: String?

  func validate() throws {
    guard (1...1_000_000).contains(samples), (1...100_000_000).contains(events) else {
      throw ValidationError("A number is out of its range.")
    }
  }

  func run() async throws {
    var settings = shared.toy ? .toy : EvidenceSettings()
    if !shared.toy {
      settings.events = events
      settings.segmentByteCount = BatchMaker.segmentByteCountMax
      settings.lookups = samples
    }
    settings.directory = directory
    settings.seed = shared.seed
    let benchmark = TamperBenchmark(settings)
    try await shared.report { [try benchmark.run()] }
  }
}

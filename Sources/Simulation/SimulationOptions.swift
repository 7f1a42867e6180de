import Bytes

/// A deliberately broken variant: the checkers must find it.
package enum Canary: String, Sendable, CaseIterable {
  /// Nothing is broken.
  case none
  /// The hard state forgets for whom the node voted.
  case voteNotPersisted = "vote-not-persisted"
  /// A leader counts copies of an entry of an earlier term as a commit (Raft figure 8).
  case commitOfEarlierTerm = "commit-of-earlier-term"
  /// A sync says that it is done and does nothing.
  case fsyncSkipped = "fsync-skipped"
  /// The ledger forgets which transaction ids it has seen.
  case deduplicationOff = "deduplication-off"
  /// A log that is damaged is cut at the damage, as if what follows had never been there.
  case damageTakenForAbsence = "damage-taken-for-absence"
  /// A node without its disk is believed under its old number.
  case lostDiskAdmitted = "lost-disk-admitted"
  /// The clock allows for less drift than its oscillator has.
  case boundTooSmall = "bound-too-small"
}

/// How messages travel.
package enum Transport: String, Sendable {
  /// As over TCP: in order within a connection, held back by a partition, lost only with it.
  case stream
  /// Each message for itself: lost, repeated, late, out of order, as consensus survives it.
  case messages
}

/// What a node is told; it may change at a restart.
package struct NodeOptions: Sendable {
  /// Ticks of 10 ms between heartbeats.
  package var heartbeatTicks: Int
  /// Shortest election timeout, ticks.
  package var electionTicksMin: Int
  /// Longest election timeout, ticks.
  package var electionTicksMax: Int
  /// Appends on the way to one follower.
  package var inFlightMessagesMax: Int
  /// Whether a leader reads under a lease, without asking a majority.
  package var hasLease: Bool
  /// Entries in an append.
  package var entriesPerMessageMax: Int
  /// Events in a batch.
  package var batchEventsMax: Int
  /// Uncommitted batches.
  package var batchesInFlightMax: Int
  /// Bytes of a segment.
  package var segmentByteCountMax: Int
  /// Transactions that a ledger holds before it asks the log for older ones.
  package var heldTransactionsMax: Int
  /// Bytes of batches kept in memory.
  package var cacheByteCountMax: Int
  /// Ticks until a payment is answered as in doubt.
  package var answerTicksMax: Int
  /// Ticks until a forwarded payment is sent again.
  package var resendTicks: Int
  /// Ticks between two notes of the commit index in the hard state.
  package var recordCommitTicks: Int
  /// Fewest events between two ledger snapshots; 0: there are none.
  package var snapshotEventsMin: Int

  /// Keeps the timeouts that the network needs.
  mutating func keepTimeouts(of other: NodeOptions) {
    heartbeatTicks = other.heartbeatTicks
    electionTicksMin = other.electionTicksMin
    electionTicksMax = other.electionTicksMax
  }

  init(_ random: inout SeededGenerator) {
    heartbeatTicks = random.number(2...8)
    electionTicksMin = max(2 * heartbeatTicks, random.number(8...40))
    electionTicksMax = electionTicksMin + random.number(4...40)
    inFlightMessagesMax = random.pick([1, 2, 8, 64])
    entriesPerMessageMax = random.pick([1, 3, 16, 256])
    hasLease = random.chance(500)
    batchEventsMax = random.pick([1, 4, 64, 8192])
    batchesInFlightMax = random.number(1...4)
    segmentByteCountMax = random.pick([1 << 10, 4 << 10, 16 << 10])
    cacheByteCountMax = random.pick([0, 2 << 10, 64 << 10])
    answerTicksMax = random.pick([100, 300, 500])
    resendTicks = random.pick([20, 50, 100])
    recordCommitTicks = random.pick([5, 30, 100])
    snapshotEventsMin = random.pick([0, 5, 20, 100, 400])
    heldTransactionsMax = random.pick([1, 10, 60, 1 << 20])
  }
}

/// The network's habits.
package struct NetworkOptions: Sendable {
  /// How messages travel.
  package var transport: Transport
  /// Least latency of a link, drawn for each direction, nanoseconds.
  package var latencyMax: Int64
  /// Most that is added to it, nanoseconds.
  package var jitterMax: Int64
  /// Messages lost of 1000, at most 300. With ``Transport/messages`` only.
  package var lossPermille: Int
  /// Messages repeated of 1000, at most 500. With ``Transport/messages`` only.
  package var repeatPermille: Int

  init(_ random: inout SeededGenerator) {
    transport = random.chance(550) ? .stream : .messages
    latencyMax = random.pick([200 * Span.microsecond, 2 * Span.millisecond, 15 * Span.millisecond])
    jitterMax = random.pick([50 * Span.microsecond, Span.millisecond, 20 * Span.millisecond])
    lossPermille = random.pick([0, 10, 50, 300])
    repeatPermille = random.pick([0, 20, 100, 500])
  }
}

/// What the clocks do.
package struct ClockOptions: Sendable {
  /// Time servers, of which at most a minority is false.
  package var serverCount: Int
  /// Servers whose time is wrong, by more than any exchange can hide.
  package var falseServerCount: Int
  /// What a right server says that it may be off, nanoseconds.
  package var serverErrorNanoseconds: Int64
  /// Least latency to a server and from it is at most this, nanoseconds.
  package var serverLatencyMax: Int64
  /// System clocks start off by up to this, nanoseconds.
  package var rawOffsetMax: Int64

  init(_ random: inout SeededGenerator) {
    serverCount = random.pick([0, 1, 3, 4, 5])
    falseServerCount = serverCount >= 3 && random.chance(400) ? 1 : 0
    serverErrorNanoseconds = random.pick([20 * Span.microsecond, Span.millisecond])
    serverLatencyMax = random.pick([200 * Span.microsecond, 20 * Span.millisecond])
    rawOffsetMax = random.pick([
      0, Span.millisecond, 100 * Span.millisecond, 400 * Span.millisecond,
    ])
  }
}

/// The clients.
package struct WorkloadOptions: Sendable {
  /// Clients, each with one payment at a time.
  package var clientCount: Int
  /// Accounts; few of them make many payments meet.
  package var accountCount: Int
  /// Mean time between two payments of a client, nanoseconds.
  package var thinkNanoseconds: Int64
  /// How long a client waits for an answer before it asks another node, nanoseconds.
  package var patienceNanoseconds: Int64
  /// Payments of 1000 that go to two nodes at once under one id.
  package var twicePermille: Int
  /// Payments of 1000 that use an id again with other contents.
  package var changedPermille: Int

  init(_ random: inout SeededGenerator) {
    clientCount = random.number(1...8)
    accountCount = random.pick([2, 5, 40])
    thinkNanoseconds = random.pick([50, 100, 400]) * Span.millisecond
    patienceNanoseconds = random.pick([300, 1000, 3000]) * Span.millisecond
    twicePermille = random.pick([0, 50, 300])
    changedPermille = random.pick([0, 30])
  }
}

/// Everything a seed decides before its world begins.
package struct SimulationOptions: Sendable {
  /// The seed.
  package let seed: UInt64
  /// What is broken on purpose.
  package let canary: Canary
  /// Voters, 1 to 7.
  package var nodeCount: Int
  /// Machines beside the first members', to be added.
  package var spareCount: Int
  /// How long faults and clients last, nanoseconds.
  package var activeNanoseconds: Int64
  /// What every node is told at first.
  package var node: NodeOptions
  /// The network.
  package var network: NetworkOptions
  /// The clocks.
  package var clock: ClockOptions
  /// The clients.
  package var workload: WorkloadOptions
  /// The faults.
  package var faults: FaultRates
  /// Whether calls that come in close together are flushed together.
  package var gathersCalls: Bool
  /// Whether nodes look through their sealed segments while they run.
  package var hasScrub: Bool
  /// Whether nodes sign checkpoints.
  package var isSigning: Bool

  /// The options of a seed.
  package init(seed: UInt64, canary: Canary = .none) {
    self.seed = seed
    self.canary = canary
    var random = SeededGenerator(seed: seed, concern: .options)
    nodeCount = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 7])
    spareCount = random.pick([0, 1, 2])
    activeNanoseconds = Int64(random.number(10...30)) * Span.second
    node = NodeOptions(&random)
    network = NetworkOptions(&random)
    clock = ClockOptions(&random)
    workload = WorkloadOptions(&random)
    faults = FaultRates(&random)
    gathersCalls = random.chance(500)
    hasScrub = random.chance(700)
    isSigning = random.chance(150)
    if faults.membersMean == 0 {
      spareCount = 0
      faults.wipeMean = 0
    }
    adapt()
  }

  /// Options without any fault, for tests of the simulator itself.
  package mutating func calm() {
    faults = .none
    network.lossPermille = 0
    network.repeatPermille = 0
    network.latencyMax = min(network.latencyMax, 2 * Span.millisecond)
    network.jitterMax = min(network.jitterMax, Span.millisecond)
    spareCount = 0
  }

  /// Timeouts that the drawn network can work with, and what a canary needs to show.
  private mutating func adapt() {
    let roundTrip = 2 * (network.latencyMax + network.jitterMax)
    let ticks = Int(3 * roundTrip / (10 * Span.millisecond))
    node.electionTicksMin = max(node.electionTicksMin, ticks)
    node.electionTicksMax = max(node.electionTicksMax, node.electionTicksMin + 4)
    provoke()
  }

  /// What a canary needs to show within 200 seeds.
  private mutating func provoke() {
    guard canary != .none else { return }
    nodeCount = random(3...5)
    switch canary {
    case .none: break
    case .voteNotPersisted:
      nodeCount = 3
      useShortElections()
      network.lossPermille = 200
      faults.crashAfterVotePermille = 400
      faults.strikeLeaderPermille = 300
    case .commitOfEarlierTerm:
      nodeCount = 3
      useShortElections()
      activeNanoseconds = 30 * Span.second
      network.latencyMax = 40 * Span.millisecond
      node.electionTicksMin = 20
      node.electionTicksMax = 28
      node.entriesPerMessageMax = 1
      node.inFlightMessagesMax = 1
      node.batchEventsMax = 1
      node.batchesInFlightMax = 4
      faults.strikeLeaderPermille = 900
      faults.strikeLeaderWithin = 100 * Span.millisecond
      faults.partitionMean = 0
      faults.crashMean = 0
    case .fsyncSkipped: faults.crashMean = 2 * Span.second
    case .deduplicationOff: workload.twicePermille = 300
    case .damageTakenForAbsence: faults.damageMean = 3 * Span.second
    case .lostDiskAdmitted:
      nodeCount = 3
      useShortElections()
      faults.membersMean = 0
      faults.wipeMean = Span.second
      faults.strikeLeaderPermille = 600
      faults.strikeLeaderWithin = 500 * Span.millisecond
    case .boundTooSmall:
      clock.serverCount = 3
      clock.serverErrorNanoseconds = 20 * Span.microsecond
      clock.serverLatencyMax = 200 * Span.microsecond
    }
  }

  /// Many elections, each message for itself.
  private mutating func useShortElections() {
    network.transport = .messages
    network.latencyMax = 2 * Span.millisecond
    network.jitterMax = Span.millisecond
    network.lossPermille = 20
    node.heartbeatTicks = 7
    node.electionTicksMin = 14
    node.electionTicksMax = 18
    node.hasLease = false
    faults.partitionMean = 2 * Span.second
    faults.crashMean = 3 * Span.second
    faults.damageMean = 0
    workload.clientCount = 8
    workload.thinkNanoseconds = 50 * Span.millisecond
  }

  private func random(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(seed % UInt64(range.count))
  }
}

import Bytes

/// How often what goes wrong, by the mean time between two faults of a kind in the whole cluster,
/// nanoseconds; 0 is never.
package struct FaultRates: Sendable {
  /// A process ends at once, its machine goes on.
  package var killMean: Int64 = 0
  /// A machine loses its power.
  package var crashMean: Int64 = 0
  /// All machines lose their power.
  package var blackoutMean: Int64 = 0
  /// A process is drained, stopped, and started with other options.
  package var rollingRestartMean: Int64 = 0
  /// A process gets no time for a while.
  package var pauseMean: Int64 = 0
  /// Links are cut: both ways, one way, so that one node sees both halves, or on and off.
  package var partitionMean: Int64 = 0
  /// One link holds everything back for a while.
  package var clogMean: Int64 = 0
  /// A connection breaks.
  package var disconnectMean: Int64 = 0
  /// A sync, a write or a read fails once.
  package var diskErrorMean: Int64 = 0
  /// A disk is full for a while.
  package var diskFullMean: Int64 = 0
  /// A disk is slow, or hangs, for a while.
  package var slowDiskMean: Int64 = 0
  /// Durable bytes of one node's log change.
  package var damageMean: Int64 = 0
  /// A copy of one node's hard state changes.
  package var hardStateDamageMean: Int64 = 0
  /// A ledger snapshot of one node changes.
  package var snapshotDamageMean: Int64 = 0
  /// A system clock is set, stopped or started.
  package var clockFaultMean: Int64 = 0
  /// Leadership is handed to somebody.
  package var transferMean: Int64 = 0
  /// An operator adds, promotes, demotes, removes or replaces a member.
  package var membersMean: Int64 = 0
  /// A machine loses its disk, and comes back with an empty one.
  package var wipeMean: Int64 = 0
  /// An operator sets a rule for all nodes.
  package var policyMean: Int64 = 0
  /// Of 1000 messages that tell of a vote, so many are followed by the sender's crash.
  package var crashAfterVotePermille = 0
  /// Of 1000 elections, so many are followed by the new leader's crash or isolation.
  package var strikeLeaderPermille = 0
  /// How soon after its election at most, nanoseconds.
  package var strikeLeaderWithin: Int64 = 0
  /// Whether a power failure may keep a later write of a file and lose an earlier one.
  package var reordersWrites = false

  /// No faults.
  package static var none: FaultRates { FaultRates() }

  private init() {}

  init(_ random: inout SeededGenerator) {
    func mean(_ permille: Int, _ seconds: ClosedRange<Int>) -> Int64 {
      random.chance(permille) ? Int64(random.number(seconds)) * Span.second : 0
    }
    killMean = mean(500, 2...20)
    crashMean = mean(600, 2...15)
    blackoutMean = mean(250, 5...20)
    rollingRestartMean = mean(300, 3...15)
    pauseMean = mean(400, 2...15)
    partitionMean = mean(600, 2...12)
    clogMean = mean(400, 1...10)
    disconnectMean = mean(400, 1...10)
    diskErrorMean = mean(300, 3...20)
    diskFullMean = mean(150, 5...20)
    slowDiskMean = mean(400, 2...10)
    damageMean = mean(350, 2...12)
    hardStateDamageMean = mean(300, 1...8)
    snapshotDamageMean = mean(300, 2...10)
    clockFaultMean = mean(400, 2...10)
    transferMean = mean(300, 2...10)
    membersMean = mean(400, 1...8)
    wipeMean = mean(500, 2...8)
    policyMean = mean(300, 2...10)
    crashAfterVotePermille = random.pick([0, 0, 20, 100])
    strikeLeaderPermille = random.pick([0, 0, 200, 600])
    strikeLeaderWithin = random.pick([20, 100, 500]) * Span.millisecond
    reordersWrites = random.chance(300)
  }
}

package import Bytes

/// A time server of the configuration.
package struct ClockServer: Hashable, Sendable {
  /// Its place in the configuration: names it in ``ClockSource/server(_:)``.
  package let number: UInt16
  /// Its host name or address, for people.
  package let name: String

  /// A server from its fields.
  package init(number: UInt16, name: String) {
    self.number = number
    self.name = name
  }
}

/// How often a kind of source is asked.
///
/// The interval doubles while age costs a source's bound less than its path does, and halves when it costs
/// more: a source 20 ms away is asked as seldom as its answers are worth.
package struct ClockPolling: Hashable, Sendable {
  /// Shortest time between two requests after the first ones, nanoseconds.
  package var intervalNanosecondsMin: Int64
  /// Longest time between two requests, nanoseconds.
  package var intervalNanosecondsMax: Int64
  /// Between the first requests, and those after a disruption, nanoseconds.
  package var burstIntervalNanoseconds: Int64
  /// How many requests go out at the faster pace.
  package var burstCount: Int

  /// A pace from its fields.
  package init(
    intervalNanosecondsMin: Int64, intervalNanosecondsMax: Int64, burstIntervalNanoseconds: Int64,
    burstCount: Int
  ) {
    self.intervalNanosecondsMin = intervalNanosecondsMin
    self.intervalNanosecondsMax = intervalNanosecondsMax
    self.burstIntervalNanoseconds = burstIntervalNanoseconds
    self.burstCount = burstCount
  }

  /// Every 1 to 16 s; at first four times at 100 ms.
  package static var peers: ClockPolling {
    ClockPolling(
      intervalNanosecondsMin: 1_000_000_000, intervalNanosecondsMax: 16_000_000_000,
      burstIntervalNanoseconds: 100_000_000, burstCount: 4)
  }

  /// Every 16 to 1024 s; at first four times at 2 s (RFC 5905 §13's burst is 2 s apart).
  package static var servers: ClockPolling {
    ClockPolling(
      intervalNanosecondsMin: 16_000_000_000, intervalNanosecondsMax: 1_024_000_000_000,
      burstIntervalNanoseconds: 2_000_000_000, burstCount: 4)
  }
}

/// Everything about a node's clock that can be set, with the defaults.
package struct ClockConfiguration: Hashable, Sendable {
  /// This node.
  package var node: NodeID
  /// The other members of the cluster.
  package var peers: [NodeID] = []
  /// Time servers, if any.
  package var servers: [ClockServer] = []
  /// How often peers are asked.
  package var peerPolling = ClockPolling.peers
  /// How often time servers are asked.
  package var serverPolling = ClockPolling.servers
  /// A source is stale when not heard for this many of its polling intervals.
  package var staleAfterPolls: Int64 = 8
  /// Whether the kernel is asked what the daemon that disciplines the host's clock knows.
  package var usesKernel = false
  /// How far any host's clock, system or monotonic, may run from true rate: RFC 5905's MAXFREQ, 500 ppm;
  /// two of them may part at twice that. Until samples show the rate, bounds grow by it. HAZARD: a host
  /// whose clock is worse makes bounds too small; its samples then contradict each other and only the
  /// newest counts (``ClockFilter``).
  package var frequencyErrorPartsPerBillionMax: Int64 = 500_000
  /// How far a clock's rate may move while its samples are taken and until the next one: RFC 5905's PHI,
  /// 15 ppm. With the rate known, bounds grow by it with age. HAZARD: as above.
  package var driftAllowancePartsPerBillion: Int64 = 15_000
  /// Most samples of a source in its fit.
  package var sampleCountMax = ClockFilter.sampleCountMax
  /// Fastest slew of corrected time after the first synchronization.
  package var slewPartsPerMillionMax: Int64 = 500
  /// raw − monotonic jumping by more is a step of the system clock.
  package var stepThresholdNanoseconds: Int64 = 50_000_000
  /// No poll of ``NodeClock`` for longer is a pause of the process or the machine.
  package var pauseThresholdNanoseconds: Int64 = 2_000_000_000
  /// How long after the start, and after a disruption, an estimate waits for every configured
  /// source before it makes do with those that answered. With all of them up it waits one round.
  package var settleNanoseconds: Int64 = 3_000_000_000
  /// Holdover becomes unsynchronized after this.
  package var voidAfterNanoseconds: Int64 = 3_600_000_000_000
  /// How far the host's clock is taken to be from true time when nothing vouches for it: a claim
  /// of the operator, not a measurement.
  package var hostClockBoundNanoseconds: Int64 = 1_000_000_000

  /// The defaults for a node without peers or servers.
  package init(node: NodeID) { self.node = node }

  /// Stops the process on a setting that cannot work: what a person can enter is checked before.
  func assertInvariants() {
    precondition(!peers.contains(node) && Set(peers).count == peers.count)
    precondition(Set(servers.map(\.number)).count == servers.count)
    precondition((0...100_000_000).contains(driftAllowancePartsPerBillion))
    precondition((0...100_000_000).contains(frequencyErrorPartsPerBillionMax))
    precondition((1...100_000).contains(slewPartsPerMillionMax))
    for polling in [peerPolling, serverPolling] {
      precondition(
        0 < polling.intervalNanosecondsMin
          && polling.intervalNanosecondsMin <= polling.intervalNanosecondsMax)
    }
    precondition(stepThresholdNanoseconds > 0 && pauseThresholdNanoseconds > 0)
    precondition((0...ClockLimits.spanNanosecondsMax).contains(hostClockBoundNanoseconds))
  }

  /// What is possible between true time and this host's clock.
  var trueLimits: ClockFit.Limits {
    ClockFit.Limits(
      rateMax: frequencyErrorPartsPerBillionMax, wander: driftAllowancePartsPerBillion)
  }

  /// What is possible between two hosts' clocks.
  var hostLimits: ClockFit.Limits {
    ClockFit.Limits(
      rateMax: 2 * frequencyErrorPartsPerBillionMax, wander: 2 * driftAllowancePartsPerBillion)
  }
}

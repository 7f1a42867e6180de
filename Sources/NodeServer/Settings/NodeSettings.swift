package import Bytes
import ClockSync
import Ledger
package import Logging
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Everything a node is told: file, environment and flags together, checked.
package struct NodeSettings: Sendable {
  /// This node.
  package var id: NodeID
  /// Its name.
  package var name: String
  /// Where its log lies.
  package var dataDirectory: String
  /// Where old segments go, an absolute path; empty: they stay.
  package var archiveDirectory: String
  /// The cluster's name.
  package var clusterName: String
  /// The peer listeners of the first voters, or, for a node that joins, of those it knows.
  package var members: [(id: NodeID, address: HostPort)]
  /// Whether this node is to be added to a running cluster.
  package var isJoining: Bool
  /// Where this node's peer listener binds.
  package var peerBind: HostPort
  /// Time servers.
  package var timeServers: [HostPort]
  /// Where NTP requests are answered; nil: they are not.
  package var timeBind: HostPort?
  /// Whether clock sources' answers are kept in a journal.
  package var keepsJournal: Bool
  /// Whether the kernel's estimate of its clock is a time source.
  package var usesKernelClock: Bool
  /// Least level that is logged.
  package var logLevel: Logger.Level
  /// The other texts.
  package var httpHost: String
  /// Whether the operator vouches, for this start, for a log whose end the disk has lost: see
  /// `syncpayd --vouch-for-log`.
  package var isLogVouchedFor = false
  private var integers: [String: Int]

  /// A tick of consensus time, milliseconds.
  package static let tickMilliseconds = 10

  init(
    id: NodeID, name: String, dataDirectory: String, archiveDirectory: String, clusterName: String,
    members: [(id: NodeID, address: HostPort)], isJoining: Bool, peerBind: HostPort,
    timeServers: [HostPort],
    timeBind: HostPort?, usesKernelClock: Bool, keepsJournal: Bool, logLevel: Logger.Level,
    httpHost: String,
    integers: [String: Int]
  ) {
    self.id = id
    self.name = name
    self.dataDirectory = dataDirectory
    self.archiveDirectory = archiveDirectory
    self.clusterName = clusterName
    self.members = members
    self.isJoining = isJoining
    self.peerBind = peerBind
    self.timeServers = timeServers
    self.timeBind = timeBind
    self.usesKernelClock = usesKernelClock
    self.keepsJournal = keepsJournal
    self.logLevel = logLevel
    self.httpHost = httpHost
    self.integers = integers
  }

  /// A whole-number setting.
  subscript(key: SettingKey) -> Int {
    guard let value = integers[key.name] else { preconditionFailure("\(key.name) is no number") }
    return value
  }

  /// A setting in milliseconds, in ticks: at least one.
  func ticks(_ key: SettingKey) -> Int {
    max(1, (self[key] + Self.tickMilliseconds - 1) / Self.tickMilliseconds)
  }

  var replica: ReplicaConfiguration {
    let raft = RaftConfiguration(
      id: id, initial: isJoining ? .none : Membership(voters: members.map(\.id)),
      heartbeatTicks: ticks(.heartbeat),
      electionTicksMin: ticks(.electionMin), electionTicksMax: ticks(.electionMax),
      inFlightMessagesMax: 256, entriesPerMessageMax: 256,
      leaseTicks: self[.lease] / Self.tickMilliseconds)
    var replica = ReplicaConfiguration(cluster: ClusterID(name: clusterName), raft: raft)
    replica.members = members.map {
      ClusterMember(id: $0.id, peerAddress: "\($0.address)")
    }
    replica.batchEventsMax = self[.batchEvents]
    replica.batchByteCountMax = self[.batchBytes]
    replica.batchesInFlightMax = self[.batchesInFlight]
    replica.segmentByteCountMax = self[.segmentBytes]
    replica.cacheByteCountMax = self[.cacheBytes]
    replica.compressionLevel = self[.compressionLevel]
    replica.pendingPaymentsMax = self[.pendingMax]
    replica.answerTicksMax = ticks(.answerMilliseconds)
    replica.resendTicks = ticks(.resendMilliseconds)
    replica.hybridAheadNanosecondsMax = Int64(self[.timeAheadMax]) * 1_000_000
    return replica
  }

  var clock: ClockConfiguration {
    var clock = ClockConfiguration(node: id)
    clock.peers = members.map(\.id).filter { $0 != id }
    clock.servers = timeServers.enumerated().map {
      ClockServer(number: UInt16($0.offset), name: "\($0.element)")
    }
    // Peers are asked at one pace: their health is judged by their answers.
    clock.peerPolling.intervalNanosecondsMin = Int64(self[.timePeerPoll]) * 1_000_000
    clock.peerPolling.intervalNanosecondsMax = clock.peerPolling.intervalNanosecondsMin
    clock.serverPolling.intervalNanosecondsMin = Int64(self[.timeServerPollMin]) * 1_000_000_000
    clock.serverPolling.intervalNanosecondsMax = Int64(self[.timeServerPollMax]) * 1_000_000_000
    clock.usesKernel = usesKernelClock && self[.testRawOffset] == 0 && self[.testRawDrift] == 0
    clock.driftAllowancePartsPerBillion = Int64(self[.timeDrift]) * 1000
    clock.frequencyErrorPartsPerBillionMax = Int64(self[.timeFrequency]) * 1000
    clock.slewPartsPerMillionMax = Int64(self[.timeSlew])
    clock.hostClockBoundNanoseconds = Int64(self[.timeHostBound]) * 1_000_000
    return clock
  }

  /// A healthy connection is never so silent: clock exchanges go both ways.
  var silenceNanosecondsMax: Int64 {
    max(4000, 4 * Int64(self[.timePeerPoll])) * 1_000_000
  }

  var thresholds: HealthThresholds {
    HealthThresholds(
      suspectNanoseconds: Int64(self[.healthSuspect]) * 1_000_000,
      downNanoseconds: Int64(self[.healthDown]) * 1_000_000)
  }

  var timing: NodeTiming {
    var timing = NodeTiming()
    timing.tickNanoseconds = Int64(Self.tickMilliseconds) * 1_000_000
    timing.clockReportTicks = self[.timeReportSeconds] * 1000 / Self.tickMilliseconds
    return timing
  }
}

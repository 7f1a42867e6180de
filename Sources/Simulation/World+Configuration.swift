import Bytes
import ClockSync
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  static let cluster = ClusterID(name: "simulation")

  func replicaConfiguration(_ host: SimulatedHost) -> ReplicaConfiguration {
    let node = host.options
    var configuration = ReplicaConfiguration(
      cluster: Self.cluster,
      raft: RaftConfiguration(
        id: host.id,
        initial: host.isJoining ? .none : Membership(voters: host.configured.map(\.id)),
        heartbeatTicks: node.heartbeatTicks,
        electionTicksMin: node.electionTicksMin, electionTicksMax: node.electionTicksMax,
        inFlightMessagesMax: node.inFlightMessagesMax,
        entriesPerMessageMax: node.entriesPerMessageMax,
        leaseTicks: node.hasLease ? node.electionTicksMin - node.heartbeatTicks : 0))
    if options.canary == .commitOfEarlierTerm {
      configuration.raft.canary = .commitsEarlierTerms
    }
    if options.canary == .deduplicationOff { configuration.ledgerCanary = .appliesAgain }
    configuration.members = host.configured
    configuration.batchEventsMax = node.batchEventsMax
    configuration.batchesInFlightMax = node.batchesInFlightMax
    configuration.segmentByteCountMax = node.segmentByteCountMax
    configuration.heldTransactionsMax = node.heldTransactionsMax
    configuration.cacheByteCountMax = node.cacheByteCountMax
    configuration.answerTicksMax = node.answerTicksMax
    configuration.resendTicks = node.resendTicks
    configuration.recordCommitTicks = node.recordCommitTicks
    return configuration
  }

  func clockConfiguration(_ host: SimulatedHost) -> ClockConfiguration {
    var configuration = ClockConfiguration(node: host.id)
    configuration.peers = host.configured.map(\.id).filter { $0 != host.id }
    configuration.servers = servers.indices.map {
      ClockServer(number: UInt16($0), name: "server\($0)")
    }
    if options.canary == .boundTooSmall {
      configuration.driftAllowancePartsPerBillion = 0
      configuration.frequencyErrorPartsPerBillionMax = 0
    }
    return configuration
  }

  /// The storage work as the canary lets it through.
  func canaried(_ work: StorageWork) -> StorageWork? {
    guard options.canary == .voteNotPersisted,
      case .command(.hardState(let state, let commit, let isTailSuspect)) = work
    else { return work }
    return .command(
      .hardState(
        Raft.HardState(term: state.term, vote: nil), commit: commit, isTailSuspect: isTailSuspect))
  }

  /// All files of all nodes, by node, path by path.
  func files() -> [(path: String, bytes: [UInt8])] {
    hosts.flatMap { host in
      host.disk.paths.compactMap { path in
        host.disk.bytes(path).map {
          ("node\(host.id.rawValue)" + path.dropFirst(SimulatedHost.directory.count), $0)
        }
      }
    }
  }
}

extension SimulatedClock {
  /// Oscillators run within what ``ClockConfiguration`` allows for.
  private static let driftMax: Int64 = 200_000

  init(_ options: ClockOptions, canary: Canary, _ random: inout SeededGenerator) {
    self.init(
      monotonicStart: random.span(0...1_000_000 * Span.second),
      monotonicDrift: random.span(-Self.driftMax...Self.driftMax),
      rawOffset: random.span(-options.rawOffsetMax...options.rawOffsetMax),
      rawDrift: random.span(-Self.driftMax...Self.driftMax))
  }
}

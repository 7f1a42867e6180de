import Bytes
import ClockSync
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog
import Testing

/// A node's ticks follow its monotonic clock, however late it is called.
@Suite struct NodeTickTests {
  /// A world with a clock that the test moves, and nothing else.
  private final class StillWorld: NodeEnvironment {
    var now: Int64 = 1_000_000_000_000
    var sent: [PeerMessage] = []

    func hostTime() -> HostTime {
      HostTime(rawNanoseconds: 1_790_000_000_000_000_000 + now, monotonicNanoseconds: now)
    }
    func send(_ message: PeerMessage, to peer: NodeID) { sent.append(message) }
    func store(_ work: [StorageWork]) {}
    func readAndSend(_ request: AppendRequest, to peer: NodeID) {}
    func readAndSend(_ range: LogIndexRange, to peer: NodeID) {}
    func receive(_ answer: BatchesAnswer, from peer: NodeID) {}
    func settle(_ settlements: [PaymentSettlement]) {}
    func answerReads(_ answers: [ReadAnswer]) {}
    func answerOperators(_ answers: [OperatorAnswer]) {}
    func setMembers(_ members: [ClusterMember]) {}
    func publish(_ discipline: ClockDiscipline) {}
    func askTimeServer(_ server: UInt16, datagram: [UInt8]) {}
    func kernelClock() -> KernelClock? { nil }
    func signed(_ checkpoint: CosignedCheckpoint) {}
    func learned(_ keys: NodeKeys, of node: NodeID) {}
    func note(_ note: NodeNote) {}
    func suspect(_ segment: SegmentID) {}
    func halt(_ reason: String) {}

    var preVoteRequests: Int {
      sent.count {
        if case .raft(.preVoteRequest) = $0 { true } else { false }
      }
    }
  }

  private let world = StillWorld()

  /// A follower of three that campaigns after 30 to 60 ticks of silence.
  private func makeNode() -> Node<StillWorld> {
    let ids = [NodeID(1), NodeID(2), NodeID(3)]
    let configuration = ReplicaConfiguration(
      cluster: cluster,
      raft: RaftConfiguration(
        id: ids[0], initial: Membership(voters: ids), heartbeatTicks: 5, electionTicksMin: 30,
        electionTicksMax: 60, inFlightMessagesMax: 16, entriesPerMessageMax: 64))
    let recovery = ReplicaRecovery(
      configuration: configuration, knownCommitted: .zero, ledger: LedgerState())
    return Node(
      replica: Replica(
        configuration: configuration, recovery: recovery, hardState: .initial, seed: 1),
      clock: ClockConfiguration(node: ids[0]), epoch: 1,
      thresholds: HealthThresholds(suspectNanoseconds: 1, downNanoseconds: 2),
      timing: NodeTiming(), generator: SeededGenerator(seed: 1), environment: world)
  }

  @Test func `a late tick counts for all that passed`() {
    var node = makeNode()
    world.now += 1_000_000_000
    node.tick()
    #expect(world.preVoteRequests > 0, "a second is more than 60 ticks of silence")
  }

  @Test func `ticks that are due come before a message that waited`() throws {
    var node = makeNode()
    world.now += 1_000_000_000
    node.receive(.clockRequest(nonce: 7), from: NodeID(2), at: world.hostTime())
    let first = try #require(
      world.sent.first {
        switch $0 {
        case .raft(.preVoteRequest), .clockResponse: true
        default: false
        }
      })
    guard case .raft = first else {
      Issue.record("the message came first")
      return
    }
  }

  @Test func `ticks that come early or twice count for no more than what passed`() {
    var node = makeNode()
    for _ in 0..<1000 { node.tick() }
    world.now += 290_000_000
    for _ in 0..<1000 { node.tick() }
    #expect(world.preVoteRequests == 0, "29 ticks have passed")
  }
}

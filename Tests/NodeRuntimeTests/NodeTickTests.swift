import Bytes
import ClockSync
import HybridTime
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
    var work: [StorageWork] = []
    var batches: [Batch] = []
    var marks: [ProgressMark] = []
    var rawJump: Int64 = 0

    /// What every look at the clock takes, nanoseconds.
    var lookNanoseconds: Int64 = 0

    func hostTime() -> HostTime {
      now += lookNanoseconds
      return HostTime(
        rawNanoseconds: 1_790_000_000_000_000_000 + now + rawJump, monotonicNanoseconds: now)
    }
    func send(_ message: PeerMessage, to peer: NodeID) { sent.append(message) }
    func store(_ work: [StorageWork]) { self.work += work }
    func readAndSend(_ request: AppendRequest, to peer: NodeID) {}
    func readAndSend(_ range: LogIndexRange, to peer: NodeID) {}
    func receive(_ answer: BatchesAnswer, from peer: NodeID) {}
    func settle(_ settlements: [PaymentSettlement]) {}
    func answerReads(_ answers: [ReadAnswer]) {}
    func answerOperators(_ answers: [OperatorAnswer]) {}
    func setMembers(_ members: [ClusterMember]) {}
    func publish(_ discipline: ClockDiscipline) {}
    func askTimeServer(_ server: UInt16, datagram: [UInt8]) {}
    func kernelClock() -> KernelClock? {
      KernelClock(time: hostTime(), errorNanoseconds: 1_000_000)
    }
    func signed(_ checkpoint: CosignedCheckpoint) {}
    func learned(_ keys: NodeKeys, of node: NodeID) {}
    func note(_ note: NodeNote) {
      if case .logWentOn(let mark, _) = note { marks.append(mark) }
    }
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
  private func makeNode(_ numbers: [UInt16] = [1, 2, 3]) -> Node<StillWorld> {
    var clock = ClockConfiguration(node: NodeID(1))
    clock.usesKernel = true
    let ids = numbers.map { NodeID($0) }
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
      clock: clock, epoch: 1,
      thresholds: HealthThresholds(suspectNanoseconds: 1, downNanoseconds: 2),
      timing: NodeTiming(), generator: SeededGenerator(seed: 1), environment: world)
  }

  /// Lets so much time pass, a tick at a time; the disk is done at once.
  private func pass(
    _ milliseconds: Int, _ node: inout Node<StillWorld>
  ) {
    for _ in 0..<milliseconds / 10 {
      world.now += 10_000_000
      node.tick()
      node.flush()
      while !world.work.isEmpty {
        var report = StorageReport()
        for work in world.work {
          guard case .command(.append(let batches)) = work, let last = batches.last else {
            continue
          }
          world.batches += batches
          report.persisted = EntryID(index: last.index, term: last.term)
        }
        world.work = []
        node.stored(report)
        node.flush()
      }
    }
  }

  /// When this node's clock reports were stamped, milliseconds since the first, by the log.
  private func reportTimes() throws -> [Int64] {
    var times: [Int64] = []
    for batch in world.batches {
      let records = batch.records
      var cursor = RecordCursor(records.span.bytes)
      while let record = try cursor.next(in: records.span.bytes) {
        guard record.kind == .clockReport else { continue }
        times.append(
          try record.stamp(in: records.span.bytes).correctedNanoseconds / 1_000_000)
      }
    }
    return times.map { $0 - (times.first ?? 0) }
  }

  @Test func `clock reports come the rarer the longer nothing changes, and soon after a change`()
    throws
  {
    var node = makeNode([1])
    pass(60_000, &node)
    let calm = try reportTimes()
    let gaps = zip(calm, calm.dropFirst()).map { $1 - $0 }
    try #require(gaps.count >= 6, "\(calm)")
    // 1, 2, 4, 8 s, and then the most that the settings allow.
    #expect(
      gaps.prefix(4).elementsEqual([1_000, 2_000, 4_000, 8_000]) { abs($0 - $1) <= 20 }, "\(gaps)")
    #expect(gaps.dropFirst(4).allSatisfy { abs($0 - 10_000) <= 20 }, "\(gaps)")
    let before = calm.count
    // Somebody sets the system clock: that is news, and what follows is told often again.
    world.rawJump = 3_000_000_000
    pass(3_000, &node)
    #expect(try reportTimes().count >= before + 2)
  }

  /// What an auditor may conclude from a mark rests on this: it is no later than what the node then sends.
  @Test func `each step of the log is marked once, in order, and not before what caused it`() throws
  {
    var node = makeNode([1])
    world.lookNanoseconds = 1_000
    pass(5_000, &node)
    try #require(world.marks.count > 3)
    for (mark, next) in zip(world.marks, world.marks.dropFirst()) {
      #expect(mark.position != next.position)
      #expect(mark.monotonicNanoseconds <= next.monotonicNanoseconds)
      #expect(mark.position.arrived <= next.position.arrived)
      #expect(mark.position.durable <= next.position.durable)
      #expect(mark.position.committed <= next.position.committed)
      #expect(mark.position.applied <= next.position.applied)
    }
    for mark in world.marks {
      let position = mark.position
      #expect(position.applied <= position.committed && position.committed <= position.arrived)
      #expect(position.durable <= position.arrived)
    }
    let last = try #require(world.marks.last?.position)
    #expect(last.applied == world.batches.last?.index)
    // A batch is closed by the clock before it counts as arrived.
    for batch in world.batches {
      let mark = try #require(world.marks.first { $0.position.arrived >= batch.index })
      #expect(batch.header.stamp.reading.rawNanoseconds <= mark.reading.rawNanoseconds)
    }
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

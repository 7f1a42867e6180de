// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

/// Members, rules and leadership as operators change them, on whole replicas.
@Suite struct MembersTests {
  private func cluster(
    spare: Int = 2, seed: UInt64 = 3,
    adjust: @escaping (inout ReplicaConfiguration) -> Void = { _ in }
  ) -> SimulatedReplicas {
    let cluster = SimulatedReplicas(count: 3, spare: spare, seed: seed, adjust: adjust)
    cluster.run(ticks: 200)
    return cluster
  }

  private func member(_ id: UInt16) -> ClusterMember {
    ClusterMember(id: NodeID(id), peerAddress: "host\(id):6001")
  }

  private func voters(_ cluster: SimulatedReplicas, at id: NodeID) -> [UInt16] {
    cluster.boxes[id]!.replica.raft.membership.voters.map(\.rawValue)
  }

  @Test func `a new cluster writes its members down`() {
    let cluster = cluster(spare: 0)
    for id in cluster.ids {
      let change = cluster.boxes[id]!.replica.state.ledger.cluster.membership
      #expect(change?.voters == cluster.ids)
      #expect(change?.members.map(\.id) == cluster.ids)
    }
  }

  @Test func `a node is added as a learner, catches up, and is promoted`() {
    let cluster = cluster()
    for number in 1...20 { cluster.submit(draft(UInt64(number)), at: cluster.ids[0]) }
    cluster.run(ticks: 100)
    // Asked at any node, a follower too.
    for id in cluster.initial.prefix(1) {
      guard case .done = cluster.administer(.addLearner(member(4)), at: id) else {
        Issue.record("\(cluster.operatorAnswers)")
        return
      }
    }
    cluster.run(ticks: 100)
    let four = NodeID(4)
    #expect(cluster.boxes[four]!.replica.state.ledger.counts.applied == 20)
    #expect(cluster.boxes[four]!.replica.raft.membership.learners == [four])
    #expect(cluster.reachable[NodeID(1)]?.contains(four) == true)
    guard case .done = cluster.administer(.promote(four), at: four) else {
      Issue.record("a learner's operator asks too")
      return
    }
    for id in cluster.ids.prefix(4) { #expect(voters(cluster, at: id) == [1, 2, 3, 4]) }
  }

  @Test func `a leader removes itself, and the others go on`() {
    let cluster = cluster()
    let leader = cluster.leader!
    guard case .done = cluster.administer(.remove(leader), at: leader) else {
      Issue.record("\(cluster.operatorAnswers)")
      return
    }
    cluster.run(ticks: 200)
    let next = cluster.leader!
    #expect(next != leader)
    #expect(voters(cluster, at: next) == cluster.initial.filter { $0 != leader }.map(\.rawValue))
    #expect(cluster.boxes[leader]!.replica.raft.membership.voters.contains(leader) == false)
    #expect(cluster.notes.contains(.removed))
    let term = cluster.boxes[next]!.replica.raft.term
    let token = cluster.submit(draft(1), at: next)
    cluster.run(ticks: 600)
    guard case .applied = cluster.settled[token] else {
      Issue.record("not applied")
      return
    }
    #expect(cluster.boxes[next]!.replica.raft.term == term, "the removed node disturbed")
  }

  /// The others hang up on a member that has left: its answer may not come, and their log has it all the same.
  @Test func `a follower that passed the leader's removal on answers by its own log`() {
    let cluster = cluster()
    let leader = cluster.leader!
    let follower = cluster.initial.first { $0 != leader }!
    cluster.losesOperatorAnswers = true
    guard case .done = cluster.administer(.remove(leader), at: follower) else {
      Issue.record("\(cluster.operatorAnswers)")
      return
    }
    #expect(!voters(cluster, at: follower).contains(leader.rawValue))
    // Of one that was no member, and of anything else, nobody here knows what the leader said.
    cluster.run(ticks: 200)
    let other = cluster.initial.first { $0 != leader && $0 != cluster.leader }!
    #expect(cluster.administer(.remove(NodeID(9)), at: other) == .refused(.inDoubt))
    #expect(
      cluster.administer(.setPolicy(.overdraft, to: 0), at: other) == .refused(.inDoubt))
  }

  @Test func `a voter is replaced by a learner in one change`() {
    let cluster = cluster()
    let old = cluster.initial.first { $0 != cluster.leader }!
    _ = cluster.administer(.addLearner(member(5)), at: cluster.leader!)
    cluster.crash(old)
    cluster.run(ticks: 100)
    guard case .done = cluster.administer(.replace(old, with: NodeID(5)), at: cluster.leader!)
    else {
      Issue.record("\(cluster.operatorAnswers)")
      return
    }
    #expect(
      voters(cluster, at: cluster.leader!)
        == (cluster.initial.filter { $0 != old } + [NodeID(5)]).map(\.rawValue))
  }

  @Test func `what cannot be done is refused with its reason`() {
    let cluster = cluster()
    let leader = cluster.leader!
    func ask(_ request: OperatorRequest) -> OperatorResult? {
      cluster.administer(request, at: leader)
    }
    #expect(ask(.promote(NodeID(4))) == .refused(.notLearner))
    #expect(ask(.remove(NodeID(9))) == .refused(.unknownMember))
    #expect(ask(.addLearner(member(2))) == .refused(.numberTaken))
    #expect(ask(.addLearner(ClusterMember(id: NodeID(4)))) == .refused(.malformed))
    // A number is not used twice, though its node has gone.
    guard case .done = ask(.addLearner(member(5))), case .done = ask(.remove(NodeID(5))) else {
      return #expect(Bool(false))
    }
    #expect(ask(.addLearner(member(5))) == .refused(.numberTaken))
    #expect(ask(.setPolicy(.overdraft, to: 2)) == .refused(.valueInvalid))
    #expect(ask(.transferLeadership(to: NodeID(9))) == .refused(.unknownMember))
    #expect(ask(.transferLeadership(to: leader)) == .refused(.unchanged))
    // A learner that is not up cannot catch up.
    cluster.crash(NodeID(4))
    for number in 1...20 { cluster.submit(draft(UInt64(number)), at: leader) }
    guard case .done = ask(.addLearner(member(6))) else { return #expect(Bool(false)) }
    for number in 21...400 {
      cluster.submit(draft(UInt64(number)), at: leader)
      cluster.tick()
    }
    #expect(ask(.promote(NodeID(6))) == .refused(.behind))
    // With one of three down, removing another would leave one of two.
    let others = cluster.initial.filter { $0 != leader }
    cluster.crash(others[0])
    cluster.run(ticks: 100)
    #expect(cluster.administer(.remove(others[1]), at: leader) == .refused(.wouldStop))
  }

  @Test func `leadership goes where an operator wants it, and that is an event`() {
    let cluster = cluster(spare: 0)
    let leader = cluster.leader!
    let target = cluster.ids.first { $0 != leader }!
    let before = cluster.boxes[target]!.replica.state.ledger.counts.noted
    guard case .done = cluster.administer(.transferLeadership(to: target), at: target) else {
      Issue.record("\(cluster.operatorAnswers)")
      return
    }
    #expect(cluster.leader == target)
    cluster.run(ticks: 50)
    #expect(cluster.boxes[target]!.replica.state.ledger.counts.noted == before + 1)
  }

  @Test func `a rule is agreed by all, and the leader's batches follow it`() {
    let cluster = cluster(spare: 0) { $0.segmentByteCountMax = 1 << 20 }
    #expect(
      cluster.administer(.setPolicy(.segmentBytes, to: 4096), at: NodeID(1)).map {
        if case .done = $0 { true } else { false }
      } == true)
    for number in 1...100 {
      cluster.submit(draft(UInt64(number)), at: NodeID(2))
      cluster.tick()
    }
    cluster.run(ticks: 100)
    for id in cluster.ids {
      #expect(cluster.boxes[id]!.replica.state.ledger.cluster.policy[.segmentBytes] == 4096)
      #expect(cluster.disks[id]!.written.filter(\.header.startsSegment).count > 3)
    }
  }

  @Test func `without overdraft a payment over the balance is rejected at every node alike`() {
    let cluster = cluster(spare: 0)
    _ = cluster.administer(.setPolicy(.overdraft, to: 0), at: NodeID(3))
    let token = cluster.submit(draft(1), at: NodeID(2))
    cluster.run(ticks: 100)
    guard case .rejected(.insufficientFunds, _) = cluster.settled[token] else {
      Issue.record("\(String(describing: cluster.settled[token]))")
      return
    }
    #expect(Set(cluster.ids.map { cluster.boxes[$0]!.replica.state.ledger.digest }).count == 1)
  }

  @Test func `a read sees every payment that was answered before it, at every node`() {
    let cluster = cluster(spare: 0, seed: 11)
    for number in 1...30 {
      let at = cluster.ids[number % 3]
      let token = cluster.submit(draft(UInt64(number)), at: at)
      for _ in 0..<100 where cluster.settled[token] == nil { cluster.tick() }
      let reader = cluster.ids[(number + 1) % 3]
      let read = cluster.read(at: reader)
      for _ in 0..<100 where cluster.readAnswers[read] == nil { cluster.tick() }
      #expect(cluster.readAnswers[read] == .granted)
      #expect(cluster.boxes[reader]!.replica.state.ledger.counts.applied >= UInt64(number))
    }
  }

  @Test func `cut off from the majority a read is refused in bounded time, not answered`() {
    let cluster = cluster(spare: 0)
    let leader = cluster.leader!
    cluster.isolate(leader)
    let early = cluster.read(at: leader)
    cluster.run(ticks: 400)
    #expect(cluster.readAnswers[early] == .refused(.noLeader))
    let late = cluster.read(at: leader)
    #expect(cluster.readAnswers[late] == .refused(.noLeader))
  }

  @Test func `a node whose ledger differs from the majority's is fenced and says so`() {
    let cluster = cluster(spare: 0)
    for number in 1...5 { cluster.submit(draft(UInt64(number)), at: NodeID(1)) }
    cluster.run(ticks: 50)
    #expect(cluster.halts.isEmpty)
    let odd = NodeID(2)
    cluster.boxes[odd]!.replica.withLedger { ledger in
      // What a bit flip in memory would do: one batch is applied as another.
      var outcomes: [Outcome] = []
      try! ledger.apply(
        firstSequence: ledger.lastSequence.next, count: 0, records: [UInt8]().span.bytes,
        batchHash: .zero, outcomes: &outcomes)
    }
    cluster.submit(draft(9), at: NodeID(1))
    cluster.run(ticks: 300)
    #expect(cluster.halts.count >= 1)
    #expect(cluster.halts.allSatisfy { $0.contains("fenced") })
    #expect(cluster.notes.contains { if case .ledgerDiffers(odd, _) = $0 { true } else { false } })
  }
}

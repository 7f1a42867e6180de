import Bytes
import Raft
import Testing

/// A leader must hear a majority (thesis §6.2).
@Suite struct CheckQuorumTests {
  @Test func `a leader that hears a majority goes on`() {
    var node = RaftNode.test(of: 5)
    node.winAndSettle()
    for _ in 0..<20 {
      node.takeTicks(9)
      for peer in [nodeB, nodeC] { node.takeAck(2, from: peer) }
    }
    #expect(node.role == .leader)
  }

  @Test func `a leader that hears one short of a majority steps down`() {
    var node = RaftNode.test(of: 5)
    node.winAndSettle()
    var effects: [RaftEffect] = []
    for _ in 0..<10 {
      effects = node.take(.tick)
      node.takeAck(2, from: nodeB)
    }
    #expect(effects == [.roleChanged(.follower, term: Term(2), leader: nil)])
  }

  @Test func `repeated old heartbeat answers are no sign of life`() {
    var node = RaftNode.test()
    node.winAndSettle()
    for _ in 0..<10 {
      node.take(.tick)
      node.take(.heartbeatResponse(term: Term(2), round: 1), from: nodeB)
    }
    #expect(node.role == .leader)
    for _ in 0..<10 {
      node.take(.tick)
      node.take(.heartbeatResponse(term: Term(2), round: 1), from: nodeB)
    }
    #expect(node.role == .follower)
  }
}

/// Handing over (thesis §3.10).
@Suite struct TransferTests {
  @Test func `a target that has everything campaigns at once`() {
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(
      node.take(.transferLeadership(to: nodeC)) == [.send(.timeoutNow(term: Term(2)), to: nodeC)])
    #expect(node.isTransferring)
    #expect(node.take(.propose(count: 1)) == [.proposalDropped(count: 1)])
  }

  @Test func `a target that lacks entries gets them first`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 1))
    #expect(node.take(.transferLeadership(to: nodeC)).isEmpty)
    #expect(node.takeAck(3, from: nodeB).messages(to: nodeB) == [])
    #expect(node.takeAck(3, from: nodeC).messages(to: nodeC).last == .timeoutNow(term: Term(2)))
  }

  @Test func `without a target the most caught-up voter that is heard is chosen`() {
    var node = RaftNode.test(of: 5)
    node.winAndSettle()
    node.take(.propose(count: 2))
    node.takeAck(3, from: nodeD)
    let effects = node.take(.transferLeadership(to: nil))
    #expect(effects.isEmpty)
    #expect(node.takeAck(4, from: nodeD) == [.send(.timeoutNow(term: Term(2)), to: nodeD)])
  }

  @Test func `the target skips the pre-vote and says why`() {
    var node = RaftNode.test(nodeB)
    node.take(.heartbeatRequest(term: Term(1), commit: .zero, round: 1), from: nodeA)
    let effects = node.take(.timeoutNow(term: Term(1)), from: nodeA)
    #expect(node.role == .candidate)
    #expect(
      effects.messages(to: nodeC) == [
        .voteRequest(term: Term(2), last: EntryID(1, 1), transfer: true)
      ])
  }

  @Test func `a vote asked for by the leader is given though the leader is heard`() {  // §4.2.3
    var node = RaftNode.test()
    node.take(.heartbeatRequest(term: Term(1), commit: .zero, round: 1), from: nodeB)
    let effects = node.take(
      .voteRequest(term: Term(2), last: EntryID(1, 1), transfer: true), from: nodeC)
    #expect(effects.messages(to: nodeC) == [.voteResponse(term: Term(2), granted: true)])
  }

  @Test func `it has succeeded when the target leads`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.transferLeadership(to: nodeC))
    node.take(.voteRequest(term: Term(3), last: node.last, transfer: true), from: nodeC)
    let effects = node.take(
      .heartbeatRequest(term: Term(3), commit: .zero, round: 1), from: nodeC)
    #expect(effects.contains(.transferEnded(succeeded: true)))
  }

  @Test func `it has failed when another leads`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.transferLeadership(to: nodeC))
    let effects = node.take(
      .heartbeatRequest(term: Term(3), commit: .zero, round: 1), from: nodeB)
    #expect(effects.contains(.transferEnded(succeeded: false)))
  }

  @Test func `it is abandoned after an election timeout and proposals are taken again`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.transferLeadership(to: nodeC))
    var effects = node.takeTicks(9)
    node.takeAck(2, from: nodeB)
    #expect(!effects.contains(.transferEnded(succeeded: false)))
    effects = node.take(.tick)
    #expect(effects.contains(.transferEnded(succeeded: false)))
    #expect(node.role == .leader)
    #expect(!node.take(.propose(count: 1)).contains(.proposalDropped(count: 1)))
  }

  @Test func `a transfer that cannot be is refused`() {
    var follower = RaftNode.test()
    #expect(
      follower.take(.transferLeadership(to: nodeB)) == [.transferEnded(succeeded: false)])
    var leader = RaftNode.test()
    leader.winAndSettle()
    #expect(leader.take(.transferLeadership(to: nodeE)) == [.transferEnded(succeeded: false)])
    #expect(leader.take(.transferLeadership(to: nodeA)) == [.transferEnded(succeeded: true)])
    var lone = RaftNode.test(of: 1)
    lone.take(.tick)
    #expect(lone.take(.transferLeadership(to: nil)) == [.transferEnded(succeeded: false)])
  }

  @Test func `a late timeoutNow of an older term is ignored`() {
    var node = RaftNode.test(nodeB, term: 5)
    #expect(node.take(.timeoutNow(term: Term(4)), from: nodeA).isEmpty)
  }
}

/// What the system before this one got wrong, by name.
@Suite struct OldFaultTests {
  @Test func `no two votes in one term after a restart`() {
    var node = RaftNode.test()
    node.take(.voteRequest(term: Term(2), last: EntryID(1, 1), transfer: false), from: nodeB)
    var restarted = RaftNode(
      configuration: .test(), hardState: node.hardState, log: node.log, commit: .zero, random: 9)
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(9, 1), transfer: false)
    #expect(
      restarted.take(request, from: nodeC) == [
        .send(.voteResponse(term: Term(2), granted: false), to: nodeC)
      ])
    #expect(
      restarted.take(request, from: nodeB).messages(to: nodeB) == [
        .voteResponse(term: Term(2), granted: true)
      ])
  }

  @Test func `an append without a conflict truncates nothing`() {
    var node = RaftNode.test(log: [1])
    node.takeAppend(term: 1, after: EntryID(1, 1), [1, 1, 1])
    for (previous, terms) in [(1, [1]), (1, []), (2, [1]), (1, [1, 1, 1]), (0, [1])] {
      let effects = node.takeAppend(
        term: 1, after: EntryID(UInt64(previous), previous == 0 ? 0 : 1),
        terms.map { UInt64($0) })
      #expect(effects.writes.isEmpty)
      #expect(
        effects.messages(to: nodeB) == [.accepted(Term(1), UInt64(previous + terms.count))])
    }
    #expect(node.last == EntryID(4, 1))
  }

  @Test func `a partitioned leader stops calling itself leader before another can be chosen`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.takeTicks(9)
    #expect(node.role == .leader)
    node.take(.tick)  // electionTicksMin: the first tick at which a follower can campaign
    #expect(node.role != .leader)
    #expect(node.leader == nil)
    #expect(node.take(.propose(count: 1)) == [.proposalDropped(count: 1)])
  }

  @Test(arguments: [0, 1, 40])
  func `a restarted node catches up`(kept: Int) {
    // Even one that lost what it had acknowledged.
    var leader = RaftNode.test()
    leader.winAndSettle()
    leader.take(.propose(count: 60))
    leader.take(.persisted(leader.last))
    leader.takeAck(62, from: nodeB)
    leader.takeAck(62, from: nodeC)
    leader.take(.unreachable(nodeB))
    let log = RaftLogTerms([1, 2] + [UInt64](repeating: 2, count: 60)).prefix(kept)
    var node = RaftNode(
      configuration: .test(nodeB), hardState: HardState(term: Term(2), vote: nodeA), log: log,
      commit: .zero, random: 5)
    for _ in 0..<60 {
      var inbox = leader.take(.tick).messages(to: nodeB)
      leader.takeAck(62, from: nodeC)
      while !inbox.isEmpty {
        let answers = inbox.flatMap { node.take($0, from: nodeA).messages(to: nodeA) }
        inbox = answers.flatMap { leader.take($0, from: nodeB).messages(to: nodeB) }
      }
    }
    #expect(node.last == leader.last)
    #expect(node.commit == leader.commit)
    #expect(leader.progress[1].match == LogIndex(62))
  }
}

extension RaftLogTerms {
  /// The first `count` entries.
  fileprivate func prefix(_ count: Int) -> RaftLogTerms {
    var copy = self
    if count < Int(last.index.rawValue) { copy.truncate(from: LogIndex(UInt64(count) + 1)) }
    return copy
  }
}

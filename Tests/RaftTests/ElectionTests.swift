import Bytes
import Raft
import Testing

/// Raft figure 2 "Rules for servers", "RequestVote RPC", §5.1, §5.2, §5.4.1.
@Suite struct ElectionTests {
  @Test func `a node starts as a follower that knows no leader`() {  // §5.2
    let node = RaftNode.test(term: 3)
    #expect(node.role == .follower)
    #expect(node.leader == nil)
    #expect(node.term == Term(3))
    #expect(node.durable == LogIndex(1))
  }

  @Test func `a follower stays one while its leader is heard`() {  // §5.2
    var node = RaftNode.test()
    for round in 1...50 {
      node.take(
        .heartbeatRequest(term: Term(1), commit: .zero, round: UInt64(round)), from: nodeB)
      node.takeTicks(9)
    }
    #expect(node.role == .follower)
    #expect(node.leader == nodeB)
  }

  @Test func `election timeouts lie within their bounds and differ`() {  // §5.2
    var waits: Set<Int> = []
    for seed in 0..<200 {
      var node = RaftNode.test(seed: UInt64(seed))
      var ticks = 0
      while node.role == .follower {
        node.take(.tick)
        ticks += 1
      }
      waits.insert(ticks)
    }
    #expect(waits == Set(10...20))
  }

  @Test func `the same seed gives the same node`() {
    var left = RaftNode.test(seed: 3)
    var right = RaftNode.test(seed: 3)
    #expect(left.takeTicks(100) == right.takeTicks(100))
  }

  @Test func `a candidate takes a new term and its vote is durable before it asks`() {  // §5.2
    var node = RaftNode.test()
    node.becomePreCandidate()
    let effects = node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(1, 1), transfer: false)
    #expect(
      effects == [
        .persistHardState(HardState(term: Term(2), vote: nodeA)),
        .roleChanged(.candidate, term: Term(2), leader: nil),
        .sendAfterPersist(request, to: nodeB), .sendAfterPersist(request, to: nodeC),
      ])
  }

  @Test func `a majority of votes makes a leader that tells all at once`() {  // §5.2
    var node = RaftNode.test()
    let effects = node.win()
    let heartbeat = RaftMessage.heartbeatRequest(term: Term(2), commit: .zero, round: 1)
    #expect(
      effects == [
        .send(heartbeat, to: nodeB), .send(heartbeat, to: nodeC),
        .roleChanged(.leader, term: Term(2), leader: nodeA),
      ])
  }

  @Test func `one voter's repeated answers count once`() {  // §5.2
    var node = RaftNode.test(of: 5)
    node.becomePreCandidate()
    for _ in 0..<3 { node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB) }
    #expect(node.role == .preCandidate)
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeC)
    for _ in 0..<3 { node.take(.voteResponse(term: Term(2), granted: true), from: nodeB) }
    #expect(node.role == .candidate)
    node.take(.voteResponse(term: Term(2), granted: true), from: nodeC)
    #expect(node.role == .leader)
  }

  @Test func `a candidate refused by a majority gives up its campaign`() {
    var node = RaftNode.test()
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    node.take(.voteResponse(term: Term(2), granted: false), from: nodeB)
    let effects = node.take(.voteResponse(term: Term(2), granted: false), from: nodeC)
    #expect(effects == [.roleChanged(.follower, term: Term(2), leader: nil)])
  }

  @Test func `a split vote ends in another campaign`() {  // §5.2
    var node = RaftNode.test()
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    node.takeTicks(20)
    #expect(node.role == .preCandidate)
  }

  @Test func `votes of an earlier campaign do not count`() {  // §5.1
    var node = RaftNode.test()
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    #expect(node.take(.voteResponse(term: Term(1), granted: true), from: nodeB).isEmpty)
    #expect(node.role == .candidate)
  }

  @Test(arguments: [false, true])
  func `a candidate that hears a leader of its term follows it`(byAppend: Bool) {  // §5.2
    var node = RaftNode.test()
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    if byAppend {
      node.takeAppend(term: 2, after: EntryID(1, 1), [2], from: nodeC)
    } else {
      node.take(.heartbeatRequest(term: Term(2), commit: .zero, round: 1), from: nodeC)
    }
    #expect(node.role == .follower)
    #expect(node.leader == nodeC)
    #expect(node.hardState == HardState(term: Term(2), vote: nodeA))
  }

  @Test func `a vote is durable before it is answered`() {  // figure 2, persistent state
    var node = RaftNode.test()
    let effects = node.take(
      .voteRequest(term: Term(2), last: EntryID(1, 1), transfer: false), from: nodeB)
    #expect(
      effects == [
        .roleChanged(.follower, term: Term(2), leader: nil),
        .persistHardState(HardState(term: Term(2), vote: nodeB)),
        .sendAfterPersist(.voteResponse(term: Term(2), granted: true), to: nodeB),
      ])
  }

  @Test func `a node votes once in a term, first come first served`() {  // §5.2
    var node = RaftNode.test()
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(1, 1), transfer: false)
    node.take(request, from: nodeB)
    #expect(
      node.take(request, from: nodeC) == [
        .send(.voteResponse(term: Term(2), granted: false), to: nodeC)
      ])
    #expect(
      node.take(request, from: nodeB) == [
        .sendAfterPersist(.voteResponse(term: Term(2), granted: true), to: nodeB)
      ])
  }

  @Test func `a request of an older term is refused with the newer one`() {  // figure 2, rule 1
    var node = RaftNode.test(term: 5)
    #expect(
      node.take(.voteRequest(term: Term(4), last: EntryID(9, 4), transfer: false), from: nodeB)
        == [.send(.voteResponse(term: Term(5), granted: false), to: nodeB)])
  }

  @Test(arguments: [
    (EntryID(3, 2), true), (EntryID(2, 3), true), (EntryID(4, 2), true),
    (EntryID(2, 2), false), (EntryID(9, 1), false),
  ])
  func `a vote goes only to a log at least as up to date`(last: EntryID, isGranted: Bool) {
    // §5.4.1; own log ends at 3 in term 2
    var node = RaftNode.test(term: 3, log: [1, 1, 2])
    let effects = node.take(
      .voteRequest(term: Term(4), last: last, transfer: false), from: nodeB)
    #expect(
      effects.messages(to: nodeB) == [.voteResponse(term: Term(4), granted: isGranted)])
    #expect(node.hardState == HardState(term: Term(4), vote: isGranted ? nodeB : nil))
  }

  @Test func `any message of a later term makes a leader a follower`() {  // §5.1
    let later: [RaftMessage] = [
      .voteResponse(term: Term(9), granted: false), .accepted(Term(9), 1),
      .heartbeatResponse(term: Term(9), round: 1), .preVoteResponse(term: Term(9), granted: false),
      .heartbeatRequest(term: Term(9), commit: .zero, round: 1),
      .voteRequest(term: Term(9), last: EntryID(9, 8), transfer: true),
      .appendRequest(
        AppendRequest(term: Term(9), previous: .zero, commit: .zero, entryTerms: [])),
    ]
    for message in later {
      var node = RaftNode.test()
      node.win()
      let effects = node.take(message, from: nodeC)
      #expect(node.role == .follower, "\(message)")
      #expect(node.term == Term(9), "\(message)")
      let persist = effects.firstIndex { if case .persistHardState = $0 { true } else { false } }
      let send = effects.firstIndex {
        if case .sendAfterPersist = $0 { true } else { false }
      }
      #expect(persist != nil, "\(message)")
      #expect((persist ?? 0) < (send ?? .max), "\(message)")
      #expect(!effects.contains { if case .send = $0 { true } else { false } }, "\(message)")
    }
  }

  @Test func `a lone voter leads by its first tick and commits what it made durable`() {
    var node = RaftNode.test(of: 1, term: 0, log: [])
    #expect(
      node.take(.tick) == [
        .persistHardState(HardState(term: Term(1), vote: nodeA)),
        .roleChanged(.leader, term: Term(1), leader: nodeA),
      ])
    #expect(node.take(.propose(count: 2)).isEmpty)
    #expect(node.take(.persisted(EntryID(1, 1))) == [.commit(LogIndex(1))])
    #expect(node.take(.persisted(EntryID(2, 1))) == [.commit(LogIndex(2))])
    #expect(node.takeTicks(100).isEmpty)
    #expect(node.role == .leader)
  }

  @Test func `a vote of somebody who is no member does not count`() {
    var node = RaftNode.test()
    node.becomePreCandidate()
    let grant = RaftMessage.preVoteResponse(term: node.term.next, granted: true)
    #expect(node.take(grant, from: nodeD).isEmpty)
    #expect(node.role == .preCandidate)
  }

  @Test func `a node does not hear itself`() {
    var node = RaftNode.test()
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(9, 1), transfer: false)
    #expect(node.take(request, from: nodeA).isEmpty)
    #expect(node.faults.ownNumber == 1)
  }

  @Test func `a term that cannot be counted on from is not taken`() {
    var node = RaftNode.test()
    let message = RaftMessage.voteResponse(term: Term(.max), granted: false)
    #expect(node.take(message, from: nodeB).isEmpty)
    #expect(node.faults.malformed == 1)
  }
}

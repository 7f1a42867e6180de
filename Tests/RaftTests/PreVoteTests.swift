import Bytes
import Raft
import Testing

/// Pre-vote (thesis §9.6) and leader stickiness (§4.2.3).
@Suite struct PreVoteTests {
  @Test func `a silent leader first makes a follower ask, without a new term`() {
    var node = RaftNode.test()
    var effects: [RaftEffect] = []
    while node.role == .follower { effects = node.take(.tick) }
    let request = RaftMessage.preVoteRequest(term: Term(2), last: EntryID(1, 1))
    #expect(
      effects == [
        .roleChanged(.preCandidate, term: Term(1), leader: nil),
        .send(request, to: nodeB), .send(request, to: nodeC),
      ])
    #expect(node.term == Term(1))
  }

  @Test func `a node cut off never raises its term`() {
    var node = RaftNode.test()
    node.takeTicks(1000)
    #expect(node.term == Term(1))
    #expect(node.role == .preCandidate)
  }

  @Test func `a pre-vote binds nobody`() {
    var node = RaftNode.test()
    for candidate in [nodeB, nodeC] {
      #expect(
        node.take(.preVoteRequest(term: Term(2), last: EntryID(1, 1)), from: candidate) == [
          .send(.preVoteResponse(term: Term(2), granted: true), to: candidate)
        ])
    }
    #expect(node.hardState == HardState(term: Term(1), vote: nil))
  }

  @Test func `a pre-vote is refused to an old log or an old term`() {
    var node = RaftNode.test(term: 4, vote: nodeC, log: [1, 2])
    let refusal = [RaftEffect.send(.preVoteResponse(term: Term(4), granted: false), to: nodeB)]
    #expect(node.take(.preVoteRequest(term: Term(5), last: EntryID(9, 1)), from: nodeB) == refusal)
    #expect(node.take(.preVoteRequest(term: Term(4), last: EntryID(9, 2)), from: nodeB) == refusal)
    #expect(node.take(.preVoteRequest(term: Term(3), last: EntryID(9, 2)), from: nodeB) == refusal)
  }

  @Test func `a refusal from a later term is followed there`() {
    var node = RaftNode.test()
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(6), granted: false), from: nodeB)
    #expect(node.role == .follower)
    #expect(node.term == Term(6))
  }

  @Test func `a grant of a later term is not followed there`() {
    var node = RaftNode.test()
    #expect(node.take(.preVoteResponse(term: Term(6), granted: true), from: nodeB).isEmpty)
    #expect(node.term == Term(1))
  }

  @Test func `a node that hears its leader refuses pre-votes and votes`() {  // §4.2.3
    var node = RaftNode.test()
    node.take(.heartbeatRequest(term: Term(1), commit: .zero, round: 1), from: nodeB)
    node.takeTicks(9)
    let vote = RaftMessage.voteRequest(term: Term(7), last: EntryID(9, 6), transfer: false)
    #expect(node.take(vote, from: nodeC).isEmpty)
    #expect(node.term == Term(1))
    let preVote = RaftMessage.preVoteRequest(term: Term(7), last: EntryID(9, 6))
    #expect(
      node.take(preVote, from: nodeC) == [
        .send(.preVoteResponse(term: Term(1), granted: false), to: nodeC)
      ])
    node.take(.tick)
    if node.role == .follower {
      #expect(
        node.take(vote, from: nodeC).messages(to: nodeC) == [
          .voteResponse(term: Term(7), granted: true)
        ])
    }
  }

  @Test func `a leader refuses them too`() {  // §4.2.3
    var node = RaftNode.test()
    node.win()
    let vote = RaftMessage.voteRequest(term: Term(7), last: EntryID(9, 6), transfer: false)
    #expect(node.take(vote, from: nodeC).isEmpty)
    #expect(
      node.take(.preVoteRequest(term: Term(7), last: EntryID(9, 6)), from: nodeC) == [
        .send(.preVoteResponse(term: Term(2), granted: false), to: nodeC)
      ])
    #expect(node.role == .leader)
  }

  @Test func `a node ahead of everybody's term makes the leader stand again`() {  // §9.6
    var ahead = RaftNode.test(nodeC, term: 8)
    let effects = ahead.take(
      .heartbeatRequest(term: Term(2), commit: .zero, round: 3), from: nodeA)
    #expect(effects == [.send(.heartbeatResponse(term: Term(8), round: 3), to: nodeA)])
    var leader = RaftNode.test()
    leader.win()
    leader.take(.heartbeatResponse(term: Term(8), round: 3), from: nodeC)
    #expect(leader.role == .follower)
    #expect(leader.term == Term(8))
  }

  // MARK: Asking again

  /// A node of `count` whose wait is the shortest there is, as this cluster's nodes draw it.
  private func hasty(of count: UInt16) -> RaftNode {
    for seed: UInt64 in 0..<1000 {
      let node = RaftNode.test(of: count, seed: seed)
      var probe = node
      probe.takeTicks(10)
      if probe.role == .preCandidate { return node }
    }
    preconditionFailure("one seed of eleven draws the shortest wait")
  }

  /// Ticks come at their own times on each node, and the last heartbeat reaches one a little later
  /// than another: voters that heard the leader less than the shortest wait ago refuse (§4.2.3),
  /// and grant a tick later. The node does not wait for a whole election timeout to ask again
  /// (Raft §5.1), whether the refusals leave its question open, as one of three does, or not, as two
  /// of four.
  @Test(arguments: [UInt16(3), 4])
  func `a voter that asked a tick too soon asks again after a heartbeat interval`(count: UInt16) {
    let leader = NodeID(count)
    var asker = hasty(of: count)
    var others = (2..<count).map { RaftNode.test(NodeID($0), of: count) }
    asker.takeHeartbeat(1, from: leader)
    asker.takeTicks(10)
    #expect(asker.role == .preCandidate)
    let request = RaftMessage.preVoteRequest(term: Term(2), last: EntryID(1, 1))
    for place in others.indices {
      others[place].takeHeartbeat(1, from: leader)
      others[place].takeTicks(9)
      let refusal = RaftMessage.preVoteResponse(term: Term(1), granted: false)
      #expect(others[place].take(request, from: nodeA).messages(to: nodeA) == [refusal])
      #expect(asker.take(refusal, from: others[place].id).isEmpty)
    }
    #expect(asker.takeTicks(1).isEmpty)
    let again = asker.takeTicks(1)
    for place in others.indices {
      #expect(again.messages(to: others[place].id) == [request])
      others[place].takeTicks(1)
      for answer in others[place].take(request, from: nodeA).messages(to: nodeA) {
        asker.take(answer, from: others[place].id)
      }
    }
    #expect(asker.role == .candidate)
  }

  @Test func `a node asks once in a heartbeat interval until it hears a leader`() {
    var node = RaftNode.test()
    node.becomePreCandidate()
    #expect(node.takeTicks(100).messages(to: nodeB).count == 50)
    node.takeHeartbeat(1, from: nodeB)
    #expect(node.role == .follower)
    #expect(node.takeTicks(9).isEmpty)
  }

  @Test func `grants of one question do not count for the next`() {
    var node = RaftNode.test(of: 5)
    let grant = RaftMessage.preVoteResponse(term: Term(2), granted: true)
    node.becomePreCandidate()
    node.take(grant, from: nodeB)
    node.takeTicks(2)
    node.take(grant, from: nodeC)
    #expect(node.role == .preCandidate)
    node.take(grant, from: nodeB)
    #expect(node.role == .candidate)
  }

  /// Only node 1's log can win, so that nobody else's election hides a wait of its own that is too
  /// long: it wins as soon as its own wait and the other's shortest are over and it has asked.
  @Test func `whoever can win does, in one wait, however the clocks lie`() {
    for seed: UInt64 in 0..<60 {
      for lead in -3...3 {
        var winner = RaftNode.test(log: [1, 1], seed: seed)
        var voter = RaftNode.test(nodeB, seed: seed + 1000)
        winner.takeHeartbeat(1, from: nodeC)
        voter.takeHeartbeat(1, from: nodeC)
        var ticks = 0
        if lead > 0 { winner.takeTicks(lead) } else { voter.takeTicks(-lead) }
        while winner.role != .candidate && ticks < 100 {
          ticks += 1
          for message in winner.take(.tick).messages(to: nodeB) {
            for answer in voter.take(message, from: nodeA).messages(to: nodeA) {
              winner.take(answer, from: nodeB)
            }
          }
          for message in voter.take(.tick).messages(to: nodeA) { winner.take(message, from: nodeB) }
        }
        #expect(ticks <= 23, "seed \(seed), \(lead) ticks ahead")
      }
    }
  }
}

import Bytes
import Raft
import Testing

/// The lease (thesis §6.4.1): while it lasts nobody else may be elected, so a node that gave one
/// keeps its word whatever it hears.
@Suite struct LeaseTests {
  private let voters = Membership.voters(3)
  private let read = RaftInput.read(context: 1, ticksOverdue: 0)

  /// Node 1 of 3, leading, with a lease of 6 ticks just begun by node 2's answer.
  private func holder() -> RaftNode {
    var node = RaftNode.member(nodeA, of: voters, leaseTicks: 6)
    node.winAndSettle()
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeB)
    return node
  }

  @Test func `a leader with a lease answers without a round`() {
    var node = holder()
    #expect(node.take(read) == [.readReady(context: 1, index: node.commit)])
  }

  @Test func `a lease lasts for its ticks and no longer`() {
    var node = holder()
    node.takeTicks(5)
    #expect(node.take(read) == [.readReady(context: 1, index: node.commit)])
    node.take(.tick)
    #expect(node.take(read).messages(to: nodeB).count == 1)
  }

  @Test func `ticks that a pause held back count against the lease`() {
    var node = holder()
    node.takeTicks(2)
    #expect(node.take(.read(context: 1, ticksOverdue: 3)).count == 1)
    #expect(node.take(.read(context: 2, ticksOverdue: 4)).messages(to: nodeB).count == 1)
  }

  @Test func `a late answer gives a lease from when its round was sent`() {
    var node = RaftNode.member(nodeA, of: voters, leaseTicks: 6)
    node.winAndSettle()
    node.takeTicks(5)
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeB)
    #expect(node.take(read) == [.readReady(context: 1, index: node.commit)])
    node.take(.tick)
    #expect(node.take(read).messages(to: nodeB).count == 1)
  }

  @Test func `an answer to a round older than a lease gives none`() {
    var node = RaftNode.member(nodeA, of: voters, leaseTicks: 6)
    node.winAndSettle()
    node.takeTicks(6)
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeB)
    #expect(node.take(read).messages(to: nodeB).count == 1)
  }

  @Test func `there is no lease without an answer, and none where it is turned off`() {
    var node = RaftNode.member(nodeA, of: voters, leaseTicks: 6)
    node.winAndSettle()
    #expect(node.take(read).messages(to: nodeB).count == 1)
    var other = RaftNode.member(nodeA, of: voters)
    other.winAndSettle()
    other.take(.heartbeatResponse(term: other.term, round: 1), from: nodeB)
    #expect(other.take(read).messages(to: nodeB).count == 1)
  }

  @Test func `a learner's answer gives no lease`() {
    let membership = Membership(voters: [nodeA, nodeB, nodeC], learners: [nodeD])
    var node = RaftNode.member(nodeA, of: membership, leaseTicks: 6)
    node.winAndSettle()
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeD)
    #expect(node.take(read).messages(to: nodeB).count == 1)
  }

  @Test func `after a transfer was begun the term has no lease any more`() {
    var node = holder()
    node.take(.transferLeadership(to: nodeB))
    #expect(node.take(read).messages(to: nodeB).count == 1)
    for _ in 0..<5 {
      node.takeTicks(2)
      for peer in [nodeB, nodeC] { node.takeAck(node.last.index.rawValue, from: peer) }
    }
    #expect(!node.isTransferring)
    #expect(node.role == .leader)
    node.takeTicks(2)
    let round = node.heartbeatRound()
    node.take(.heartbeatResponse(term: node.term, round: round), from: nodeB)
    #expect(node.take(.read(context: 2, ticksOverdue: 0)).messages(to: nodeB).count == 1)
  }

  @Test func `while the voters change both majorities must give it`() throws {
    let membership = Membership(voters: [nodeA, nodeB, nodeC], learners: [nodeD, nodeE])
    var node = RaftNode.member(nodeA, of: membership, leaseTicks: 6)
    node.winAndSettle()
    for learner in [nodeD, nodeE] { node.takeAck(2, from: learner) }
    try node.change(voters: [nodeA, nodeD, nodeE])
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeB)
    #expect(node.take(read).messages(to: nodeB).count == 1)
    node.take(.heartbeatResponse(term: node.term, round: 1), from: nodeD)
    #expect(
      node.take(.read(context: 2, ticksOverdue: 0)) == [.readReady(context: 2, index: node.commit)])
  }

  // MARK: Who gave it

  private let vote = RaftMessage.voteRequest(term: Term(7), last: EntryID(9, 6), transfer: false)
  private let preVote = RaftMessage.preVoteRequest(term: Term(7), last: EntryID(9, 6))

  @Test func `a node that started again waits before it votes`() {
    var node = RaftNode.member(nodeB, of: voters, leaseTicks: 6)
    node.takeTicks(9)
    #expect(node.take(vote, from: nodeC).isEmpty)
    #expect(node.role == .follower)
    node.take(.tick)
    #expect(!node.take(vote, from: nodeC).isEmpty)
  }

  @Test func `without leases a node that started again votes at once`() {
    var node = RaftNode.member(nodeB, of: voters)
    #expect(!node.take(vote, from: nodeC).isEmpty)
  }

  @Test(arguments: [
    RaftMessage.preVoteResponse(term: Term(6), granted: false), .accepted(Term(6), 1),
    .voteResponse(term: Term(6), granted: false), .heartbeatResponse(term: Term(6), round: 1),
  ])
  func `news of a later term do not free a node from the lease that it gave`(news: RaftMessage) {
    // Late answers from node 3 to what node 2 said before it followed node 1.
    var node = RaftNode.member(nodeB, of: voters, leaseTicks: 6)
    node.takeHeartbeat(2, from: nodeA)
    node.takeTicks(9)
    node.takeHeartbeat(2, from: nodeA, round: 2)
    node.takeTicks(9)
    node.take(news, from: nodeC)
    #expect(node.term == Term(6))
    #expect(
      node.take(preVote, from: nodeC).messages(to: nodeC)
        == [.preVoteResponse(term: Term(6), granted: false)])
    let same = RaftMessage.voteRequest(term: Term(6), last: EntryID(9, 5), transfer: false)
    #expect(
      node.take(same, from: nodeC).messages(to: nodeC)
        == [.voteResponse(term: Term(6), granted: false)])
    #expect(node.take(vote, from: nodeC).isEmpty)
    node.take(.tick)
    #expect(node.take(vote, from: nodeC).messages(to: nodeC).count == 1)
  }

  @Test func `a lone voter keeps the lease that it gave to the leader who leaves it alone`() {
    let final = MembershipEntry(index: LogIndex(2), membership: .voters(1))
    var node = RaftNode.member(nodeA, of: voters, leaseTicks: 6)
    node.takeHeartbeat(2, from: nodeC)
    let request = AppendRequest(
      term: Term(2), previous: EntryID(1, 1), commit: LogIndex(1), entryTerms: [Term(2)],
      memberships: [final])
    node.take(.appendRequest(request), from: nodeC)
    node.takeTicks(9)
    #expect(node.role == .follower)
    node.takeTicks(11)
    #expect(node.role == .leader)
  }

  @Test func `a lone voter that started again waits too, unless it always was alone`() {
    let final = MembershipEntry(index: LogIndex(1), membership: .voters(1))
    var node = RaftNode.member(nodeA, of: voters, changes: [final], leaseTicks: 6)
    node.takeTicks(9)
    #expect(node.role == .follower)
    node.take(.tick)
    #expect(node.role == .leader)
    var alone = RaftNode.member(nodeA, of: .voters(1), leaseTicks: 6)
    alone.take(.tick)
    #expect(alone.role == .leader)
  }
}

extension RaftNode {
  /// The next heartbeat round of a leader, which a read makes it send.
  fileprivate mutating func heartbeatRound() -> UInt64 {
    for message in take(.read(context: 99, ticksOverdue: 10)).messages(to: nodeB) {
      if case .heartbeatRequest(_, _, let round) = message { return round }
    }
    return 0
  }
}

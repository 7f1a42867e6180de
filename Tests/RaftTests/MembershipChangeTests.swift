import Bytes
import Raft
import Testing

/// Changes of members (Raft §6, thesis §4).
@Suite struct MembershipChangeTests {
  private let three = Membership.voters(3)

  /// Node 1 of 3, leading, with node 4 as a learner that has everything.
  private func leaderWithLearner() throws -> RaftNode {
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    try node.change(voters: three.voters, learners: [nodeD])
    for peer in [nodeB, nodeC, nodeD] { node.takeAck(3, from: peer) }
    precondition(node.commit == LogIndex(3))
    return node
  }

  @Test func `a learner gets the log and decides nothing`() throws {  // thesis §4.2.1
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    let effects = try node.change(voters: three.voters, learners: [nodeD])
    #expect(
      effects.contains(
        .membershipChanged(
          MembershipEntry(
            index: LogIndex(3), membership: Membership(voters: three.voters, learners: [nodeD]))))
    )
    #expect(effects.appends(to: nodeD) == [[2, 1]])
    node.takeAck(3, from: nodeD)
    #expect(node.commit == LogIndex(2))
    node.takeAck(3, from: nodeB)
    #expect(node.commit == LogIndex(3))
  }

  @Test func `a configuration counts from when it is in the log, committed or not`() throws {
    // Raft §6: joint, so both majorities
    var node = try leaderWithLearner()
    try node.change(voters: [nodeA, nodeD])
    #expect(node.membership == Membership(voters: [nodeA, nodeD], outgoing: three.voters))
    node.takeAck(4, from: nodeB)
    #expect(node.commit == LogIndex(3))
    #expect(node.membershipDue == nil)
    node.takeAck(4, from: nodeD)
    #expect(node.commit == LogIndex(4))
    #expect(node.membershipDue == Membership(voters: [nodeA, nodeD]))
  }

  @Test func `a joint configuration needs the old majority too`() throws {  // Raft §6
    var node = try leaderWithLearner()
    try node.change(voters: [nodeA, nodeD])
    node.takeAck(4, from: nodeD)
    #expect(node.commit == LogIndex(3))
    node.takeAck(4, from: nodeC)
    #expect(node.commit == LogIndex(4))
  }

  @Test func `a campaign in a joint configuration needs both majorities`() {  // Raft §6
    let joint = Membership(voters: [nodeA, nodeD, nodeE], outgoing: three.voters)
    let change = MembershipEntry(index: LogIndex(1), membership: joint)
    var node = RaftNode.member(nodeA, of: three, changes: [change])
    node.becomePreCandidate()
    for peer in [nodeD, nodeE] {
      node.take(.preVoteResponse(term: Term(2), granted: true), from: peer)
    }
    #expect(node.role == .preCandidate)
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    #expect(node.role == .candidate)
    for peer in [nodeB, nodeC] {
      node.take(.voteResponse(term: Term(2), granted: true), from: peer)
    }
    #expect(node.role == .candidate)
    node.take(.voteResponse(term: Term(2), granted: true), from: nodeE)
    #expect(node.role == .leader)
  }

  @Test func `a joint leader must hear both majorities`() throws {  // thesis §6.2
    var node = try leaderWithLearner()
    try node.change(voters: [nodeA, nodeD])
    for _ in 0..<10 {
      node.take(.tick)
      for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    }
    #expect(node.role == .follower)
  }

  @Test func `a removed leader leads until that is committed, then hands over`() throws {
    // Raft §6, third issue: it does not count itself
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    try node.change(voters: [nodeB, nodeC])
    for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    let due = try #require(node.membershipDue)
    #expect(due == Membership(voters: [nodeB, nodeC]))
    node.take(.proposeMembership(due))
    node.take(.persisted(node.last))
    node.takeAck(4, from: nodeB)
    #expect(node.commit == LogIndex(3))
    #expect(node.role == .leader)
    let effects = node.takeAck(4, from: nodeC)
    let news = RaftMessage.appendRequest(
      AppendRequest(term: Term(2), previous: EntryID(4, 2), commit: LogIndex(4), entryTerms: []))
    #expect(effects.first == .commit(LogIndex(4)))
    #expect(effects.messages(to: nodeB) == [news, .timeoutNow(term: Term(2))])
    #expect(effects.messages(to: nodeC) == [news])
    #expect(node.role == .follower)
    node.takeTicks(100)
    #expect(node.role == .follower)
    #expect(node.term == Term(2))
  }

  @Test func `a removed leader stays while only what is before its removal is committed`() throws {
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    try node.change(voters: [nodeB, nodeC])
    for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    node.take(.propose(count: 2))
    node.take(.proposeMembership(try #require(node.membershipDue)))
    for peer in [nodeB, nodeC] { node.takeAck(5, from: peer) }
    #expect(node.commit == LogIndex(5))
    #expect(node.role == .leader)
    for peer in [nodeB, nodeC] { node.takeAck(6, from: peer) }
    #expect(node.role == .follower)
  }

  @Test func `whoever is removed hears of the commit of its removal`() throws {
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    try node.change(voters: [nodeA, nodeB])
    for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    let effects = node.take(.proposeMembership(try #require(node.membershipDue)))
    node.take(.persisted(node.last))
    #expect(effects.appends(to: nodeC) == [[3, 1]])
    let commits = node.takeAck(4, from: nodeB).messages(to: nodeC)
    #expect(
      commits == [
        .appendRequest(
          AppendRequest(
            term: Term(2), previous: EntryID(4, 2), commit: LogIndex(4), entryTerms: []))
      ])
    #expect(node.progress.map(\.id) == [nodeA, nodeB])
    #expect(node.takeTicks(2).messages(to: nodeC).isEmpty)
  }

  @Test func `a removed learner hears of it too`() throws {
    var node = try leaderWithLearner()
    let effects = try node.change(voters: three.voters)
    #expect(effects.appends(to: nodeD) == [[3, 1]])
    #expect(node.takeAck(4, from: nodeB).messages(to: nodeD).count == 1)
    #expect(node.progress.map(\.id) == [nodeA, nodeB, nodeC])
  }

  @Test func `a truncated configuration gives way to the one before`() {  // Raft §6
    let joint = Membership(voters: [nodeA, nodeB], outgoing: three.voters)
    let change = MembershipEntry(index: LogIndex(2), membership: joint)
    var node = RaftNode.member(nodeC, of: three, changes: [change], term: 2, log: [1, 2])
    #expect(node.membership == joint)
    let effects = node.takeAppend(term: 3, after: EntryID(1, 1), [3], from: nodeB)
    #expect(node.membership == three)
    #expect(effects.contains(.membershipChanged(MembershipEntry(index: .zero, membership: three))))
  }

  @Test func `a leader keeps what it knows of members that stay`() throws {
    var node = try leaderWithLearner()
    try node.change(voters: [nodeA, nodeB, nodeD])
    let matches = node.progress.map { ($0.id, $0.match.rawValue) }
    #expect(matches.map(\.0) == [nodeA, nodeB, nodeC, nodeD])
    #expect(matches.map(\.1) == [4, 3, 3, 3])
  }

  @Test func `no member changes while leadership is handed over`() throws {
    var node = try leaderWithLearner()
    let change = try node.membershipChange(voters: three.voters, learners: [])
    node.take(.transferLeadership(to: nodeB))
    #expect(node.take(.proposeMembership(change)) == [.proposalDropped(count: 1)])
    #expect(node.membership.learners == [nodeD])
    var joint = try leaderWithLearner()
    try joint.change(voters: [nodeA, nodeD])
    for peer in [nodeB, nodeD] { joint.takeAck(4, from: peer) }
    #expect(joint.membershipDue != nil)
    joint.take(.transferLeadership(to: nodeD))
    #expect(joint.membershipDue == nil)
  }

  @Test func `a learner is handed nothing, however much it holds`() throws {
    var node = try leaderWithLearner()
    #expect(node.take(.transferLeadership(to: nodeD)) == [.transferEnded(succeeded: false)])
    node.take(.propose(count: 1))
    node.takeAck(4, from: nodeD)
    node.take(.transferLeadership(to: nil))
    #expect(node.takeAck(4, from: nodeB).messages(to: nodeB).contains(.timeoutNow(term: Term(2))))
  }

  // MARK: Who is needed although it leaves (thesis §4.2.2, figure 4.6)

  @Test func `who alone knows its removal campaigns by it and counts no vote of its own`() {
    // Nodes 1 and 2 became node 2 alone; the final configuration is on node 1 only, whose log is
    // the longer: node 2 cannot win without it.
    let joint = Membership(voters: [nodeB], outgoing: [nodeA, nodeB])
    var node = RaftNode.member(
      nodeA, of: .voters(2),
      changes: [
        MembershipEntry(index: LogIndex(2), membership: joint),
        MembershipEntry(index: LogIndex(3), membership: Membership(voters: [nodeB])),
      ], log: [1, 1, 1], commit: 2)
    node.becomePreCandidate()
    node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB)
    #expect(node.role == .candidate)
    node.take(.voteResponse(term: Term(2), granted: true), from: nodeB)
    #expect(node.role == .leader)
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    #expect(node.commit == LogIndex(2))
    #expect(node.takeAck(4, from: nodeB).contains(.commit(LogIndex(4))))
    #expect(node.role == .follower)
  }

  @Test func `who knows that its removal is committed campaigns no more`() {
    let change = MembershipEntry(index: LogIndex(2), membership: Membership(voters: [nodeB]))
    var node = RaftNode.member(
      nodeA, of: .voters(2), changes: [change], log: [1, 1], commit: 2)
    node.takeTicks(100)
    #expect(node.role == .follower)
  }

  @Test func `learners and nodes that nobody added never campaign`() {
    var learner = RaftNode.member(nodeD, of: Membership(voters: three.voters, learners: [nodeD]))
    learner.takeTicks(100)
    #expect(learner.role == .follower)
    learner.take(.timeoutNow(term: Term(1)), from: nodeA)
    #expect(learner.role == .follower)
    // Not even by a configuration that may not be committed, in which it never was a voter.
    let added = Membership(voters: three.voters, learners: [nodeD])
    var fresh = RaftNode.member(
      nodeD, of: .none,
      changes: [
        MembershipEntry(index: LogIndex(1), membership: three),
        MembershipEntry(index: LogIndex(2), membership: added),
      ], log: [1, 1])
    fresh.takeTicks(100)
    #expect(fresh.role == .follower)
    var nobody = RaftNode.member(nodeD, of: .none, term: 0, log: [])
    nobody.takeTicks(100)
    #expect(nobody.role == .follower)
    #expect(nobody.term == .zero)
  }

  @Test func `a node votes though its own configuration does not name it or the candidate`() {
    // Raft §6: nodes accept requests whatever their configuration says
    var node = RaftNode.member(nodeD, of: .none, term: 0, log: [])
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(3, 1), transfer: false)
    #expect(
      node.take(request, from: nodeB).messages(to: nodeB)
        == [.voteResponse(term: Term(2), granted: true)])
  }

  // MARK: Lone voters

  @Test func `a lone voter is silent until its term is durable`() {
    // After a crash it could lead the same term again, with other entries (figure 3, log matching).
    let membership = Membership(voters: [nodeA], learners: [nodeB])
    var node = RaftNode.member(nodeA, of: membership)
    let effects = node.take(.tick) + node.take(.propose(count: 1)) + node.takeTicks(5)
    #expect(node.role == .leader)
    #expect(effects.messages(to: nodeB).isEmpty)
    let after = node.take(.persisted(EntryID(2, 2)))
    #expect(after.first == .commit(LogIndex(2)))
    #expect(after.appends(to: nodeB) == [[1, 1]])
    #expect(!node.takeTicks(2).messages(to: nodeB).isEmpty)
  }

  @Test func `a lone voter does not depose the leader that leaves it alone`() {
    let request = AppendRequest(
      term: Term(2), previous: EntryID(1, 1), commit: LogIndex(1), entryTerms: [Term(2)],
      memberships: [MembershipEntry(index: LogIndex(2), membership: .voters(1))])
    var node = RaftNode.member(nodeA, of: three)
    node.take(.appendRequest(request), from: nodeC)
    node.takeTicks(3)
    #expect(node.role == .follower)
    #expect(node.leader == nodeC)
  }

  @Test func `a transfer ends for a leader that left meanwhile`() throws {
    var node = RaftNode.member(nodeA, of: three)
    node.winAndSettle()
    try node.change(voters: [nodeB, nodeC])
    for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    node.take(.proposeMembership(try #require(node.membershipDue)))
    node.take(.persisted(node.last))
    node.take(.transferLeadership(to: nodeC))
    for peer in [nodeB, nodeC] { node.takeAck(4, from: peer) }
    #expect(node.role == .follower)
    #expect(node.takeTicks(20).contains(.transferEnded(succeeded: false)))
  }
}

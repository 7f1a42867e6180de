import Bytes
import Raft
import Testing

/// Linearizable reads by heartbeat rounds (Raft §8, thesis §6.4); leases have tests of their own.
@Suite struct ReadTests {
  private func read(_ context: UInt64) -> RaftInput { .read(context: context, ticksOverdue: 0) }

  private func heard(_ term: Term, _ round: UInt64) -> RaftMessage {
    .heartbeatResponse(term: term, round: round)
  }

  @Test func `a read is answered when a majority has followed a round sent after it`() {
    var node = RaftNode.test(of: 5)
    node.winAndSettle()
    let effects = node.take(read(7))
    #expect(
      effects.messages(to: nodeB)
        == [.heartbeatRequest(term: Term(2), commit: LogIndex(2), round: 2)])
    #expect(!effects.contains(.readReady(context: 7, index: LogIndex(2))))
    for _ in 0..<3 { #expect(node.take(heard(Term(2), 2), from: nodeB).isEmpty) }
    #expect(
      node.take(heard(Term(2), 2), from: nodeC) == [.readReady(context: 7, index: LogIndex(2))])
    #expect(node.take(heard(Term(2), 2), from: nodeD).isEmpty)
  }

  @Test func `the answer to an earlier round confirms no read`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(read(7))
    #expect(node.take(heard(Term(2), 1), from: nodeB).isEmpty)
    #expect(!node.take(heard(Term(2), 2), from: nodeC).isEmpty)
  }

  @Test func `the answer to a round that was never sent confirms nothing`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(read(7))
    #expect(node.take(heard(Term(2), 3), from: nodeB).isEmpty)
    #expect(node.faults.malformed == 1)
    node.take(read(8))
    #expect(node.take(heard(Term(2), 2), from: nodeB).count == 1)
  }

  @Test func `a later round confirms all reads before it, in order`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(read(7))
    node.take(read(8))
    node.take(read(9))
    #expect(
      node.take(heard(Term(2), 3), from: nodeB)
        == [
          .readReady(context: 7, index: LogIndex(2)), .readReady(context: 8, index: LogIndex(2)),
        ])
  }

  @Test func `a read names what was committed when it came`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(read(7))
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    node.takeAck(3, from: nodeB)
    #expect(node.commit == LogIndex(3))
    let effects = node.take(heard(Term(2), 2), from: nodeB)
    #expect(effects.contains(.readReady(context: 7, index: LogIndex(2))))
  }

  @Test func `before the first commit of its term a leader names its first entry`() {
    // thesis §6.4, step 1: what earlier terms committed may be beyond its commit index
    var node = RaftNode.test(log: [1, 1, 1])
    node.win()
    node.take(read(7))
    #expect(
      node.take(heard(Term(2), 2), from: nodeB).contains(
        .readReady(context: 7, index: LogIndex(4))))
  }

  @Test func `learners and strangers confirm nothing`() {
    let membership = Membership(voters: [nodeA, nodeB, nodeC], learners: [nodeD])
    var node = RaftNode.member(nodeA, of: membership)
    node.winAndSettle()
    node.take(read(7))
    for other in [nodeD, nodeE] {
      let effects = node.take(heard(Term(2), 2), from: other)
      #expect(!effects.contains(.readReady(context: 7, index: LogIndex(2))))
    }
  }

  @Test func `while the voters change both majorities must confirm`() throws {
    let membership = Membership(voters: [nodeA, nodeB, nodeC], learners: [nodeD, nodeE])
    var node = RaftNode.member(nodeA, of: membership)
    node.winAndSettle()
    for learner in [nodeD, nodeE] { node.takeAck(2, from: learner) }
    try node.change(voters: [nodeA, nodeD, nodeE])
    node.take(read(7))
    let ready = RaftEffect.readReady(context: 7, index: LogIndex(2))
    #expect(!node.take(heard(Term(2), 2), from: nodeB).contains(ready))
    #expect(!node.take(heard(Term(2), 2), from: nodeC).contains(ready))
    #expect(node.take(heard(Term(2), 2), from: nodeD).contains(ready))
  }

  @Test func `a lone voter answers at once`() {
    var node = RaftNode.test(of: 1)
    node.take(.tick)
    #expect(node.take(read(7)) == [.readReady(context: 7, index: LogIndex(2))])
  }

  @Test func `a follower asks its leader and passes the answer on`() {
    var node = RaftNode.test()
    #expect(node.take(read(7)) == [.readFailed(context: 7)])
    node.takeHeartbeat(1, from: nodeB)
    #expect(
      node.take(read(7)) == [.send(.readRequest(term: Term(1), context: 7), to: nodeB)])
    #expect(
      node.take(.readResponse(term: Term(1), context: 7, index: LogIndex(3)), from: nodeB)
        == [.readReady(context: 7, index: LogIndex(3))])
  }

  @Test func `a candidate cannot answer`() {
    var node = RaftNode.test()
    node.becomePreCandidate()
    #expect(node.take(read(7)) == [.readFailed(context: 7)])
  }

  @Test func `a leader answers a follower after a round, lease or not`() {
    var node = RaftNode.member(nodeA, of: .voters(3), leaseTicks: 6)
    node.winAndSettle()
    node.take(heard(Term(2), 1), from: nodeB)
    let request = RaftMessage.readRequest(term: Term(2), context: 7)
    #expect(node.take(request, from: nodeC).messages(to: nodeB).count == 1)
    #expect(
      node.take(heard(Term(2), 2), from: nodeB)
        == [.send(.readResponse(term: Term(2), context: 7, index: LogIndex(2)), to: nodeC)])
  }

  @Test func `who does not lead leaves a follower's read unanswered`() {
    var node = RaftNode.test()
    #expect(node.take(.readRequest(term: Term(1), context: 7), from: nodeB).isEmpty)
  }

  @Test func `reads fail when leadership is lost`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(read(7))
    node.take(.readRequest(term: Term(2), context: 8), from: nodeB)
    let effects = node.takeHeartbeat(3, from: nodeC)
    let failures = effects.filter { if case .readFailed = $0 { true } else { false } }
    #expect(failures == [.readFailed(context: 7)])
  }

  @Test func `reads beyond those that may wait fail at once`() {
    var node = RaftNode.test()
    node.winAndSettle()
    for context in 0..<RaftNode.waitingReadsMax { node.take(read(UInt64(context))) }
    #expect(node.take(read(99_999)) == [.readFailed(context: 99_999)])
    #expect(node.take(.readRequest(term: Term(2), context: 1), from: nodeB).isEmpty)
  }
}

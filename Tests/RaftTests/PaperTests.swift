import Bytes
import Raft
import Testing

/// Rules of the paper that no other suite is about; `Rules.md` has the whole list.
@Suite struct PaperTests {
  @Test func `a new leader takes all to hold its log and knows of nothing that they hold`() {
    // figure 2, volatile state on leaders
    var node = RaftNode.test(log: [1, 1, 1])
    node.win()
    for progress in node.progress.dropFirst() {
      #expect(progress.next == LogIndex(4))
      #expect(progress.match == .zero)
    }
    #expect(node.progress[0].match == LogIndex(3))
    // Of its own log it knows what is durable.
    var late = RaftNode.test()
    late.takeAppend(term: 1, after: EntryID(1, 1), [1, 1])
    late.win()
    #expect(late.progress[0].match == LogIndex(1))
  }

  @Test func `every refusal moves back, even one that cannot be`() {  // §5.3
    for cause in [
      AppendHint.Cause.logEnd(last: EntryID(9, 9)), .conflict(term: Term(1), first: LogIndex(9)),
    ] {
      var node = RaftNode.test(log: [1, 1, 1])
      node.win()
      node.take(.propose(count: 1))
      node.take(.rejected(Term(2), previous: 3, cause), from: nodeB)
      #expect(node.progress[1].next == LogIndex(3))
    }
  }

  @Test func `a leader only appends`() {  // figure 3, leader append-only
    var node = RaftNode.test()
    node.winAndSettle()
    let log = node.log
    #expect(node.takeAppend(term: 2, after: EntryID(1, 1), [1], from: nodeB).isEmpty)
    #expect(node.takeAppend(term: 1, after: EntryID(1, 1), [1], from: nodeB).writes.isEmpty)
    #expect(node.log == log)
    #expect(node.faults.secondLeader == 1)
  }

  @Test func `a candidate that learns of a later term gives up`() {  // figure 2, all servers
    for isCandidate in [false, true] {
      var node = RaftNode.test()
      node.becomePreCandidate()
      if isCandidate { node.take(.preVoteResponse(term: Term(2), granted: true), from: nodeB) }
      #expect(node.role == (isCandidate ? .candidate : .preCandidate))
      node.take(.voteResponse(term: Term(9), granted: false), from: nodeC)
      #expect(node.role == .follower)
      #expect(node.hardState == HardState(term: Term(9), vote: nil))
    }
  }

  @Test func `a granted vote restarts the wait, a refused one does not`() {
    // figure 2, followers; §5.2
    func ticksToCampaign(last: EntryID) -> Int {
      var node = RaftNode.test(seed: 3)
      node.takeTicks(9)
      node.take(.voteRequest(term: Term(2), last: last, transfer: false), from: nodeB)
      var ticks = 0
      while node.role == .follower {
        node.take(.tick)
        ticks += 1
      }
      return ticks
    }
    #expect(ticksToCampaign(last: EntryID(1, 1)) >= 10)
    var untouched = RaftNode.test(seed: 3)
    untouched.becomePreCandidate()
    #expect(ticksToCampaign(last: .zero) <= 11)
  }

  @Test func `who knows the leader of a term votes for no other in it`() {  // §5.2
    var node = RaftNode.test()
    node.takeHeartbeat(2, from: nodeB)
    let request = RaftMessage.voteRequest(term: Term(2), last: EntryID(9, 1), transfer: true)
    #expect(
      node.take(request, from: nodeC).messages(to: nodeC)
        == [.voteResponse(term: Term(2), granted: false)])
  }

  @Test func `commits are told once, and never fall`() {  // figure 2, commitIndex
    var node = RaftNode.test(log: [1, 1, 1])
    var told: [UInt64] = []
    for commit in [1, 3, 2, 0, 3] {
      for case .commit(let index) in node.takeAppend(
        term: 1, after: EntryID(3, 1), [], commit: UInt64(commit))
      {
        told.append(index.rawValue)
      }
    }
    #expect(told == [1, 3])
  }

  @Test func `an entry is sent until the follower holds it`() {  // §5.3, §5.5
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 1))
    for round in UInt64(1)...5 {
      node.take(.unreachable(nodeB))
      let answer = RaftMessage.heartbeatResponse(term: Term(2), round: round)
      if round > 1 { node.takeTicks(2) }
      node.takeAck(2, from: nodeC)
      #expect(node.take(answer, from: nodeB).appends(to: nodeB) == [[2, 1]], "round \(round)")
    }
  }

  @Test func `a leader of a new term commits what earlier terms left with its first entry`() {
    // §5.4.2, §8: the no-op
    var node = RaftNode.test(term: 2, log: [1, 2, 2], commit: 1)
    let effects = node.win()
    #expect(effects.last == .roleChanged(.leader, term: Term(3), leader: nodeA))
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    #expect(node.takeAck(4, from: nodeB).first == .commit(LogIndex(4)))
  }

  @Test func `a follower that starts again keeps its term, vote and log`() {  // §5.5, figure 2
    let before = RaftNode.test(term: 4, vote: nodeC, log: [1, 2, 4], commit: 2)
    #expect(before.hardState == HardState(term: Term(4), vote: nodeC))
    #expect(before.last == EntryID(3, 4))
    #expect(before.commit == LogIndex(2))
    #expect(before.durable == LogIndex(3))
  }

  @Test func `timeouts that cannot work are refused`() async {  // §5.6
    await #expect(processExitsWith: .failure) {
      _ = RaftConfiguration(
        id: NodeID(1), initial: Membership(voters: [NodeID(1)]), heartbeatTicks: 6,
        electionTicksMin: 10, electionTicksMax: 20, inFlightMessagesMax: 1,
        entriesPerMessageMax: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = RaftConfiguration(
        id: NodeID(1), initial: Membership(voters: [NodeID(1)]), heartbeatTicks: 1,
        electionTicksMin: 10, electionTicksMax: 10, inFlightMessagesMax: 1,
        entriesPerMessageMax: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = RaftConfiguration(
        id: NodeID(1), initial: Membership(voters: [NodeID(1)]), heartbeatTicks: 1,
        electionTicksMin: 10, electionTicksMax: 20, inFlightMessagesMax: 1,
        entriesPerMessageMax: 1, leaseTicks: 10)
    }
  }
}

import Bytes
import Raft
import Testing

/// The follower (Raft figure 2 "AppendEntries RPC", §5.3).
@Suite struct FollowerTests {
  @Test func `entries that join on are stored, and acknowledged when durable`() {
    var node = RaftNode.test()
    #expect(
      node.takeAppend(term: 2, after: EntryID(1, 1), [2, 2], commit: 2) == [
        .roleChanged(.follower, term: Term(2), leader: nodeB),
        .persistHardState(HardState(term: Term(2), vote: nil)),
        .append(LogIndexRange(first: LogIndex(2), last: LogIndex(3))),
        .sendAfterPersist(.accepted(Term(2), 3), to: nodeB),
        .commit(LogIndex(2)),
      ])
    #expect(node.last == EntryID(3, 2))
    #expect(node.durable == LogIndex(1))
    node.take(.persisted(EntryID(3, 2)))
    #expect(node.durable == LogIndex(3))
  }

  @Test func `a leader of an older term is refused`() {  // rule 1
    var node = RaftNode.test(term: 4)
    let effects = node.takeAppend(term: 3, after: EntryID(1, 1), [3])
    #expect(
      effects == [
        .send(
          .rejected(Term(4), previous: 1, .conflict(term: Term(1), first: LogIndex(1))),
          to: nodeB)
      ])
    #expect(node.last == EntryID(1, 1))
    #expect(node.leader == nil)
  }

  @Test func `entries beyond the end of the log are refused with the end`() {  // rule 2
    var node = RaftNode.test()
    #expect(
      node.takeAppend(term: 1, after: EntryID(5, 1), [1]).messages(to: nodeB) == [
        .rejected(Term(1), previous: 5, .logEnd(last: EntryID(1, 1)))
      ])
  }

  @Test func `entries after another term are refused with that term and its start`() {  // rule 2
    var node = RaftNode.test(term: 4, log: [1, 2, 2, 2])
    #expect(
      node.takeAppend(term: 4, after: EntryID(4, 3), [4]).messages(to: nodeB) == [
        .rejected(Term(4), previous: 4, .conflict(term: Term(2), first: LogIndex(2)))
      ])
    #expect(node.last == EntryID(4, 2))
  }

  @Test func `a conflicting entry and all after it are dropped`() {  // rule 3
    var node = RaftNode.test(term: 3, log: [1, 2, 2, 2])
    #expect(
      node.takeAppend(term: 3, after: EntryID(1, 1), [2, 3]).writes == [
        .truncate(from: LogIndex(3)),
        .append(LogIndexRange(first: LogIndex(3), last: LogIndex(3))),
      ])
    #expect(node.last == EntryID(3, 3))
    #expect(node.durable == LogIndex(2))
  }

  @Test func `only entries not yet in the log are stored`() {  // rule 4
    var node = RaftNode.test(log: [1, 1, 1])
    #expect(
      node.takeAppend(term: 1, after: EntryID(1, 1), [1, 1, 1, 1]).writes == [
        .append(LogIndexRange(first: LogIndex(4), last: LogIndex(5)))
      ])
  }

  @Test func `commit follows the leader's, up to the last new entry`() {  // rule 5
    var node = RaftNode.test(log: [1, 1, 1])
    #expect(
      node.takeAppend(term: 1, after: EntryID(1, 1), [1], commit: 9).contains(
        .commit(LogIndex(2))))
    node.takeAppend(term: 1, after: EntryID(1, 1), [], commit: 1)
    #expect(node.commit == LogIndex(2))
  }

  @Test func `a committed entry is never dropped, whatever a leader says`() {  // figure 3
    var node = RaftNode.test(term: 2, log: [1, 2], commit: 2)
    #expect(node.takeAppend(term: 3, after: EntryID(1, 1), [3]).writes.count == 1)
    #expect(node.takeAppend(term: 3, after: EntryID(2, 1), [3]).isEmpty)
    #expect(node.last == EntryID(2, 2))
    #expect(node.faults.conflictAtCommit == 2)
  }

  @Test func `a heartbeat commits, but never beyond the log`() {
    var node = RaftNode.test(log: [1, 1])
    #expect(
      node.take(.heartbeatRequest(term: Term(1), commit: LogIndex(1), round: 4), from: nodeB) == [
        .roleChanged(.follower, term: Term(1), leader: nodeB),
        .send(.heartbeatResponse(term: Term(1), round: 4), to: nodeB),
        .commit(LogIndex(1)),
      ])
    node.take(.heartbeatRequest(term: Term(1), commit: LogIndex(3), round: 5), from: nodeB)
    #expect(node.commit == LogIndex(1))
    #expect(node.faults.beyondLog == 1)
  }

  @Test func `requests that contradict themselves are ignored`() {
    let requests: [AppendRequest] = [
      AppendRequest(
        term: Term(2), previous: EntryID(1, 1), commit: .zero, entryTerms: [Term(2), Term(1)]),
      AppendRequest(term: Term(2), previous: EntryID(1, 1), commit: .zero, entryTerms: [Term(3)]),
      AppendRequest(term: Term(2), previous: EntryID(1, 3), commit: .zero, entryTerms: []),
      AppendRequest(term: Term(2), previous: EntryID(0, 1), commit: .zero, entryTerms: []),
      AppendRequest(term: Term(2), previous: EntryID(0, 0), commit: .zero, entryTerms: [.zero]),
      AppendRequest(
        term: Term(2), previous: EntryID(.max, 1), commit: .zero, entryTerms: [Term(2)]),
    ]
    var node = RaftNode.test()
    for request in requests {
      #expect(node.take(.appendRequest(request), from: nodeB).isEmpty, "\(request)")
    }
    #expect(node.faults.malformed == UInt64(requests.count))
    #expect(node.term == Term(1))
  }

  @Test func `a second leader of one term is not followed`() {  // §5.2, election safety
    var node = RaftNode.test()
    node.take(.heartbeatRequest(term: Term(2), commit: .zero, round: 1), from: nodeB)
    #expect(
      node.take(.heartbeatRequest(term: Term(2), commit: .zero, round: 1), from: nodeC).isEmpty)
    #expect(node.faults.secondLeader == 1)
    #expect(node.leader == nodeB)
  }

  @Test func `a report of a write that was dropped since does not count`() {
    var node = RaftNode.test(term: 2, log: [1])
    node.takeAppend(term: 2, after: EntryID(1, 1), [2])
    node.takeAppend(term: 3, after: EntryID(1, 1), [3])
    node.takeAppend(term: 4, after: EntryID(1, 1), [2, 4])
    // The same entry is back, but this may be its first write, with two drops still to come.
    node.take(.persisted(EntryID(2, 2)))
    #expect(node.durable == LogIndex(1))
    node.take(.persisted(EntryID(3, 4)))
    #expect(node.durable == LogIndex(3))
  }
}

/// The leader (Raft figure 2 "Leaders", §5.3, §5.4.2, thesis §10.2.1).
@Suite struct LeaderTests {
  @Test func `a proposal goes out before it is durable here`() {  // thesis §10.2.1
    var node = RaftNode.test()
    node.win()
    let effects = node.take(.propose(count: 1))
    let request = AppendRequest(
      term: Term(2), previous: EntryID(1, 1), commit: .zero, entryTerms: [Term(2)])
    #expect(effects == [.sendEntries(request, to: nodeB), .sendEntries(request, to: nodeC)])
    #expect(node.last == EntryID(2, 2))
    #expect(node.durable == LogIndex(1))
  }

  @Test func `a leader counts itself only when it is durable`() {  // thesis §10.2.1
    var node = RaftNode.test()
    node.win()
    node.take(.propose(count: 1))
    node.takeAck(2, from: nodeB)
    #expect(node.commit == .zero)
    #expect(node.take(.persisted(EntryID(2, 2))).first == .commit(LogIndex(2)))
  }

  @Test func `a majority of followers commits without the leader's disk`() {  // thesis §10.2.1
    var node = RaftNode.test()
    node.win()
    node.take(.propose(count: 1))
    node.takeAck(2, from: nodeB)
    #expect(node.takeAck(2, from: nodeC).first == .commit(LogIndex(2)))
  }

  @Test func `a leader commits only entries of its own term`() {  // §5.4.2
    var node = RaftNode.test(term: 2, log: [1, 2, 2])
    node.win()
    node.takeAck(3, from: nodeB)
    node.takeAck(3, from: nodeC)
    #expect(node.commit == .zero)
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    #expect(node.takeAck(4, from: nodeB).first == .commit(LogIndex(4)))
  }

  @Test func `the news of a commit goes out at once`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    let effects = node.takeAck(3, from: nodeB)
    let news = RaftMessage.appendRequest(
      AppendRequest(term: Term(2), previous: EntryID(3, 2), commit: LogIndex(3), entryTerms: []))
    #expect(effects == [.commit(LogIndex(3)), .send(news, to: nodeB), .send(news, to: nodeC)])
  }

  @Test func `who does not lead takes no proposals`() {
    var node = RaftNode.test()
    #expect(node.take(.propose(count: 3)) == [.proposalDropped(count: 3)])
    #expect(node.last == EntryID(1, 1))
  }

  @Test func `heartbeats go out at their interval and commit only what the follower holds`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.unreachable(nodeC))
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    node.takeAck(3, from: nodeB)
    #expect(node.take(.tick).isEmpty)
    let effects = node.take(.tick)
    #expect(
      effects == [
        .send(.heartbeatRequest(term: Term(2), commit: LogIndex(3), round: 2), to: nodeB),
        .send(.heartbeatRequest(term: Term(2), commit: LogIndex(2), round: 2), to: nodeC),
      ])
  }

  @Test func `a probe waits for its answer, then the stream opens`() {  // §5.3
    var node = RaftNode.test()
    node.win()
    #expect(node.take(.propose(count: 1)).appends(to: nodeB) == [[1, 1]])
    #expect(node.take(.propose(count: 9)).appends(to: nodeB) == [])
    #expect(node.takeAck(2, from: nodeB).appends(to: nodeB) == [[2, 4], [6, 4], [10, 1]])
  }

  @Test func `no more than the window is on the way, and acknowledgements open it`() {
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(node.take(.propose(count: 20)).appends(to: nodeB) == [[2, 4], [6, 4], [10, 4]])
    #expect(node.take(.propose(count: 1)).appends(to: nodeB) == [])
    #expect(node.takeAck(6, from: nodeB).appends(to: nodeB) == [[14, 4]])
    #expect(node.takeAck(14, from: nodeB).appends(to: nodeB) == [[18, 4], [22, 1]])
    #expect(node.takeAck(22, from: nodeB).appends(to: nodeB) == [])
    #expect(node.progress[1].match == LogIndex(22))
    #expect(node.progress[1].inFlightMessages == 1)
  }

  @Test func `an answered heartbeat frees a stuck window and finds a lost append`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 20))  // all three appends are lost
    let answer = RaftMessage.heartbeatResponse(term: Term(2), round: 1)
    #expect(node.take(answer, from: nodeB).appends(to: nodeB) == [[14, 4]])
    #expect(node.take(answer, from: nodeB).isEmpty)  // a repeat
    let refusal = RaftMessage.rejected(
      Term(2), previous: 14, .logEnd(last: EntryID(2, 2)))
    #expect(node.take(refusal, from: nodeB).appends(to: nodeB) == [[2, 4]])
    #expect(node.takeAck(6, from: nodeB).appends(to: nodeB) == [[6, 4], [10, 4], [14, 4]])
  }

  @Test func `the last append is found lost though nothing follows it`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 1))
    let answer = RaftMessage.heartbeatResponse(term: Term(2), round: 1)
    #expect(node.take(answer, from: nodeB).appends(to: nodeB) == [[3, 0]])
  }

  @Test func `an unreachable follower is probed by single appends`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.propose(count: 8))
    node.take(.unreachable(nodeB))
    #expect(node.progress[1].flow == .probe(isPaused: false))
    #expect(node.take(.propose(count: 1)).appends(to: nodeB) == [[2, 4]])
    let answer = RaftMessage.heartbeatResponse(term: Term(2), round: 1)
    #expect(node.take(answer, from: nodeB).appends(to: nodeB) == [[2, 4]])
  }

  @Test func `a follower back from a break is probed even if it lacks nothing`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.unreachable(nodeB))
    let answer = RaftMessage.heartbeatResponse(term: Term(2), round: 1)
    #expect(node.take(answer, from: nodeB).appends(to: nodeB) == [[2, 0]])
    node.takeAck(2, from: nodeB)
    #expect(node.progress[1].flow == .replicate)
  }

  @Test func `backing up takes one exchange per term, not per entry`() {  // §5.3, end
    var leader = RaftNode.test(term: 9, log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6])
    var follower = RaftNode.test(
      nodeB, term: 9, log: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    leader.win()
    var inbox = leader.take(.propose(count: 1)).messages(to: nodeB)
    var exchanges = 0
    while follower.last != leader.last || follower.log != leader.log {
      exchanges += 1
      guard exchanges < 10 else { break }
      let answers = inbox.flatMap { follower.take($0, from: nodeA).messages(to: nodeA) }
      inbox = answers.flatMap { leader.take($0, from: nodeB).messages(to: nodeB) }
    }
    #expect(exchanges <= 4)
    #expect(follower.log == leader.log)
  }

  @Test func `a follower far behind says where its log ends`() {  // §5.3, end
    var node = RaftNode.test(term: 3, log: [1] + [UInt64](repeating: 3, count: 50))
    node.win()
    #expect(node.take(.propose(count: 1)).appends(to: nodeB) == [[51, 1]])
    let refusal = RaftMessage.rejected(Term(4), previous: 51, .logEnd(last: EntryID(2, 2)))
    #expect(node.take(refusal, from: nodeB).appends(to: nodeB) == [[1, 4]])
  }

  @Test func `late refusals change nothing`() {
    var node = RaftNode.test()
    node.winAndSettle()
    let late = RaftMessage.rejected(Term(2), previous: 1, .logEnd(last: .zero))
    #expect(node.take(late, from: nodeB).isEmpty)
    #expect(node.progress[1].match == LogIndex(2))
    #expect(node.progress[1].flow == .replicate)
  }

  @Test func `late and impossible acknowledgements change nothing`() {
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(node.takeAck(1, from: nodeB).isEmpty)
    #expect(node.take(.accepted(Term(1), 9), from: nodeB).isEmpty)
    #expect(node.takeAck(99, from: nodeB).isEmpty)
    #expect(node.progress[1].match == LogIndex(2))
    #expect(node.faults.beyondLog == 1)
  }

  @Test func `a hostile hint cannot move the leader out of its log`() {
    var node = RaftNode.test()
    node.winAndSettle()
    node.take(.unreachable(nodeB))
    for cause in [
      AppendHint.Cause.conflict(term: .zero, first: .zero),
      .conflict(term: Term(.max), first: LogIndex(.max)), .logEnd(last: EntryID(.max, .max)),
    ] {
      node.take(.unreachable(nodeB))
      node.take(.rejected(Term(2), previous: 2, cause), from: nodeB)
      #expect(node.progress[1].next >= LogIndex(1))
      #expect(node.progress[1].next <= node.last.index.next)
    }
    node.take(.rejected(Term(2), previous: 0, .logEnd(last: .zero)), from: nodeB)
    #expect(node.role == .leader)
  }
}

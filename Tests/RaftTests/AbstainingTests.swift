import Bytes
import Raft
import Testing

/// A node whose disk lost what it may have acknowledged (FAST '18, "Protocol-aware recovery for
/// consensus-based storage"): it helps nobody to win until it holds again what was committed.
@Suite struct AbstainingTests {
  private func node() -> RaftNode {
    RaftNode.member(nodeB, of: .voters(3), term: 5, log: [1, 1], distrusted: 4)
  }

  @Test func `it refuses votes and pre-votes to the best log`() {
    var node = node()
    #expect(
      node.take(.preVoteRequest(term: Term(6), last: EntryID(9, 5)), from: nodeC).messages(
        to: nodeC) == [.preVoteResponse(term: Term(5), granted: false)])
    for isTransfer in [false, true] {
      let term = isTransfer ? Term(7) : Term(6)
      let request = RaftMessage.voteRequest(
        term: term, last: EntryID(9, 5), transfer: isTransfer)
      #expect(
        node.take(request, from: nodeC).messages(to: nodeC)
          == [.voteResponse(term: term, granted: false)])
    }
    #expect(node.hardState.vote == nil)
  }

  @Test func `it does not campaign, not even when told to`() {
    var node = node()
    node.takeTicks(100)
    node.take(.timeoutNow(term: Term(5)), from: nodeA)
    #expect(node.role == .follower)
    #expect(node.term == Term(5))
    var lone = RaftNode.member(nodeA, of: .voters(1), term: 5, log: [1], distrusted: 4)
    lone.takeTicks(100)
    #expect(lone.role == .follower)
  }

  @Test func `it follows a leader and acknowledges what it holds`() {
    var node = node()
    let effects = node.takeAppend(term: 5, after: EntryID(2, 1), [3, 4], from: nodeA)
    #expect(effects.messages(to: nodeA) == [.accepted(Term(5), 4)])
  }

  @Test func `an entry of a later term, once durable, makes it a voter again`() {
    var node = node()
    node.takeAppend(term: 5, after: EntryID(2, 1), [4], from: nodeA)
    node.take(.persisted(EntryID(3, 4)))
    #expect(node.distrusted == Term(4))
    node.takeAppend(term: 5, after: EntryID(3, 4), [5], from: nodeA)
    #expect(node.distrusted == Term(4))
    node.take(.persisted(EntryID(4, 5)))
    #expect(node.distrusted == nil)
    node.takeTicks(20)
    #expect(node.role == .preCandidate)
  }

  @Test func `a log that ends in a later term makes it a voter from the start`() {
    let node = RaftNode.member(nodeB, of: .voters(3), term: 5, log: [1, 5], distrusted: 4)
    #expect(node.distrusted == nil)
    let same = RaftNode.member(nodeB, of: .voters(3), term: 5, log: [1, 4], distrusted: 4)
    #expect(same.distrusted == Term(4))
  }
}

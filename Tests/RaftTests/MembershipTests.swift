import Bytes
import Raft
import Testing

/// Configurations as values, and majorities in them, against naive models.
@Suite struct MembershipTests {
  @Test func `members are everybody once, in order`() {
    let membership = Membership(
      voters: [nodeC, nodeA], outgoing: [nodeB, nodeA], learners: [nodeD, nodeB])
    #expect(membership.members == [nodeA, nodeB, nodeC, nodeD])
    #expect(membership.isJoint)
    #expect(membership.isVoter(nodeB))
    #expect(!membership.isVoter(nodeD))
    #expect(Membership.none.members.isEmpty)
  }

  @Test func `a node has one part and there are only so many`() {
    let many = (1...16).map { NodeID(UInt16($0)) }
    func canBe(_ voters: [NodeID], _ outgoing: [NodeID] = [], _ learners: [NodeID] = []) -> Bool {
      Membership.canBe(voters: voters, outgoing: outgoing, learners: learners)
    }
    #expect(canBe([nodeA], [nodeA, nodeB], [nodeB]))
    #expect(canBe(Array(many.prefix(15)), Array(many.prefix(15)), [many[15]]))
    #expect(!canBe([nodeA, nodeA]))
    #expect(!canBe([nodeA], [nodeB, nodeB]))
    #expect(!canBe([nodeA], [], [nodeB, nodeB]))
    #expect(!canBe([nodeA], [], [nodeA]))
    #expect(!canBe(many))
    #expect(!canBe([nodeA], many))
    #expect(!canBe([], [], many))
  }

  /// Up to 15 of nodes 1 to 20, and which.
  private func some(_ generator: inout SeededGenerator, atLeast: Int) -> [NodeID] {
    let all = (1...20).map { NodeID(UInt16($0)) }.shuffled(using: &generator)
    return Array(all.prefix(Int.random(in: atLeast...15, using: &generator)))
  }

  @Test func `joint majorities are those of a count by hand`() {  // Raft §6
    for seed in UInt64(0)..<500 {
      var generator = SeededGenerator(seed: seed)
      let voters = some(&generator, atLeast: 1)
      let outgoing = Bool.random(using: &generator) ? some(&generator, atLeast: 1) : []
      let learners = some(&generator, atLeast: 0).filter { !voters.contains($0) }
      let membership = Membership(voters: voters, outgoing: outgoing, learners: learners)
      let own = NodeID(UInt16.random(in: 1...20, using: &generator))
      let roster = Roster(membership, own: own, departing: some(&generator, atLeast: 0))
      let values = roster.ids.map { _ in UInt64.random(in: 0...6, using: &generator) }
      func value(_ id: NodeID) -> UInt64 { roster.position(of: id).map { values[$0] } ?? 0 }
      func isMajority(_ set: [NodeID], _ holds: (NodeID) -> Bool) -> Bool {
        set.isEmpty || 2 * set.count(where: holds) > set.count
      }
      func agree(_ holds: (NodeID) -> Bool) -> Bool {
        isMajority(voters, holds) && isMajority(outgoing, holds)
      }
      let agreed = (UInt64(0)...6).last { index in agree { value($0) >= index } }
      #expect(roster.agreedValue { values[$0] } == agreed, "seed \(seed)")
      #expect(roster.agreedIndex { LogIndex(values[$0]) }.rawValue == agreed, "seed \(seed)")
      #expect(roster.hasMajority { values[$0] >= 3 } == agree { value($0) >= 3 }, "seed \(seed)")
      func bits(_ isIn: (UInt64) -> Bool) -> UInt64 {
        roster.ids.indices.reduce(0) { $0 | (isIn(values[$1]) ? 1 << UInt64($1) : 0) }
      }
      let outcome = roster.outcome(granted: bits { $0 >= 4 }, refused: bits { $0 == 0 })
      let expected: Roster.Outcome =
        agree { value($0) >= 4 } ? .won : agree { value($0) > 0 } ? .open : .lost
      #expect(outcome == expected, "seed \(seed)")
      #expect(roster.voters == roster.ids.filter(membership.isVoter), "seed \(seed)")
      #expect(roster.ids[roster.ownPosition] == own, "seed \(seed)")
    }
  }

  @Test func `who is departing is named and not counted`() {
    let roster = Roster(Membership(voters: [nodeA, nodeB]), own: nodeA, departing: [nodeB, nodeC])
    #expect(roster.ids == [nodeA, nodeB, nodeC])
    #expect(roster.hasDeparting)
    #expect(!roster.isVoter(2))
    #expect(!Roster(.voters(3), own: nodeA, departing: [nodeC]).hasDeparting)
  }

  @Test func `nobody is alone among two, and a configuration without voters decides nothing`() {
    #expect(Roster(.voters(1), own: nodeA).isAlone)
    #expect(!Roster(.voters(1), own: nodeB).isAlone)
    #expect(!Roster(Membership(voters: [nodeA], outgoing: [nodeA, nodeB]), own: nodeA).isAlone)
    let nobody = Roster(.none, own: nodeA)
    #expect(!nobody.isAlone)
    #expect(!nobody.hasMajority { _ in true })
    #expect(nobody.agreedValue { _ in 9 } == 0)
  }

  @Test func `the configurations of a log follow it`() {  // Raft §6
    for seed in UInt64(0)..<300 {
      var generator = SeededGenerator(seed: seed)
      var log = MembershipLog(initial: .voters(1))
      var model = log.entries
      var commit: UInt64 = 0
      var last: UInt64 = 0
      for _ in 0..<30 {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
          last += UInt64.random(in: 1...3, using: &generator)
          let entry = MembershipEntry(
            index: LogIndex(last), membership: .voters(UInt16.random(in: 1...9, using: &generator)))
          log.append(entry)
          model.append(entry)
        case 1 where last > commit:
          let from = UInt64.random(in: (commit + 1)...last, using: &generator)
          let isInUse = model.last.map { $0.index.rawValue >= from } ?? false
          model.removeAll { $0.index.rawValue >= from }
          last = from - 1
          #expect(log.truncate(from: LogIndex(from)) == isInUse, "seed \(seed)")
        default:
          commit = UInt64.random(in: commit...max(commit, last), using: &generator)
          log.compact(committed: LogIndex(commit))
        }
        #expect(log.current == model.last, "seed \(seed)")
        #expect(log.entries.count == 1 || log.previous == model.dropLast().last, "seed \(seed)")
        // What a truncation may bring back is kept, and no more.
        let needed = model.last { $0.index.rawValue <= commit }
        #expect(log.entries.contains { $0 == needed }, "seed \(seed)")
        #expect(
          Array(log.entries.suffix(model.count { $0.index.rawValue > commit }))
            == model.filter { $0.index.rawValue > commit }, "seed \(seed)")
      }
    }
  }
}

/// Each reason to refuse a change.
@Suite struct MembershipRefusalTests {
  private let three = Membership.voters(3).voters

  private func refusal(
    _ node: RaftNode, _ voters: [NodeID], _ learners: [NodeID] = []
  ) -> MembershipRefusal? {
    do throws(MembershipRefusal) {
      _ = try node.membershipChange(voters: voters, learners: learners)
      return nil
    } catch {
      return error
    }
  }

  @Test func `not ready without an office, a commit of its term, or while handing over`() {
    var node = RaftNode.test(log: [1, 1], commit: 2)
    #expect(refusal(node, three, [nodeD]) == .notReady)
    node.win()
    // Thesis §4.1, the fault of single-server changes: another leader's change may be committed.
    #expect(refusal(node, three, [nodeD]) == .notReady)
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    node.takeAck(3, from: nodeB)
    #expect(refusal(node, three, [nodeD]) == nil)
    node.take(.transferLeadership(to: nodeB))
    #expect(refusal(node, three, [nodeD]) == .notReady)
  }

  @Test func `one change at a time`() throws {
    var node = RaftNode.test()
    node.winAndSettle()
    try node.change(voters: three, learners: [nodeD])
    #expect(refusal(node, three) == .changing)
    #expect(node.take(.proposeMembership(.voters(3))) == [.proposalDropped(count: 1)])
    #expect(node.membership == Membership(voters: three, learners: [nodeD]))
    node.takeAck(3, from: nodeB)
    #expect(refusal(node, three) == nil)
    try node.change(voters: [nodeA, nodeB])
    for peer in [nodeB, nodeC] { node.takeAck(node.last.index.rawValue, from: peer) }
    // The joint one is committed, the final one is due.
    #expect(refusal(node, three) == .changing)
  }

  @Test func `lists that make no configuration`() {
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(refusal(node, [nodeA, nodeA]) == .malformed)
    #expect(refusal(node, three, [nodeC]) == .malformed)
    #expect(refusal(node, (1...16).map { NodeID(UInt16($0)) }) == .malformed)
    #expect(refusal(node, [], [nodeA]) == .noVoters)
    #expect(refusal(node, [nodeC, nodeB, nodeA]) == .unchanged)
  }

  @Test func `a voter was a learner first and lacks little`() throws {  // thesis §4.2.1
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(refusal(node, three + [nodeD]) == .notLearner(nodeD))
    try node.change(voters: three, learners: [nodeD])
    for peer in [nodeB, nodeC] { node.takeAck(3, from: peer) }
    node.take(.propose(count: 126))
    #expect(refusal(node, three + [nodeD]) == .behind(nodeD, entryCount: 129))
    node.takeAck(1, from: nodeD)
    #expect(refusal(node, three + [nodeD]) == nil)
  }

  @Test func `a majority of the new voters must be heard`() {
    var node = RaftNode.test()
    node.winAndSettle()
    #expect(refusal(node, [nodeA, nodeC]) == nil)
    for _ in 0..<10 {
      node.takeAck(2, from: nodeB)
      node.take(.tick)
    }
    #expect(refusal(node, [nodeA, nodeC]) == .wouldStop)
    #expect(refusal(node, [nodeA, nodeB]) == nil)
  }

  @Test func `a majority of the new voters must hold an entry of the term`() {
    // One that abstains cannot vote until it does.
    var node = RaftNode.test()
    node.win()
    node.take(.propose(count: 1))
    node.take(.persisted(node.last))
    node.takeAck(2, from: nodeB)
    node.takeAck(1, from: nodeC)
    #expect(refusal(node, [nodeA, nodeC]) == .wouldStop)
    #expect(refusal(node, [nodeA, nodeB]) == nil)
  }
}

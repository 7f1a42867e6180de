import Bytes
import Raft

// What goes wrong, and what operators do meanwhile.

extension SimulatedCluster {
  mutating func disturb() throws(Violation) {
    // Leaders are where it hurts.
    let leading = nodes.indices.filter { nodes[$0].raft?.role == .leader }
    let any = Int.random(in: nodes.indices, using: &generator)
    let position = chance(50, of: 100) ? leading.randomElement(using: &generator) ?? any : any
    switch Int.random(in: 0..<26, using: &generator) {
    case 0...2: sides = nodes.map { _ in Int.random(in: 0...1, using: &generator) }
    // Who was alone before is now with the others: logs that went apart meet without their leader.
    case 3...6: sides = nodes.indices.map { $0 == position ? 1 : 0 }
    case 7...8: sides = [Int](repeating: 0, count: nodes.count)
    case 9...11: try crash(position)
    case 12: for position in nodes.indices where chance(70, of: 100) { try crash(position) }
    case 13...16:
      for position in nodes.indices where nodes[position].raft == nil { start(position) }
    case 17...19:
      let target = chance(50, of: 100) ? nodes.randomElement(using: &generator)?.id : nil
      if nodes[position].raft != nil { try step(position, .transferLeadership(to: target)) }
    case 20...21:
      try loseTail(any)
      // Whoever holds what was lost may be gone too.
      for leader in leading where chance(50, of: 100) { try crash(leader) }
    case 22...24: for leader in leading { try changeMembers(leader) }
    default:
      if nodes[position].raft != nil { try step(position, .unreachable(nodes[any].id)) }
    }
  }

  /// Stops a node: what its disk has not done by now is lost, in the middle of a write too.
  mutating func crash(_ position: Int) throws(Violation) {
    guard nodes[position].raft != nil else { return }
    happenings.crashes += 1
    if case .write(let entries, _) = nodes[position].disk.first {
      let kept = Int.random(in: 0...entries.count, using: &generator)
      nodes[position].diskEntries += entries.prefix(kept)
    }
    nodes[position].disk = []
    nodes[position].raft = nil
  }

  /// A crash after which the disk lacks entries that the node had acknowledged. Raft survives that
  /// on one node at a time, once the node says so.
  mutating func loseTail(_ position: Int) throws(Violation) {
    guard !nodes.contains(where: { $0.diskDistrusted != nil }) else { return }
    // Without it the others must be able to elect a leader.
    let isEnough = nodes.compactMap(\.raft?.membership).allSatisfy { membership in
      membership.voters.count != 1 && membership.voters.count != 2
        && membership.outgoing.count != 1 && membership.outgoing.count != 2
    }
    guard isEnough, nodes.allSatisfy({ $0.raft != nil }) else { return }
    try crash(position)
    let count = Int.random(in: 0...min(5, nodes[position].diskEntries.count), using: &generator)
    nodes[position].diskEntries.removeLast(count)
    nodes[position].diskCommit = min(
      nodes[position].diskCommit, nodes[position].diskEntries.count)
    let term = nodes[position].diskHardState.term
    guard term > .zero else { return }
    nodes[position].diskDistrusted = term
    nodes[position].diskHardState = HardState(term: term.next, vote: nil)
    happenings.losses += 1
  }

  mutating func start(_ position: Int) {
    let node = nodes[position]
    let (log, memberships) = node.recovered(initial)
    let commit = chance(50, of: 100) ? node.diskCommit : 0
    nodes[position].entries = node.diskEntries
    nodes[position].commit = commit
    nodes[position].ticksOverdue = 0
    nodes[position].raft = RaftNode(
      configuration: .hasty(
        node.id, initial: memberships.entries[0].membership, entriesMax: entriesMax,
        leaseTicks: leaseTicks),
      hardState: node.diskHardState, log: log, commit: LogIndex(UInt64(commit)),
      memberships: memberships, distrusted: node.diskDistrusted, random: generator.next())
  }

  /// A leader makes some nodes voters, some learners, and some neither.
  mutating func changeMembers(_ position: Int) throws(Violation) {
    guard let raft = nodes[position].raft else { return }
    var voters = raft.membership.voters
    var learners = raft.membership.learners
    for id in nodes.map(\.id) where chance(30, of: 100) {
      voters.removeAll { $0 == id }
      learners.removeAll { $0 == id }
      switch Int.random(in: 0...2, using: &generator) {
      case 0: learners.append(id)
      case 1: voters.append(id)
      default: break
      }
    }
    // Whoever just lost what it acknowledged must not come to be one that the others need: a leader
    // that has not heard of the loss cannot know.
    guard voters.count >= 3 || !nodes.contains(where: { $0.diskDistrusted != nil }) else { return }
    guard let change = try? raft.membershipChange(voters: voters, learners: learners)
    else { return }
    happenings.changes += 1
    if !voters.contains(raft.id) { happenings.removals += 1 }
    try propose(position, 1, change)
  }
}

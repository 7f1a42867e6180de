import Bytes
import Raft

// MARK: What must hold (Raft figure 3)

extension SimulatedCluster {
  /// Election safety and leader completeness.
  mutating func checkElection(_ position: Int, _ term: Term) throws(Violation) {
    happenings.leaders += 1
    let id = nodes[position].id
    if let other = leaders[term], other != id {
      throw Violation("two leaders in \(term): \(other) and \(id)")
    }
    leaders[term] = id
    for (offset, item) in committed.enumerated() where item.term < term {
      guard offset < nodes[position].entries.count,
        nodes[position].entries[offset] == item.entry
      else { throw Violation("the leader \(id) of \(term) lacks committed \(offset + 1)") }
    }
  }

  /// State-machine safety, and that what is committed is durable on a majority.
  mutating func commit(_ position: Int, upTo index: Int) throws(Violation) {
    let node = nodes[position]
    guard index > node.commit, index <= node.entries.count else {
      throw Violation("\(node.id): commit \(node.commit) → \(index) of \(node.entries.count)")
    }
    for offset in node.commit..<index {
      let entry = node.entries[offset]
      if offset < committed.count {
        guard committed[offset].entry == entry else {
          throw Violation("\(node.id): another entry is committed at \(offset + 1)")
        }
        continue
      }
      guard let roster = node.raft?.roster else { continue }
      let holds = { (position: Int) in
        let disk = nodes[Int(roster.ids[position].rawValue) - 1].diskEntries
        return offset < disk.count && disk[offset] == entry
      }
      // A node that lost its disk's tail may have been counted before.
      guard roster.hasMajority(holds) || nodes.contains(where: { $0.diskDistrusted != nil }) else {
        throw Violation("\(node.id): \(offset + 1) is committed without a majority of copies")
      }
      committed.append((entry, node.raft?.term ?? .zero))
      happenings.commits += 1
    }
    nodes[position].commit = index
  }

  /// A read sees whatever was committed anywhere before it began (linearizability, thesis §6.4).
  mutating func checkRead(_ context: UInt64, _ index: LogIndex) throws(Violation) {
    guard let before = reads[context] else { throw Violation("nobody asked \(context)") }
    guard index.rawValue >= UInt64(before) else {
      throw Violation("a read sees \(index) where \(before) was committed before it began")
    }
    happenings.reads += 1
  }

  /// The configuration in use is the last one in the log.
  func checkMembership(_ position: Int, _ raft: RaftNode) throws(Violation) {
    let initial = initial.members.contains(raft.id) ? initial : .none
    let last = nodes[position].entries.last { $0.membership != nil }?.membership ?? initial
    guard raft.membership == last else {
      throw Violation("\(raft.id): counts by \(raft.membership) where the log says \(last)")
    }
  }

  /// A node's promise is on its disk when it leaves.
  mutating func checkPromise(
    _ message: RaftMessage, of position: Int, to: NodeID
  ) throws(Violation) {
    let node = nodes[position]
    switch message {
    case .voteResponse(let term, granted: true): try note(vote: to, of: node, in: term)
    case .voteRequest(let term, _, _): try note(vote: node.id, of: node, in: term)
    case .appendResponse(let response):
      switch response.outcome {
      case .accepted(let match):
        guard match.rawValue <= UInt64(node.diskEntries.count),
          node.diskHardState.term >= response.term
        else { throw Violation("\(node.id): acknowledged \(match) before it was durable") }
      case .rejected: break
      }
    default: break
    }
  }

  /// One vote in a term, on disk before it is told.
  mutating func note(
    vote: NodeID, of node: SimulatedNode, in term: Term
  ) throws(Violation) {
    if node.diskHardState.term <= term {
      guard node.diskHardState == HardState(term: term, vote: vote) else {
        throw Violation("\(node.id): its vote in \(term) left before it was durable")
      }
    }
    if let other = votes[term]?[node.id], other != vote {
      throw Violation("\(node.id) voted in \(term) for \(other) and \(vote)")
    }
    votes[term, default: [:]][node.id] = vote
  }

  /// What may leave at once promises nothing.
  mutating func checkFree(_ message: RaftMessage) throws(Violation) {
    switch message {
    case .voteRequest, .voteResponse(_, granted: true):
      throw Violation("a vote left before it was durable")
    case .appendResponse(let response):
      guard case .rejected = response.outcome else {
        throw Violation("an acknowledgement left before it was durable")
      }
      happenings.refusals += 1
    default: break
    }
  }

  /// A leader's term is on its disk before anybody hears of it, or it could lead the same term again
  /// with other entries.
  func checkOffice(_ message: RaftMessage, of position: Int) throws(Violation) {
    switch message {
    case .heartbeatRequest, .appendRequest:
      guard nodes[position].diskHardState.term >= message.term else {
        throw Violation("\(nodes[position].id): leads \(message.term) before that is durable")
      }
    default: break
    }
  }

  /// What the core takes for durable is.
  func checkDurable(_ position: Int) throws(Violation) {
    guard let raft = nodes[position].raft else { return }
    let count = Int(raft.durable.rawValue)
    let from = max(0, count - 12)
    guard nodes[position].diskEntries.count >= count,
      nodes[position].diskEntries[from..<count] == nodes[position].entries[from..<count]
    else {
      throw Violation("\(raft.id): takes \(count) for durable that is not")
    }
  }

  /// Log matching, and that the core's terms are the caller's.
  func checkLogs() throws(Violation) {
    for (position, left) in nodes.enumerated() where left.raft != nil {
      for (offset, entry) in left.entries.enumerated() {
        guard left.raft?.term(at: LogIndex(UInt64(offset + 1))) == entry.term else {
          throw Violation("\(left.id): the core has another term at \(offset + 1)")
        }
      }
      for right in nodes[(position + 1)...] where right.raft != nil {
        let shared = zip(left.entries, right.entries)
        var last = 0
        for (offset, pair) in shared.enumerated() where pair.0.term == pair.1.term {
          last = offset + 1
        }
        guard left.entries.prefix(last) == right.entries.prefix(last) else {
          throw Violation("\(left.id) and \(right.id) differ before the shared entry \(last)")
        }
      }
    }
  }

  /// Liveness: after the disturbances one leader, one log, everything committed.
  func checkSettled(after earlier: Int) throws(Violation) {
    let leading = nodes.filter { $0.raft?.role == .leader }
    guard leading.count == 1, let leader = leading.first else {
      let all = nodes.map { node in
        "\(node.id.rawValue): \(node.raft?.role as Any) term \(node.raft?.term as Any) log"
          + " \(node.raft?.last as Any) distrusts \(node.raft?.distrusted as Any)"
          + " members \(node.raft?.membership as Any) commit \(node.commit)"
      }
      throw Violation(
        "\(leading.count) leaders after the disturbances: " + all.joined(separator: "; "))
    }
    guard committed.count > earlier else { throw Violation("nothing was committed any more") }
    guard let membership = leader.raft?.membership, !membership.isJoint else {
      throw Violation("a change of members did not end")
    }
    for node in nodes where membership.members.contains(node.id) {
      guard node.raft?.leader == leader.id else { throw Violation("\(node.id): other leader") }
      guard node.entries == leader.entries, node.diskEntries == leader.entries,
        node.commit == leader.entries.count
      else {
        throw Violation("\(node.id): commit \(node.commit) of \(leader.entries.count)")
      }
    }
  }
}

import Bytes
import Raft

/// A cluster that does exactly what it is told: a first-in-first-out network, disks that work at
/// once or wait, and a line of text for everything that happens.
struct TranscriptCluster {
  /// Most messages of one delivery: beyond it the nodes talk without end.
  private static let deliveriesMax = 5000

  private(set) var nodes: [SimulatedNode] = []
  private(set) var lines: [String] = []
  /// Messages on their way, oldest first.
  private var packets: [Packet] = []
  /// Nodes whose disk works only when told.
  private var slowDisks: Set<NodeID> = []
  /// Pairs that do not hear each other.
  private var cut: Set<[NodeID]> = []
  private var initial = Membership.none
  private var leaseTicks = 0

  /// Takes the lines written since the last time.
  mutating func takeLines() -> [String] {
    defer { lines = [] }
    return lines
  }

  // MARK: Nodes

  /// Makes `count` voters and `spare` nodes that nobody added yet.
  mutating func create(count: Int, spare: Int, leaseTicks: Int) {
    initial = .voters(UInt16(count))
    self.leaseTicks = leaseTicks
    nodes = (1...(count + spare)).map { SimulatedNode(id: NodeID(UInt16($0))) }
    for position in nodes.indices { start(position) }
  }

  /// Gives a node a log from before.
  mutating func setLog(_ id: NodeID, term: UInt64, terms: [UInt64]) {
    let position = position(id)
    nodes[position].diskEntries = terms.map { SimulatedEntry(term: Term($0), value: 0) }
    nodes[position].diskHardState = HardState(term: Term(term), vote: nil)
    start(position)
  }

  mutating func crash(_ id: NodeID) {
    nodes[position(id)].raft = nil
    nodes[position(id)].disk = []
  }

  mutating func restart(_ id: NodeID) { start(position(id)) }

  /// A crash in which the disk forgets its last entries; the node starts again knowing that.
  mutating func loseTail(_ id: NodeID, count: Int) {
    crash(id)
    let position = position(id)
    nodes[position].diskEntries.removeLast(count)
    let term = nodes[position].diskHardState.term
    nodes[position].diskDistrusted = term
    nodes[position].diskHardState = HardState(term: term.next, vote: nil)
    start(position)
  }

  private mutating func start(_ position: Int) {
    let node = nodes[position]
    let (log, memberships) = node.recovered(initial)
    nodes[position].entries = node.diskEntries
    nodes[position].raft = RaftNode(
      configuration: .test(
        node.id, initial: memberships.entries[0].membership, leaseTicks: leaseTicks),
      hardState: node.diskHardState, log: log, commit: .zero, memberships: memberships,
      distrusted: node.diskDistrusted, random: UInt64(node.id.rawValue))
  }

  private func position(_ id: NodeID) -> Int { Int(id.rawValue) - 1 }

  // MARK: The network

  /// Delivers until all is quiet.
  mutating func deliverAll() {
    for _ in 0..<Self.deliveriesMax {
      guard !packets.isEmpty else { return }
      deliver(packets.removeFirst())
    }
    lines.append("the nodes talk without end")
  }

  /// Delivers what is on its way from one node to another now.
  mutating func deliver(from: NodeID, to: NodeID) {
    let due = packets.filter { $0.from == from && $0.to == to }
    packets.removeAll { $0.from == from && $0.to == to }
    for packet in due { deliver(packet) }
  }

  /// Loses what is on its way from one node to another now.
  mutating func drop(from: NodeID, to: NodeID) {
    packets.removeAll { $0.from == from && $0.to == to }
  }

  /// Cuts the nodes of different sides off from each other; what is on its way is lost.
  mutating func partition(_ sides: [[NodeID]]) {
    for (number, side) in sides.enumerated() {
      for other in sides.dropFirst(number + 1) {
        for left in side { for right in other { cut.formUnion([[left, right], [right, left]]) } }
      }
    }
    packets.removeAll { cut.contains([$0.from, $0.to]) }
  }

  mutating func heal() { cut = [] }

  private mutating func deliver(_ packet: Packet) {
    step(packet.to, .receive(packet.message, from: packet.from), payload: packet.payload)
  }

  private mutating func post(_ message: RaftMessage, from position: Int, to: NodeID) {
    var payload: [SimulatedEntry] = []
    if case .appendRequest(let request) = message {
      let start = Int(request.previous.index.rawValue)
      payload = Array(nodes[position].entries[start..<(start + request.entryTerms.count)])
    }
    let id = nodes[position].id
    let isLost = cut.contains([id, to])
    lines.append("\(id.rawValue) → \(to.rawValue): \(message.text)\(isLost ? " (lost)" : "")")
    guard !isLost else { return }
    packets.append(Packet(due: 0, from: id, to: to, message: message, payload: payload))
  }

  // MARK: The disks

  mutating func setDisk(_ id: NodeID, isSlow: Bool) {
    if isSlow { slowDisks.insert(id) } else { slowDisks.remove(id) }
    if !isSlow { persist(id) }
  }

  /// Lets a disk do all that waits for it.
  mutating func persist(_ id: NodeID) {
    let position = position(id)
    while !nodes[position].disk.isEmpty, nodes[position].raft != nil {
      switch nodes[position].disk.removeFirst() {
      case .hardState(let hardState): nodes[position].diskHardState = hardState
      case .truncate(let from): nodes[position].diskEntries.removeSubrange((from - 1)...)
      case .write(let entries, let last):
        nodes[position].diskEntries += entries
        step(id, .persisted(last))
      case .send(let message, let to): post(message, from: position, to: to)
      }
    }
  }

  // MARK: Inputs and effects

  /// What a client of a leader does.
  mutating func propose(_ id: NodeID, count: Int, _ membership: Membership? = nil) {
    let position = position(id)
    guard let raft = nodes[position].raft, raft.role == .leader, !raft.isTransferring else {
      step(id, .propose(count: count))
      return
    }
    let entry = SimulatedEntry(term: raft.term, value: 0, membership: membership)
    nodes[position].entries += [SimulatedEntry](repeating: entry, count: count)
    let last = EntryID(
      index: LogIndex(UInt64(nodes[position].entries.count)), term: raft.term)
    nodes[position].disk.append(
      .write([SimulatedEntry](repeating: entry, count: count), upTo: last))
    step(id, membership.map { .proposeMembership($0) } ?? .propose(count: count))
  }

  /// One input, its effects, and what a caller owes the core after it.
  mutating func step(_ id: NodeID, _ input: RaftInput, payload: [SimulatedEntry] = []) {
    let position = position(id)
    var effects: [RaftEffect] = []
    nodes[position].raft?.step(input.naming(payload), into: &effects)
    var hasWon = false
    for effect in effects { carryOut(effect, at: position, payload, &hasWon) }
    if nodes[position].raft?.distrusted == nil { nodes[position].diskDistrusted = nil }
    if hasWon { propose(id, count: 1) }
    if let due = nodes[position].raft?.membershipDue { propose(id, count: 1, due) }
    if !slowDisks.contains(id) { persist(id) }
  }

  private mutating func carryOut(
    _ effect: RaftEffect, at position: Int, _ payload: [SimulatedEntry], _ hasWon: inout Bool
  ) {
    switch effect {
    case .send(let message, let to): return post(message, from: position, to: to)
    case .sendEntries(let request, let to):
      return post(.appendRequest(request), from: position, to: to)
    case .sendAfterPersist(let message, let to):
      return nodes[position].disk.append(.send(message, to: to))
    case .persistHardState(let state): nodes[position].disk.append(.hardState(state))
    case .truncate(let from):
      nodes[position].entries.removeSubrange((Int(from.rawValue) - 1)...)
      nodes[position].disk.append(.truncate(from: Int(from.rawValue)))
    case .append(let range):
      let entries = Array(payload.suffix(range.count))
      nodes[position].entries += entries
      let term = entries.last?.term ?? .zero
      nodes[position].disk.append(
        .write(entries, upTo: EntryID(index: range.last, term: term)))
    case .roleChanged(.leader, _, _): hasWon = true
    case .commit, .roleChanged, .proposalDropped, .membershipChanged, .readReady, .readFailed,
      .transferEnded:
      break
    }
    lines.append("\(nodes[position].id.rawValue) \(effect.text)")
  }

  /// A leader's answer to a change of members, and the change.
  mutating func changeMembers(_ id: NodeID, voters: [NodeID], learners: [NodeID]) {
    guard let raft = nodes[position(id)].raft else { return }
    do throws(MembershipRefusal) {
      propose(id, count: 1, try raft.membershipChange(voters: voters, learners: learners))
    } catch {
      lines.append("\(id.rawValue) refuses the change: \(error.text)")
    }
  }

  /// What each node knows.
  mutating func status() {
    for node in nodes { lines.append("\(node.id.rawValue) \(node.raft?.text ?? "is down")") }
  }
}

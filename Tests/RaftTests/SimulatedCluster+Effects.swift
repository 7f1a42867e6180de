import Bytes
import Raft

// What a node's steps do to its log, its disk and the network.

extension SimulatedCluster {
  mutating func step(
    _ position: Int, _ input: RaftInput, payload: [SimulatedEntry] = []
  ) throws(Violation) {
    var effects: [RaftEffect] = []
    let input = input.naming(payload)
    nodes[position].raft?.step(input, into: &effects)
    var hasWon = false
    for effect in effects {
      switch effect {
      case .persistHardState(let hardState):
        nodes[position].disk.append(.hardState(hardState))
      case .truncate(let from): try truncate(position, from: Int(from.rawValue), input)
      case .append(let range): try append(position, range, input, payload)
      case .send(let message, let to):
        try checkFree(message)
        try checkOffice(message, of: position)
        post(message, from: position, to: to)
      case .sendEntries(let request, let to):
        try checkOffice(.appendRequest(request), of: position)
        post(.appendRequest(request), from: position, to: to)
      case .sendAfterPersist(let message, let to):
        nodes[position].disk.append(.send(message, to: to))
      case .commit(let index): try commit(position, upTo: Int(index.rawValue))
      case .roleChanged(.leader, let term, _):
        try checkElection(position, term)
        hasWon = true
      case .roleChanged: break
      case .proposalDropped: throw Violation("a proposal to a leader was dropped")
      case .transferEnded(let succeeded): happenings.transfers += succeeded ? 1 : 0
      case .membershipChanged, .readFailed: break
      case .readReady(let context, let index): try checkRead(context, index)
      }
    }
    if let raft = nodes[position].raft {
      guard raft.last.index.rawValue == UInt64(nodes[position].entries.count) else {
        throw Violation("\(raft.id): the core's log and the caller's have different lengths")
      }
      guard raft.faults == RaftFaults() else {
        throw Violation("\(raft.id): blames a correct peer: \(raft.faults)")
      }
      nodes[position].diskCommit = Int(min(raft.commit, raft.durable).rawValue)
      if raft.distrusted == nil { nodes[position].diskDistrusted = nil }
      try checkMembership(position, raft)
    }
    if hasWon { try propose(position, 1) }
    if let due = nodes[position].raft?.membershipDue { try propose(position, 1, due) }
  }

  mutating func truncate(
    _ position: Int, from: Int, _ input: RaftInput
  ) throws(Violation) {
    guard case .receive(.appendRequest(let request), _) = input,
      from > nodes[position].commit,
      nodes[position].entries[from - 1].term
        != request.entryTerms[from - 1 - Int(request.previous.index.rawValue)]
    else { throw Violation("\(nodes[position].id): truncates without a conflict at \(from)") }
    happenings.truncations += 1
    nodes[position].entries.removeSubrange((from - 1)...)
    nodes[position].disk.append(.truncate(from: from))
  }

  mutating func append(
    _ position: Int, _ range: LogIndexRange, _ input: RaftInput, _ payload: [SimulatedEntry]
  ) throws(Violation) {
    guard case .receive(.appendRequest(let request), _) = input,
      Int(range.first.rawValue) == nodes[position].entries.count + 1,
      range.first > request.previous.index, range.last == request.lastIndex
    else { throw Violation("\(nodes[position].id): appends what was not sent: \(range)") }
    let entries = Array(payload.suffix(range.count))
    nodes[position].entries += entries
    guard let term = entries.last?.term else { throw Violation("an empty append") }
    nodes[position].disk.append(
      .write(entries, upTo: EntryID(index: range.last, term: term)))
  }

  // MARK: The network

  mutating func deliver() throws(Violation) {
    let due = packets.filter { $0.due <= now }.shuffled(using: &generator)
    packets.removeAll { $0.due <= now }
    for packet in due {
      let to = Int(packet.to.rawValue) - 1
      let from = Int(packet.from.rawValue) - 1
      guard sides[to] == sides[from], nodes[to].raft != nil else { continue }
      if packet.message.isLeaders { try catchUp(to) }
      try step(to, .receive(packet.message, from: packet.from), payload: packet.payload)
    }
  }

  mutating func post(_ message: RaftMessage, from position: Int, to: NodeID) {
    var payload: [SimulatedEntry] = []
    if case .appendRequest(let request) = message {
      let start = Int(request.previous.index.rawValue)
      payload = Array(nodes[position].entries[start..<(start + request.entryTerms.count)])
    }
    for _ in 0..<(chance(weather.repeated, of: 100) ? 2 : 1)
    where !chance(weather.lost, of: 100) {
      let due = now + Int.random(in: 1...weather.delayMax, using: &generator)
      packets.append(
        Packet(due: due, from: nodes[position].id, to: to, message: message, payload: payload))
    }
  }

  // MARK: The disk

  /// Does some of what waits for the disk of a node.
  mutating func work(_ position: Int) throws(Violation) {
    guard nodes[position].raft != nil, chance(weather.diskWorks, of: 100) else { return }
    var count = Int.random(in: 1...max(1, nodes[position].disk.count), using: &generator)
    while count > 0, let task = nodes[position].disk.first {
      count -= 1
      nodes[position].disk.removeFirst()
      switch task {
      case .hardState(let hardState): nodes[position].diskHardState = hardState
      case .truncate(let from): nodes[position].diskEntries.removeSubrange((from - 1)...)
      case .write(let entries, let last):
        nodes[position].diskEntries += entries
        try step(position, .persisted(last))
        try checkDurable(position)
      case .send(let message, let to):
        try checkPromise(message, of: position, to: to)
        post(message, from: position, to: to)
      }
    }
  }
}

extension RaftMessage {
  /// Whether it makes its receiver follow, and so begins a lease.
  fileprivate var isLeaders: Bool {
    switch self {
    case .appendRequest, .heartbeatRequest, .timeoutNow: true
    case .preVoteRequest, .preVoteResponse, .voteRequest, .voteResponse, .appendResponse,
      .heartbeatResponse, .readRequest, .readResponse:
      false
    }
  }
}

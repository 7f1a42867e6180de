import Bytes
import Raft

/// What the random test found broken.
struct Violation: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// An entry with the payload that only the caller of the core holds.
struct SimulatedEntry: Hashable {
  var term: Term
  var value: UInt64
  /// What the entry says about who takes part.
  var membership: Membership?
}

/// What waits for a node's disk, first in, first out.
enum DiskTask {
  case hardState(HardState)
  case truncate(from: Int)
  case write([SimulatedEntry], upTo: EntryID)
  case send(RaftMessage, to: NodeID)
}

/// One node: the core, what its memory holds, what its disk holds, and what is between them.
struct SimulatedNode {
  let id: NodeID
  /// Nil while it is down.
  var raft: RaftNode?
  /// The log in memory; lost in a crash.
  var entries: [SimulatedEntry] = []
  /// What a crash leaves.
  var diskHardState = HardState.initial
  var diskEntries: [SimulatedEntry] = []
  /// The lower of commit and durable, as last noted.
  var diskCommit = 0
  /// The term up to which the disk lost what the node had acknowledged.
  var diskDistrusted: Term?
  /// Ticks that the node slept through.
  var ticksOverdue = 0
  var disk: [DiskTask] = []
  var commit = 0
}

/// A message on its way.
struct Packet {
  var due: Int
  var from: NodeID
  var to: NodeID
  var message: RaftMessage
  /// The entries of an append request.
  var payload: [SimulatedEntry]
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

/// How bad the weather is.
struct Weather {
  /// Of 100 messages.
  var lost = 0
  /// Of 100 messages.
  var repeated = 0
  /// Ticks a message takes, at most.
  var delayMax = 1
  /// Of 1000 ticks.
  var disturbances = 0
  /// Of 100 ticks a disk works.
  var diskWorks = 100
  /// Of 100 ticks a leader gets proposals.
  var proposals = 20
  /// Of 100 ticks a node gets a read.
  var reads = 20
  /// Of 100 ticks a leader is asked for other members.
  var changes = 2

  /// A seed's own mix.
  static func random(_ generator: inout SeededGenerator) -> Weather {
    Weather(
      lost: Int.random(in: 0...25, using: &generator),
      repeated: Int.random(in: 0...25, using: &generator),
      delayMax: Int.random(in: 1...5, using: &generator),
      disturbances: Int.random(in: 30...150, using: &generator),
      diskWorks: Int.random(in: 20...100, using: &generator),
      proposals: Int.random(in: 2...40, using: &generator))
  }
}

/// What happened in all runs, to tell that the test tested something.
struct Happenings {
  var leaders = 0
  var truncations = 0
  var crashes = 0
  var commits = 0
  var transfers = 0
  var refusals = 0
  var changes = 0
  var removals = 0
  var reads = 0
  var losses = 0
}

/// A whole cluster in one process, from one seed, with the properties of Raft figure 3 checked at
/// every effect.
struct SimulatedCluster {
  var generator: SeededGenerator
  var nodes: [SimulatedNode]
  var packets: [Packet] = []
  var now = 0
  var weather: Weather
  /// Nodes of different sides do not hear each other.
  var sides: [Int]
  /// Most entries in one append: few make a new leader send old entries without its own.
  let entriesMax: Int
  var happenings = Happenings()
  /// Whether leaders get proposals.
  var hasClients = true
  private let initial: Membership
  private let leaseTicks: Int
  private var nextValue: UInt64 = 1
  /// What was committed when a read began, by context.
  private var reads: [UInt64: Int] = [:]
  /// The one leader of each term.
  private var leaders: [Term: NodeID] = [:]
  /// The one vote of each node in each term, as it left the node.
  private var votes: [Term: [NodeID: NodeID]] = [:]
  /// The history: what was committed, and in which term it first was.
  private(set) var committed: [(entry: SimulatedEntry, term: Term)] = []

  /// `count` voters at first, and `spare` nodes that may be added.
  init(count: Int, spare: Int = 0, seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    weather = .random(&generator)
    entriesMax = Int.random(in: 1...4, using: &generator)
    leaseTicks = Bool.random(using: &generator) ? 5 : 0
    initial = .voters(UInt16(count))
    sides = [Int](repeating: 0, count: count + spare)
    nodes = (1...count + spare).map { SimulatedNode(id: NodeID(UInt16($0))) }
    for position in nodes.indices { start(position) }
  }

  // MARK: Running

  /// `count` ticks.
  mutating func run(ticks count: Int) throws(Violation) {
    for _ in 0..<count {
      now += 1
      if chance(weather.disturbances, of: 1000) { try disturb() }
      try deliver()
      for position in nodes.indices.shuffled(using: &generator) {
        try work(position)
        guard nodes[position].raft != nil else { continue }
        try tick(position)
        if hasClients && chance(weather.reads, of: 100) { try read(position) }
        let isLeading = nodes[position].raft?.role == .leader
        if hasClients && isLeading && chance(weather.changes, of: 100) {
          try changeMembers(position)
        }
        if hasClients && isLeading && chance(weather.proposals, of: 100) {
          try propose(position, Int.random(in: 1...6, using: &generator))
        }
      }
      if now % 100 == 0 { try checkLogs() }
    }
    try checkLogs()
  }

  /// Ends all disturbances and starts all nodes.
  mutating func heal() {
    weather = Weather()
    sides = [Int](repeating: 0, count: nodes.count)
    for position in nodes.indices where nodes[position].raft == nil { start(position) }
  }

  private mutating func disturb() throws(Violation) {
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

  /// No two clocks run alike, and some stop for a while; what was slept through is made up for.
  private mutating func tick(_ position: Int) throws(Violation) {
    guard !chance(10, of: 100) else {
      nodes[position].ticksOverdue += 1
      return
    }
    nodes[position].ticksOverdue += 1
    try catchUp(position)
  }

  private mutating func catchUp(_ position: Int) throws(Violation) {
    let count = nodes[position].ticksOverdue
    nodes[position].ticksOverdue = 0
    for _ in 0..<count { try step(position, .tick) }
  }

  private mutating func start(_ position: Int) {
    let node = nodes[position]
    var log = RaftLogTerms()
    var memberships = MembershipLog(
      initial: initial.members.contains(node.id) ? initial : .none)
    for entry in node.diskEntries {
      log.append(term: entry.term, count: 1)
      if let membership = entry.membership {
        memberships.append(MembershipEntry(index: log.last.index, membership: membership))
      }
    }
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

  /// A crash after which the disk lacks entries that the node had acknowledged. Raft survives that
  /// on one node at a time, once the node says so.
  private mutating func loseTail(_ position: Int) throws(Violation) {
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

  /// A leader makes some nodes voters, some learners, and some neither.
  private mutating func changeMembers(_ position: Int) throws(Violation) {
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

  private mutating func read(_ position: Int) throws(Violation) {
    nextValue += 1
    reads[nextValue] = committed.count
    try step(
      position, .read(context: nextValue, ticksOverdue: nodes[position].ticksOverdue))
  }

  /// Stops a node: what its disk has not done by now is lost, in the middle of a write too.
  private mutating func crash(_ position: Int) throws(Violation) {
    guard nodes[position].raft != nil else { return }
    happenings.crashes += 1
    if case .write(let entries, _) = nodes[position].disk.first {
      let kept = Int.random(in: 0...entries.count, using: &generator)
      nodes[position].diskEntries += entries.prefix(kept)
    }
    nodes[position].disk = []
    nodes[position].raft = nil
  }

  // MARK: The network

  private mutating func deliver() throws(Violation) {
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

  private mutating func post(_ message: RaftMessage, from position: Int, to: NodeID) {
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
  private mutating func work(_ position: Int) throws(Violation) {
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

  private mutating func propose(
    _ position: Int, _ count: Int, _ membership: Membership? = nil
  ) throws(Violation) {
    guard let raft = nodes[position].raft else { return }
    guard raft.role == .leader && !raft.isTransferring else { return }
    let entries = (0..<count).map { offset in
      SimulatedEntry(term: raft.term, value: nextValue + UInt64(offset), membership: membership)
    }
    nextValue += UInt64(count)
    let last = EntryID(
      index: LogIndex(UInt64(nodes[position].entries.count + count)), term: raft.term)
    nodes[position].entries += entries
    nodes[position].disk.append(.write(entries, upTo: last))
    try step(position, membership.map { .proposeMembership($0) } ?? .propose(count: count))
  }

  // MARK: Steps and their effects

  private mutating func step(
    _ position: Int, _ input: RaftInput, payload: [SimulatedEntry] = []
  ) throws(Violation) {
    var effects: [RaftEffect] = []
    var input = input
    if case .receive(.appendRequest(var request), let sender) = input {
      for (offset, entry) in payload.enumerated() {
        guard let membership = entry.membership else { continue }
        let index = LogIndex(request.previous.index.rawValue + UInt64(offset) + 1)
        request.memberships.append(MembershipEntry(index: index, membership: membership))
      }
      input = .receive(.appendRequest(request), from: sender)
    }
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

  private mutating func truncate(
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

  private mutating func append(
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

  private mutating func chance(_ count: Int, of all: Int) -> Bool {
    Int.random(in: 0..<all, using: &generator) < count
  }
}

// MARK: What must hold (Raft figure 3)

extension SimulatedCluster {
  /// Election safety and leader completeness.
  private mutating func checkElection(_ position: Int, _ term: Term) throws(Violation) {
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
  private mutating func commit(_ position: Int, upTo index: Int) throws(Violation) {
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
  private mutating func checkRead(_ context: UInt64, _ index: LogIndex) throws(Violation) {
    guard let before = reads[context] else { throw Violation("nobody asked \(context)") }
    guard index.rawValue >= UInt64(before) else {
      throw Violation("a read sees \(index) where \(before) was committed before it began")
    }
    happenings.reads += 1
  }

  /// The configuration in use is the last one in the log.
  private func checkMembership(_ position: Int, _ raft: RaftNode) throws(Violation) {
    let initial = initial.members.contains(raft.id) ? initial : .none
    let last = nodes[position].entries.last { $0.membership != nil }?.membership ?? initial
    guard raft.membership == last else {
      throw Violation("\(raft.id): counts by \(raft.membership) where the log says \(last)")
    }
  }

  /// A node's promise is on its disk when it leaves.
  private mutating func checkPromise(
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
  private mutating func note(
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
  private mutating func checkFree(_ message: RaftMessage) throws(Violation) {
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
  private func checkOffice(_ message: RaftMessage, of position: Int) throws(Violation) {
    switch message {
    case .heartbeatRequest, .appendRequest:
      guard nodes[position].diskHardState.term >= message.term else {
        throw Violation("\(nodes[position].id): leads \(message.term) before that is durable")
      }
    default: break
    }
  }

  /// What the core takes for durable is.
  private func checkDurable(_ position: Int) throws(Violation) {
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
  private func checkLogs() throws(Violation) {
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

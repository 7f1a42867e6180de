import Bytes
import Raft

/// What the random test found broken.
struct Violation: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
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
  let initial: Membership
  let leaseTicks: Int
  var nextValue: UInt64 = 1
  /// What was committed when a read began, by context.
  var reads: [UInt64: Int] = [:]
  /// The one leader of each term.
  var leaders: [Term: NodeID] = [:]
  /// The one vote of each node in each term, as it left the node.
  var votes: [Term: [NodeID: NodeID]] = [:]
  /// The history: what was committed, and in which term it first was.
  var committed: [(entry: SimulatedEntry, term: Term)] = []

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

  /// No two clocks run alike, and some stop for a while; what was slept through is made up for.
  mutating func tick(_ position: Int) throws(Violation) {
    guard !chance(10, of: 100) else {
      nodes[position].ticksOverdue += 1
      return
    }
    nodes[position].ticksOverdue += 1
    try catchUp(position)
  }

  mutating func catchUp(_ position: Int) throws(Violation) {
    let count = nodes[position].ticksOverdue
    nodes[position].ticksOverdue = 0
    for _ in 0..<count { try step(position, .tick) }
  }

  mutating func read(_ position: Int) throws(Violation) {
    nextValue += 1
    reads[nextValue] = committed.count
    try step(
      position, .read(context: nextValue, ticksOverdue: nodes[position].ticksOverdue))
  }

  /// A client of a leader.
  mutating func propose(
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

  mutating func chance(_ count: Int, of all: Int) -> Bool {
    Int.random(in: 0..<all, using: &generator) < count
  }
}

import Audit
import Bytes
import ClockSync
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// A whole cluster in one thread, from one seed: real nodes over simulated disks, clocks, network and
/// clients, with every checker on.
///
/// Nothing in it reads a real clock, a real file, the global generator, or the order of a hash table:
/// the same options give the same world, event by event.
package final class World {
  /// What the seed decided.
  package let options: SimulationOptions
  /// True time since the world's start, nanoseconds.
  var now: Int64 = 0
  private var queue = EventQueue<WorldEvent>()
  let hosts: [SimulatedHost]
  var network: SimulatedNetwork
  let servers: [TimeServer]
  var workload: Workload
  var trace: Trace
  var statistics = SimulationStatistics()
  var checks = Checks()
  /// The first property that did not hold: the world ends.
  private(set) var violation: Violation?
  /// Whether faults and clients are over.
  var isSettling = false
  /// Whether the cluster has come to rest after the faults.
  var isSettled = false
  var faultRandom: SeededGenerator
  var clockRandom: SeededGenerator
  var nodeRandom: SeededGenerator
  var opener = BatchOpener()
  /// Answers given in the call under way, to be compared with the log after it.
  var answersToCheck: [(call: Int, result: PaymentResult)] = []
  /// When each event was first known as committed, nanoseconds, by sequence; the first is nobody's.
  var commitTimes: [Int64] = [-1]
  /// Names what operators asked.
  var operatorRequestCount: UInt64 = 0
  /// Who takes part, and what has become of those that did.
  var roll: MemberRoll
  /// Linearizable reads, and those whose answer was just granted.
  var reads = ReadHistory()
  /// The operation that must succeed after the faults.
  var probe = 0

  /// A world at its beginning.
  package init(_ options: SimulationOptions, keepsTrace: Bool = false) {
    self.options = options
    trace = Trace(isKept: keepsTrace)
    var clocks = SeededGenerator(seed: options.seed, concern: .clock)
    var disks = SeededGenerator(seed: options.seed, concern: .disk)
    let first = (1...UInt16(options.nodeCount)).map { MemberRoll.member(NodeID($0)) }
    roll = MemberRoll(first)
    hosts = (0..<options.nodeCount + options.spareCount).map { place in
      SimulatedHost(
        place: place, id: place < first.count ? first[place].id : NodeID(0),
        clock: SimulatedClock(options.clock, canary: options.canary, &clocks),
        options: options.node, diskSeed: disks.next())
    }
    servers = (0..<options.clock.serverCount).map { number in
      TimeServer(
        isFalse: number < options.clock.falseServerCount,
        declaredError: options.clock.serverErrorNanoseconds,
        latencyMax: options.clock.serverLatencyMax, &clocks)
    }
    for host in hosts {
      host.isSpare = host.place >= first.count
      host.configured = first
    }
    network = SimulatedNetwork(
      count: hosts.count, options: options.network, seed: options.seed)
    workload = Workload(options.workload, seed: options.seed)
    faultRandom = SeededGenerator(seed: options.seed, concern: .faults)
    nodeRandom = SeededGenerator(seed: options.seed, concern: .nodes)
    clockRandom = clocks
    if options.canary == .fsyncSkipped {
      for host in hosts { host.disk.faults.ignoresSync = true }
    }
  }

  /// Runs the world to its end.
  package func run() -> SimulationResult {
    begin()
    while violation == nil, !isSettled, let (time, event) = queue.pop() {
      now = time
      dispatch(event)
    }
    if violation == nil { check { () throws(Violation) in try checkEnd() } }
    statistics.virtualNanoseconds = now
    statistics.operationCount = workload.operations.count
    statistics.messageCount = network.sentCount
    statistics.diskFaultHits = hosts.reduce(0) { $0 + $1.disk.hitCount }
    let result = SimulationResult(
      options: options, violation: violation, traceHash: trace.hash, trace: trace.lines,
      statistics: statistics, files: violation == nil ? [] : files())
    // A process knows its host: the memory of thousands of worlds would stay.
    for host in hosts {
      host.process = nil
      host.repair = nil
    }
    return result
  }

  /// Enters an event `delay` nanoseconds from now.
  func schedule(_ event: WorldEvent, in delay: Int64) {
    queue.push(event, at: now + max(delay, 0))
  }

  /// Runs a check; the first that fails ends the world.
  func check(_ body: () throws(Violation) -> Void) {
    guard violation == nil else { return }
    do throws(Violation) {
      try body()
    } catch {
      violation = error
      trace.note(now, "VIOLATION \(error)")
    }
  }

  private func begin() {
    for host in hosts where !host.isSpare {
      schedule(.start(host.place), in: faultRandom.span(0...200 * Span.millisecond))
    }
    for one in hosts.indices {
      for other in hosts.indices where one < other { schedule(.dial(one, other), in: 0) }
    }
    for client in 0..<options.workload.clientCount {
      schedule(.begin(client: client), in: workload.thinkTime())
    }
    planFaults()
    schedule(.silenceCheck, in: Self.silenceCheckInterval)
    schedule(.activeEnds, in: options.activeNanoseconds)
  }

  static let silenceCheckInterval = 500 * Span.millisecond

  private func dispatch(_ event: WorldEvent) {
    if let place = event.addressee {
      if hosts[place].pausedUntil > now {
        queue.push(event, at: hosts[place].pausedUntil)
        return
      }
      trace.mix(UInt64(place))
    }
    trace.mix(UInt64(bitPattern: now) ^ event.kind << 56)
    statistics.eventCount += 1
    handle(event)
  }

  private func handle(_ event: WorldEvent) {
    switch event {
    case .tick(let place, let life): tick(hosts[place], life)
    case .pump(let place, let life): pump(hosts[place], life)
    case .stored(let place, let life): finishStorage(hosts[place], life)
    case .readDone(let place, let life, let request, let peer):
      finishRead(request, for: peer, at: hosts[place], life)
    case .rangeRead(let place, let life, let range, let peer):
      finishRead(range, for: peer, at: hosts[place], life)
    case .repairTick(let place, let life): tickRepair(hosts[place], life)
    case .snapshotDue(let place, let life): finishSnapshot(hosts[place], life)
    case .scrubTick(let place, let life): tickScrub(hosts[place], life)
    case .scrubDue(let place, let life): finishScrub(hosts[place], life)
    case .frame(let frame, let life): deliver(frame, life)
    case .dial(let one, let other): dial(one, other)
    case .connected(let one, let other, let connection, let lives):
      connect(one, other, connection, lives)
    case .closed(let owner, let peer, let connection): close(owner, peer, connection)
    case .peerNotice(let owner, let life, let notice): notify(hosts[owner], life, notice)
    case .silenceCheck: checkSilence()
    case .serverAsked(let server, let datagram, let place, let life):
      answerFromServer(server, datagram, place, life)
    case .serverAnswered(let server, let datagram, let place, let life):
      act(hosts[place], life) { node, time in
        node.timeServerAnswered(UInt16(server), datagram: datagram, at: time)
      }
    case .start(let place): start(hosts[place])
    case .fault(let kind): strike(kind)
    case .faultEnds(let end): endFault(end)
    case .flap(let links, let span): flap(links, span)
    case .strikeLeader(let place, let life): strikeLeader(hosts[place], life)
    case .begin(let client): beginOperation(client)
    case .call(let call): deliverCall(call)
    case .lookup(let place, let operation): lookUp(operation, at: hosts[place])
    case .answer(let call): takeAnswer(call)
    case .read(let read): deliverRead(read)
    case .readResult(let read): reads.finish(read, now: now)
    case .outOfPatience(let operation, let attempt): loseItsPatience(operation, attempt)
    case .activeEnds: beginSettling()
    case .settleCheck: checkSettled()
    }
  }
}

package import Bytes
import DequeModule
package import HybridTime
package import Ledger
package import Raft
import SegmentLog

/// One node's decisions, pure: consensus, hybrid time, the ledger, and the payments taken in here.
///
/// Inputs go into ``step(_:reading:into:)``, effects come out. After a group of inputs,
/// ``flush(reading:into:)`` closes batches and forwards payments: what came in together travels,
/// is hashed and is synced together.
///
/// A batch is applied when it is committed *and* durable here, so a payment that this node has
/// answered can be read from this node's own segments.
package struct Replica: ~Copyable {
  /// What the replica was told at its start.
  package let configuration: ReplicaConfiguration
  /// Consensus.
  package internal(set) var raft: RaftNode
  /// The ledger and how far it has come.
  package internal(set) var state: AppliedState
  /// Payments of this node's clients.
  var ingress = Ingress()
  /// Linearizable reads of this node's clients.
  var reads: LinearizableReads
  /// Requests of operators.
  var desk: OperatorDesk
  /// Who takes part, with addresses.
  var changes: MemberChanges
  /// The numbers of the data directories of the peers that were heard.
  var stores: [NodeID: UInt64] = [:]
  /// Compares this node's ledger with the others'.
  var digests = DigestWatch()
  /// Batches in memory.
  var entries: EntryCache
  /// This node's hybrid clock.
  var hybrid: HybridClock
  /// Records to be logged, when this node leads.
  var openBatches: Deque<OpenBatch> = []
  /// What this node would not log, as a leader.
  var refusedStamps = RefusedStamps()
  /// Compresses and hashes.
  var builder: BatchBuilder
  /// The interval of remembered places that storage was told last, bytes; 0: none.
  var indexByteCount = 0
  /// How hard it does.
  var compressionLevel: Int
  /// The sequence of the next event after the log's last.
  var nextSequence: EventSequence
  /// Ticks since the start.
  var tick = 0
  /// The tick since which no leader has been known, or nil while one is.
  var leaderlessSince: Int?
  /// The term in which an entry of that very term has been applied: only then does this node know
  /// what became of all that earlier leaders logged, and sends what is still pending.
  var settledTerm = Term.zero
  /// The last batch of this log that holds events.
  var lastEventful = LogIndex.zero
  /// The tick at which this node last appended anything.
  var appendedTick = 0
  /// Up to where the hard state on disk says that nothing may ever be cut.
  var recordedCommit = LogIndex.zero
  /// Whether it says that the log may lack acknowledged batches at its end.
  var hasStoredSuspicion: Bool
  /// Other nodes' stamps that this leader has refused, since the start.
  package internal(set) var stampRefusals: [NodeID: StampRefusals] = [:]
  /// Whether the node is about to stop.
  package internal(set) var isDraining = false
  /// Whether its disk is short of room.
  package private(set) var isDiskShort = false
  /// When a leader whose disk is short next hands over, and how often it has tried.
  private var nextHandover = (tick: 0, number: 0)
  /// Clock reports of this node that wait for a leader. They may be lost; payments may not.
  var reports: [(record: [UInt8], stamp: Stamp)] = []
  var raftEffects: [RaftEffect] = []

  /// A replica from what was rebuilt from its segments, all of which is durable.
  ///
  /// `distrusted`: see ``Raft/RaftNode/init(configuration:hardState:log:commit:memberships:distrusted:random:)``.
  package init(
    configuration: ReplicaConfiguration, recovery: consuming ReplicaRecovery,
    hardState: Raft.HardState, distrusted: Term? = nil, seed: UInt64
  ) {
    hasStoredSuspicion = distrusted != nil
    self.configuration = configuration
    raft = RaftNode(
      configuration: configuration.raft, hardState: hardState, log: recovery.terms,
      commit: recovery.applied.index, memberships: recovery.memberships,
      distrusted: distrusted, random: seed)
    changes = recovery.changes
    var generator = SeededGenerator(seed: seed)
    reads = LinearizableReads(firstContext: generator.next())
    desk = OperatorDesk(firstContext: generator.next())
    hybrid = HybridClock(
      after: recovery.hybridLast, aheadNanosecondsMax: configuration.hybridAheadNanosecondsMax)
    nextSequence = recovery.nextSequence
    entries = recovery.entries
    lastEventful = recovery.lastEventful
    recordedCommit = recovery.applied.index
    compressionLevel = configuration.compressionLevel
    builder = BatchBuilder(compressionLevel: compressionLevel)
    state = recovery.takeState()
    if configuration.store != 0 { stores[configuration.raft.id] = configuration.store }
    leaderlessSince = 0
  }

  /// This node.
  package var id: NodeID { configuration.raft.id }

  /// How far this node's log has come.
  package var position: LogPosition {
    LogPosition(
      arrived: raft.last.index, arrivedTerm: raft.last.term, durable: raft.durable,
      committed: raft.commit, applied: state.last.index)
  }

  /// How many payments wait for their answer here.
  package var pendingCount: Int { ingress.count }

  /// Whether a submitted payment of that id waits for its answer here.
  package func isPending(_ id: TransactionID) -> Bool { ingress[id] != nil }

  /// Calls `body` with the ledger; it must not apply anything.
  package mutating func withLedger<R>(_ body: (inout LedgerState) -> R) -> R {
    body(&state.ledger)
  }

  /// Feeds one input in. `reading` is this node's clock now.
  package mutating func step(
    _ input: ReplicaInput, reading: ClockReading, into effects: inout [ReplicaEffect]
  ) {
    switch input {
    case .tick:
      tick += 1
      raft.step(.tick, into: &raftEffects)
      // A tick can make a lone voter the leader: its new term goes to the disk before any batch of it.
      carryOut(batches: [], firstIndex: .zero, reading: reading, into: &effects)
      handOverForWantOfRoom()
      expire(into: &effects)
      expireReads(into: &effects)
      expireOperators(into: &effects)
      reportDigest(into: &effects)
      vouchForCommit(reading: reading, into: &effects)
      recordCommit(into: &effects)
    case .submit(let submissions):
      for submission in submissions { submit(submission, into: &effects) }
    case .administer(let request, let token):
      administer(request, token: token, reading: reading, into: &effects)
    case .read(let token): read(token: token, into: &effects)
    case .report(let drift, let sources):
      report(driftPartsPerBillion: drift, sources: sources, reading: reading)
    case .beacon: beacon(reading: reading)
    case .receive(let message, let peer):
      receive(message, from: peer, reading: reading, into: &effects)
    case .persisted(let entry): raft.step(.persisted(entry), into: &raftEffects)
    case .peerConnected(let peer, let store):
      if store != 0 { stores[peer] = store }
      if peer == raft.leader { ingress.resendAll() }
    case .peerLost(let peer): raft.step(.unreachable(peer), into: &raftEffects)
    case .diskRoom(let isShort): setDiskShort(isShort)
    case .drain: drain()
    }
    carryOut(batches: [], firstIndex: .zero, reading: reading, into: &effects)
  }

  /// Ends a group of inputs: gives pending payments to the leader, or, as the leader, closes
  /// batches as far as the pipeline has room.
  ///
  /// `ticksOverdue`: ticks that have passed on this host's monotonic clock and were not yet fed in.
  package mutating func flush(
    reading: ClockReading, ticksOverdue: Int = 0, into effects: inout [ReplicaEffect]
  ) {
    askForReads(ticksOverdue: ticksOverdue)
    if isRouteKnown {
      if raft.role == .leader { takeOwnPayments() } else { forward(into: &effects) }
    }
    continueChanges(reading: reading, into: &effects)
    closeBatches(reading: reading, into: &effects)
    carryOut(batches: [], firstIndex: .zero, reading: reading, into: &effects)
  }

  /// Whether it is known who leads and what became of everything logged before.
  var isRouteKnown: Bool { raft.leader != nil && settledTerm == raft.term }

  private mutating func setDiskShort(_ isShort: Bool) {
    if isShort, !isDiskShort { nextHandover.tick = tick }
    isDiskShort = isShort
    handOverForWantOfRoom()
  }

  /// A leader whose disk is short passes its office on: somebody else may have room. Nobody knows who,
  /// so it goes round, from each to the next one, and to another one each time: it comes to all.
  private mutating func handOverForWantOfRoom() {
    guard isDiskShort, raft.role == .leader, !raft.isTransferring, tick >= nextHandover.tick
    else { return }
    let voters = raft.membership.voters
    let round = voters.filter { $0 > id } + voters.filter { $0 < id }
    guard !round.isEmpty else { return }
    let target = round[nextHandover.number % round.count]
    nextHandover = (
      tick + Self.handoverWaits * configuration.raft.electionTicksMax, nextHandover.number + 1
    )
    raft.step(.transferLeadership(to: target), into: &raftEffects)
  }

  /// Longest election timeouts between two handovers of a leader without room.
  private static let handoverWaits = 10

  private mutating func drain() {
    isDraining = true
    if raft.role == .leader { raft.step(.transferLeadership(to: nil), into: &raftEffects) }
  }

  private mutating func receive(
    _ message: PeerMessage, from peer: NodeID, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    switch message {
    case .raft(let raftMessage):
      raft.step(.receive(raftMessage, from: peer), into: &raftEffects)
    case .append(var request, let batches):
      guard chainHolds(request, batches, from: peer, into: &effects) else { return }
      for batch in batches where batch.header.changesMembers {
        guard let change = batch.membershipChange else {
          effects.append(.note(.peerRefused(peer, reason: "malformed members in a batch")))
          return
        }
        request.memberships.append(
          MembershipEntry(index: batch.index, membership: change.membership))
      }
      raft.step(.receive(.appendRequest(request), from: peer), into: &raftEffects)
      carryOut(
        batches: batches[...], firstIndex: request.previous.index.next, reading: reading,
        into: &effects)
    case .forward(let events): take(events, from: peer, reading: reading, into: &effects)
    case .forwardRefused(let refusal): refuse(refusal, into: &effects)
    case .operatorRequest(let context, let request):
      administer(request, context: context, from: peer, reading: reading, into: &effects)
    case .operatorResponse(let context, let result):
      receive(result, context: context, into: &effects)
    case .digest(let index, let digest):
      digests.hear(digest, at: index, from: peer)
      judgeDigests(into: &effects)
    case .storeRefused: effects.append(.note(.storeRefused(by: peer)))
    case .clockRequest, .clockResponse, .batchesRequest, .batches, .checkpoint:
      preconditionFailure("the runtime answers these messages")
    }
  }
}

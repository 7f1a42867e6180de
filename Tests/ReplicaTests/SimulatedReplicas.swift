// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HybridTime
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

/// A cluster of real replicas in one process: messages go through their real bytes, disks are
/// lists of batches that a crash cuts back to what was durable, time is a counter.
final class SimulatedReplicas {
  struct Disk {
    var written: [Batch] = []
    /// How many of `written` are durable.
    var durable = 0
    var hardState = Raft.HardState.initial
    /// What the hard state says is committed.
    var committed = LogIndex.zero
    var queue: [Item] = []
    var seals: [SegmentSeal] = []
  }

  enum Item {
    case command(StorageCommand)
    case release(PeerMessage, to: NodeID)
  }

  /// Owns a replica, which cannot be copied into an array.
  final class Box {
    var replica: Replica
    init(_ replica: consuming Replica) { self.replica = replica }
  }

  struct Envelope {
    let from: NodeID
    let to: NodeID
    let bytes: [UInt8]
    let due: Int
  }

  let ids: [NodeID]
  var boxes: [NodeID: Box] = [:]
  var disks: [NodeID: Disk] = [:]
  var envelopes: [Envelope] = []
  var generator: SeededGenerator
  var now = 0
  var settled: [UInt64: PaymentResult] = [:]
  var readAnswers: [UInt64: ReadResult] = [:]
  var operatorAnswers: [UInt64: OperatorResult] = [:]
  /// Whom each node talks to.
  var reachable: [NodeID: [NodeID]] = [:]
  var notes: [ReplicaNote] = []
  var checkpoints: [NodeID: [LogCheckpoint]] = [:]
  var halts: [String] = []
  var lossPercent = 0
  var repeatPercent = 0
  /// Whether answers to operators of other nodes never arrive.
  var losesOperatorAnswers = false
  var severed: Set<[NodeID]> = []
  var adjust: (inout ReplicaConfiguration) -> Void
  private var nextToken: UInt64 = 0
  private var opener = BatchOpener()
  /// Per node: its clock's error, nanoseconds.
  var clockErrors: [NodeID: Int64] = [:]

  /// The voters at first; the other nodes wait to be added.
  let initial: [NodeID]

  init(
    count: Int, spare: Int = 0, seed: UInt64,
    adjust: @escaping (inout ReplicaConfiguration) -> Void = { _ in }
  ) {
    ids = (1...UInt16(count + spare)).map { NodeID($0) }
    initial = Array(ids.prefix(count))
    generator = SeededGenerator(seed: seed)
    self.adjust = adjust
    for id in ids {
      disks[id] = Disk()
      start(id)
    }
  }

  func configuration(_ id: NodeID) -> ReplicaConfiguration {
    var configuration = ReplicaConfiguration(
      cluster: ClusterID(name: "test"),
      raft: RaftConfiguration(
        id: id, initial: initial.contains(id) ? Membership(voters: initial) : .none,
        heartbeatTicks: 5, electionTicksMin: 30, electionTicksMax: 60, inFlightMessagesMax: 16,
        entriesPerMessageMax: 64))
    adjust(&configuration)
    return configuration
  }

  func start(_ id: NodeID) {
    let disk = disks[id]!
    let committed = Int(disk.committed.rawValue)
    var recovery = ReplicaRecovery(
      configuration: configuration(id), knownCommitted: disk.committed, ledger: LedgerState())
    for batch in disk.written.prefix(committed) { try! recovery.restore(batch) }
    // Half of the restarts go on from a snapshot, through its bytes.
    if committed > 0, Bool.random(using: &generator) {
      recovery = throughSnapshot(recovery, configuration(id))
    }
    for batch in disk.written.dropFirst(committed) { try! recovery.restore(batch) }
    boxes[id] = Box(
      Replica(
        configuration: configuration(id), recovery: recovery, hardState: disks[id]!.hardState,
        seed: generator.next()))
  }

  private func throughSnapshot(
    _ recovery: consuming ReplicaRecovery, _ configuration: ReplicaConfiguration
  ) -> ReplicaRecovery {
    var writer = ByteWriter()
    recovery.point!.encode(into: &writer)
    var pieces: [[UInt8]] = []
    recovery.writeLedger { piece in pieces.append(piece.withUnsafeBytes { [UInt8]($0) }) }
    var loader = LedgerLoader(byteCount: UInt64(pieces.reduce(0) { $0 + $1.count }))
    for piece in pieces { try! loader.take(piece.span.bytes) }
    let bytes = writer.bytes
    let point = try! RecoveryPoint(bytes.span.bytes, opener: &opener)
    return ReplicaRecovery(
      configuration: configuration, knownCommitted: point.applied.index, point: point,
      ledger: try! loader.finish())
  }

  /// Ends a node as SIGKILL and a power cut do: what was not durable may be gone.
  func crash(_ id: NodeID) {
    boxes[id] = nil
    disks[id]!.queue = []
    let disk = disks[id]!
    let kept = Int.random(
      in: disk.durable...max(disk.durable, disk.written.count), using: &generator)
    disks[id]!.written = Array(disk.written.prefix(kept))
    disks[id]!.durable = kept
  }

  func reading(_ id: NodeID) -> ClockReading {
    ClockReading(
      rawNanoseconds: 1_800_000_000_000_000_000 + Int64(now) * 10_000_000,
      correctionNanoseconds: clockErrors[id] ?? 0, boundNanoseconds: 1_000_000, epoch: 1,
      status: .synchronized, reference: .cluster)
  }

  @discardableResult
  func submit(_ draft: PaymentDraft, at id: NodeID) -> UInt64 {
    nextToken += 1
    guard boxes[id] != nil else { return nextToken }
    let submission = Submission(token: nextToken, draft: draft, reading: reading(id))
    feed(.submit([submission]), to: id)
    return nextToken
  }

  /// Asks a node as an operator does, and runs until it answers.
  func administer(_ request: OperatorRequest, at id: NodeID) -> OperatorResult? {
    nextToken += 1
    let token = nextToken
    feed(.administer(request, token: token), to: id)
    for _ in 0..<1200 where operatorAnswers[token] == nil { tick() }
    return operatorAnswers[token]
  }

  func read(at id: NodeID) -> UInt64 {
    nextToken += 1
    feed(.read(token: nextToken), to: id)
    return nextToken
  }

  func feed(_ input: ReplicaInput, to id: NodeID) {
    guard let box = boxes[id] else { return }
    var effects: [ReplicaEffect] = []
    box.replica.step(input, reading: reading(id), into: &effects)
    box.replica.flush(reading: reading(id), into: &effects)
    for effect in effects { carryOut(effect, id) }
  }

  private func carryOut(_ effect: ReplicaEffect, _ id: NodeID) {
    switch effect {
    case .store(let command): disks[id]!.queue.append(.command(command))
    case .sendAfterStore(let message, let to):
      disks[id]!.queue.append(.release(message, to: to))
    case .send(let message, let to): send(message, from: id, to: to)
    case .readAndSend(let request, let to):
      let first = Int(request.previous.index.rawValue)
      let batches = Array(
        disks[id]!.written.dropFirst(first).prefix(request.entryTerms.count))
      guard zip(batches, request.entryTerms).allSatisfy({ $0.term == $1 }) else { return }
      for part in AppendParts(request: request, batches: batches) {
        send(.append(part.request, batches: part.batches), from: id, to: to)
      }
    case .settle(let settlement): settled[settlement.token] = settlement.result
    case .answerOperator(let answer): operatorAnswers[answer.token] = answer.result
    case .membersChanged(let members): reachable[id] = members.map(\.id)
    case .answerRead(let answer): readAnswers[answer.token] = answer.result
    case .checkpoint(let checkpoint, _): checkpoints[id, default: []].append(checkpoint)
    case .note(let note): notes.append(note)
    case .suspect(let segment): halts.append("segment \(segment.rawValue) is suspect")
    case .halt(let reason): halts.append(reason)
    }
  }

  private func send(_ message: PeerMessage, from: NodeID, to: NodeID) {
    if losesOperatorAnswers, case .operatorResponse = message { return }
    var writer = ByteWriter()
    PeerFrame.encode(message, into: &writer)
    let frame = Array(writer.bytes.dropFirst(4))
    let copies = Int.random(in: 0..<100, using: &generator) < repeatPercent ? 2 : 1
    for _ in 0..<copies where Int.random(in: 0..<100, using: &generator) >= lossPercent {
      let due = now + Int.random(in: 0...(lossPercent > 0 ? 4 : 1), using: &generator)
      envelopes.append(Envelope(from: from, to: to, bytes: frame, due: due))
    }
  }

  /// One tick: time passes on every node, due messages arrive, disks finish what is queued.
  func tick() {
    now += 1
    for id in ids { feed(.tick, to: id) }
    deliver()
    for id in ids { finishStorage(id) }
    deliver()
  }

  func run(ticks: Int) { for _ in 0..<ticks { tick() } }

  private func deliver() {
    let due = envelopes.filter { $0.due <= now }
    envelopes.removeAll { $0.due <= now }
    for envelope in due where !severed.contains([envelope.from, envelope.to]) {
      let message = try! PeerFrame.decode(envelope.bytes.span.bytes, opener: &opener)
      feed(.receive(message, from: envelope.from), to: envelope.to)
    }
  }

  private func finishStorage(_ id: NodeID) {
    guard boxes[id] != nil else { return }
    let queue = disks[id]!.queue
    disks[id]!.queue = []
    var persisted: EntryID?
    var released: [(PeerMessage, NodeID)] = []
    for item in queue {
      switch item {
      case .release(let message, let to): released.append((message, to))
      case .command(.append(let batches)):
        let term = disks[id]!.hardState.term
        #expect(batches.allSatisfy { $0.term <= term }, "a term is durable before its entries")
        disks[id]!.written.append(contentsOf: batches)
        persisted = batches.last.map { EntryID(index: $0.index, term: $0.term) }
      case .command(.truncate(let index)):
        disks[id]!.written.removeLast(
          disks[id]!.written.count - Int(index.rawValue - 1))
        if let entry = persisted, entry.index >= index { persisted = nil }
      case .command(.hardState(let state, let commit, _)):
        precondition(commit >= disks[id]!.committed, "what is committed stays so")
        disks[id]!.hardState = state
        disks[id]!.committed = commit
      case .command(.seal(let seal)): disks[id]!.seals.append(seal)
      case .command(.indexInterval): break
      }
    }
    disks[id]!.durable = disks[id]!.written.count
    for (message, to) in released { send(message, from: id, to: to) }
    if let persisted { feed(.persisted(persisted), to: id) }
  }

  /// Cuts a node off from all others, both ways.
  func isolate(_ id: NodeID) {
    for other in ids where other != id {
      severed.insert([id, other])
      severed.insert([other, id])
      feed(.peerLost(other), to: id)
      feed(.peerLost(id), to: other)
    }
  }

  func heal() {
    severed.removeAll()
    for id in ids {
      for other in ids where other != id { feed(.peerConnected(other, store: 0), to: id) }
    }
  }

  var leader: NodeID? {
    ids.filter { boxes[$0]?.replica.raft.role == .leader }
      .max { boxes[$0]!.replica.raft.term < boxes[$1]!.replica.raft.term }
  }

  /// Runs until one node leads and its first entry is applied.
  func runUntilLed(ticksMax: Int = 500) -> NodeID? {
    for _ in 0..<ticksMax {
      tick()
      if let leader, boxes[leader]!.replica.isRouteKnown { return leader }
    }
    return nil
  }

  func applied(_ id: NodeID) -> UInt64 { boxes[id]!.replica.state.ledger.counts.applied }
  func digest(_ id: NodeID) -> Digest256 { boxes[id]!.replica.state.ledger.digest }
}

/// A payment of `cents` from one account to another under its own id.
func draft(_ number: UInt64, cents: Int = 100, from: String = "alice", to: String = "bob")
  -> PaymentDraft
{
  var text: [UInt8] = []
  Amount.append(minorUnits: Int128(cents), exponent: 2, to: &text)
  return try! PaymentDraft(
    validating: PaymentRequest(
      amount: text, sender: Array(from.utf8), receiver: Array(to.utf8),
      transactionID: Array(TransactionID(high: 7, low: number).text.utf8)),
    rules: PaymentRules(), makeID: { TransactionID(high: 0, low: 0) })
}

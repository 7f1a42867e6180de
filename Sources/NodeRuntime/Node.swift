package import Bytes
package import ClockSync
import HybridTime
package import Ledger
import Raft
package import Replica
import SegmentLog

/// A whole node but for the world around it: carries out its replica's effects over any
/// environment, keeps its clock, and watches its peers.
///
/// One thread drives it. After a group of calls comes ``flush()``.
package struct Node<Environment: NodeEnvironment>: ~Copyable {
  private let environment: Environment
  private let timing: NodeTiming
  private var replica: Replica
  private var clock: NodeClock
  private var exchanges: ClockExchanges
  private var peers: PeerTable
  /// Nil for a node that signs nothing.
  private var cosigning: Cosigning?
  private var effects: [ReplicaEffect] = []
  private var tickCount = 0
  /// The monotonic clock at the last tick, nanoseconds.
  private var tickedNanoseconds: Int64
  private var reportedTick: Int?
  private var reportedEpoch: UInt32?
  private var reportedCorrection: Int64 = 0
  /// Ticks until the next clock report while nothing changes: doubled by each.
  private var reportInterval: Int
  /// When a client of this node last wanted to pay, or a beacon was last due.
  private var stampedTick = 0
  /// Payments applied when the last beacon was due.
  private var beaconCount: UInt64 = 0
  private var notedEpoch: UInt32?
  private var isHalted = false
  /// How far the log was when the journal was last told.
  private var marked: LogPosition

  /// A node from a replica that was rebuilt from disk. `generator` makes unpredictable numbers; `keys` are
  /// those that it knows of other nodes.
  package init(
    replica: consuming Replica, clock: ClockConfiguration, epoch: UInt32,
    thresholds: HealthThresholds, timing: NodeTiming,
    generator: any RandomNumberGenerator & Sendable, signer: NodeSigner? = nil,
    keys: [NodeID: NodeKeys] = [:], environment: Environment
  ) {
    let now = environment.hostTime()
    self.environment = environment
    self.timing = timing
    reportInterval = timing.clockReportTicksMin
    tickedNanoseconds = now.monotonicNanoseconds
    self.clock = NodeClock(
      configuration: clock, epoch: epoch, rawNanoseconds: now.rawNanoseconds,
      monotonicNanoseconds: now.monotonicNanoseconds)
    peers = PeerTable([], thresholds: thresholds)
    exchanges = ClockExchanges(generator: generator)
    cosigning = signer.map {
      Cosigning(
        node: replica.id, cluster: replica.configuration.cluster, signer: $0, keys: keys)
    }
    marked = replica.position
    self.replica = replica
    watch(self.replica.members)
    environment.publish(self.clock.discipline)
  }

  /// A tick has passed, or several: those that are due by the monotonic clock are stepped.
  package mutating func tick() { makeUpForTicks(environment.hostTime()) }

  /// Steps the ticks that are due, one for each unit that passed: after a pause of the process all
  /// of them, and before anything that came after it.
  ///
  /// A leader whose ticks stood still would take its lease for good although the others have chosen
  /// a new one; a follower that counted them after a heartbeat which waited in its socket would vote
  /// for another while the leader trusts in its answer to that heartbeat.
  private mutating func makeUpForTicks(_ now: HostTime) {
    let due = ticksOverdue(now)
    guard due > 0 else { return }
    tickedNanoseconds += Int64(due) * timing.tickNanoseconds
    let before = tickCount
    tickCount += due
    askForTime(now)
    if Self.passes(timing.clockPollTicks, from: before, to: tickCount) { pollClock(now) }
    if Self.passes(timing.healthTicks, from: before, to: tickCount) { judgePeers(now) }
    reportClock(now)
    sendBeacon()
    for _ in 0..<min(due, timing.ticksAtOnceMax) { step(.tick) }
  }

  /// Whether a multiple of `interval` lies after `start` and up to `end`.
  private static func passes(_ interval: Int, from start: Int, to end: Int) -> Bool {
    end / interval > start / interval
  }

  /// Clients of this node want to pay.
  package mutating func submit(_ submissions: [Submission]) {
    makeUpForTicks(environment.hostTime())
    stampedTick = tickCount
    step(.submit(submissions))
  }

  /// An operator wants something.
  package mutating func administer(_ request: OperatorRequest, token: UInt64) {
    step(.administer(request, token: token))
  }

  /// A client of this node wants to read what is true now.
  package mutating func read(token: UInt64) {
    makeUpForTicks(environment.hostTime())
    step(.read(token: token))
  }

  /// A peer said something; it came in at `time`.
  package mutating func receive(_ message: PeerMessage, from peer: NodeID, at time: HostTime) {
    makeUpForTicks(environment.hostTime())
    peers.heard(peer, at: time)
    switch message {
    case .clockRequest(let nonce):
      let answer = clock.discipline.answer(
        nonce: nonce, receivedRawNanoseconds: time.rawNanoseconds,
        receivedMonotonicNanoseconds: time.monotonicNanoseconds,
        monotonicNanoseconds: environment.hostTime().monotonicNanoseconds)
      environment.send(.clockResponse(answer), to: peer)
    case .clockResponse(let answer): take(answer, from: peer, at: time)
    case .batchesRequest(let request): help(request, from: peer)
    case .batches(let answer): environment.receive(answer, from: peer)
    case .checkpoint(let message): take(message, from: peer)
    case .raft, .append, .forward, .forwardRefused, .operatorRequest, .operatorResponse, .digest,
      .storeRefused:
      step(.receive(message, from: peer))
    }
  }

  /// A damaged node asks for batches: it gets those that this log holds durably.
  private func help(_ request: BatchesRequest, from peer: NodeID) {
    let limit =
      request.mustBeCommitted
      ? replica.state.last.index : min(replica.raft.durable, replica.raft.last.index)
    guard request.first <= limit else {
      // What is on its way to the disk, or to being committed, cannot be told yet.
      guard request.first > replica.raft.last.index else { return }
      environment.send(.batches(BatchesAnswer(first: request.first, problem: .absent)), to: peer)
      return
    }
    environment.readAndSend(
      LogIndexRange(first: request.first, last: min(request.last, limit)), to: peer)
  }

  /// A group of storage work is durable.
  package mutating func stored(_ report: StorageReport) {
    makeUpForTicks(environment.hostTime())
    for released in report.released { environment.send(released.message, to: released.to) }
    if let entry = report.persisted { step(.persisted(entry)) }
  }

  /// Whether the peer may be talked to, with the number of its data directory (0: unknown).
  package func admits(_ peer: NodeID, store: UInt64) -> Bool { replica.admits(peer, store: store) }

  /// A connection to the peer is up. `store`: the number of its data directory, 0: unknown.
  package mutating func peerConnected(_ peer: NodeID, store: UInt64 = 0) {
    peers.setConnected(peer, true)
    peers.heard(peer, at: environment.hostTime())
    step(.peerConnected(peer, store: store))
  }

  /// The connection to the peer broke.
  package mutating func peerLost(_ peer: NodeID) {
    peers.setConnected(peer, false)
    step(.peerLost(peer))
  }

  /// A time server's datagram came in at `time`.
  package mutating func timeServerAnswered(
    _ server: UInt16, datagram: [UInt8], at time: HostTime
  ) {
    guard let exchange = exchanges.end(.server(server)) else { return }
    do {
      let answer = try exchange.accept(
        datagram: datagram, monotonicNanoseconds: time.monotonicNanoseconds,
        rawNanoseconds: time.rawNanoseconds)
      switch answer {
      case .sample(let sample):
        record(sample, from: exchange.source, at: time)
        pollClock(time)
      case .kissOfDeath(let code):
        clock.recordFailure(.kissOfDeath(code), from: exchange.source)
      }
    } catch .originMismatch {
      exchanges.resume(exchange)  // Somebody else's, or forged: the real answer may still come.
    } catch {
      clock.recordFailure(.refused(error), from: exchange.source)
    }
  }

  /// The disk is short of room, or no longer is: see ``Replica/ReplicaInput/diskRoom(isShort:)``.
  package mutating func setDiskShort(_ isShort: Bool) { step(.diskRoom(isShort: isShort)) }

  /// Hand over leadership and take no more payments: the node is about to stop.
  package mutating func drain() { step(.drain) }

  /// Ends a group of calls: what came in together goes out together.
  package mutating func flush() {
    let now = environment.hostTime()
    makeUpForTicks(now)
    // Read again: the ticks made up for have marked what they did.
    let after = environment.hostTime()
    let reading = reading(after)
    replica.flush(reading: reading, ticksOverdue: ticksOverdue(after), into: &effects)
    markProgress(reading, after)
    carryOut()
  }

  /// Ticks that should have come by now: after a pause of the process a leader's lease may be over
  /// although nobody has ticked.
  private func ticksOverdue(_ now: HostTime) -> Int {
    max(0, Int((now.monotonicNanoseconds - tickedNanoseconds) / timing.tickNanoseconds))
  }

  private func reading(_ now: HostTime) -> ClockReading {
    clock.reading(
      rawNanoseconds: now.rawNanoseconds, monotonicNanoseconds: now.monotonicNanoseconds)
  }

  private mutating func step(_ input: ReplicaInput) {
    guard !isHalted else { return }
    let now = environment.hostTime()
    let reading = reading(now)
    replica.step(input, reading: reading, into: &effects)
    markProgress(reading, now)
    carryOut()
  }

  /// Tells the journal how far the log has come, by the clock as it was when the step began: after what had
  /// been received, before what is sent.
  private mutating func markProgress(_ reading: ClockReading, _ now: HostTime) {
    let position = replica.position
    guard position != marked else { return }
    let mark = ProgressMark(
      position: position, reading: reading, monotonicNanoseconds: now.monotonicNanoseconds)
    environment.note(.logWentOn(mark, from: marked))
    marked = position
  }

  /// Watches the health and the clocks of these members.
  private mutating func watch(_ members: [ClusterMember]) {
    let others = members.map(\.id).filter { $0 != replica.id }
    peers.setPeers(others)
    clock.setPeers(others, monotonicNanoseconds: environment.hostTime().monotonicNanoseconds)
  }

  private mutating func carryOut() {
    var work: [StorageWork] = []
    var settlements: [PaymentSettlement] = []
    var answers: [ReadAnswer] = []
    var operatorAnswers: [OperatorAnswer] = []
    for effect in effects {
      switch effect {
      case .store(let command): work.append(.command(command))
      case .sendAfterStore(let message, let peer): work.append(.release(message, to: peer))
      case .send(let message, let peer): environment.send(message, to: peer)
      case .readAndSend(let request, let peer): environment.readAndSend(request, to: peer)
      case .settle(let settlement): settlements.append(settlement)
      case .answerRead(let answer): answers.append(answer)
      case .answerOperator(let answer): operatorAnswers.append(answer)
      case .membersChanged(let members):
        watch(members)
        environment.setMembers(members)
      case .checkpoint(let checkpoint, let endsSegment): sign(checkpoint, endsSegment: endsSegment)
      case .note(let note): environment.note(.replica(note))
      case .suspect(let segment):
        if segment > .zero { environment.suspect(SegmentID(segment)) }
      case .halt(let reason):
        isHalted = true
        environment.halt(reason)
      }
    }
    effects.removeAll(keepingCapacity: true)
    if !work.isEmpty { environment.store(work) }
    if !settlements.isEmpty { environment.settle(settlements) }
    if !answers.isEmpty { environment.answerReads(answers) }
    if !operatorAnswers.isEmpty { environment.answerOperators(operatorAnswers) }
  }
}

extension Node {
  /// Most batches that the log may go on beyond a place that is signed.
  private static var signedLagMax: UInt64 { 256 }

  /// Signs a place of the log, but for those that a node far behind hurries past: nobody waits for them.
  private mutating func sign(_ checkpoint: LogCheckpoint, endsSegment: Bool) {
    let lag = replica.raft.commit.rawValue - min(checkpoint.index, replica.raft.commit).rawValue
    guard endsSegment || lag <= Self.signedLagMax else { return }
    var found: [CosigningEffect] = []
    let seconds = reading(environment.hostTime()).correctedNanoseconds / 1_000_000_000
    cosigning?.reached(
      checkpoint, endsSegment: endsSegment, membership: replica.raft.membership,
      unixSeconds: UInt64(max(seconds, 0)), into: &found)
    carryOut(found)
  }

  private mutating func take(_ message: SignedCheckpoint, from peer: NodeID) {
    var found: [CosigningEffect] = []
    cosigning?.hear(message, from: peer, membership: replica.raft.membership, into: &found)
    carryOut(found)
  }

  private func carryOut(_ effects: [CosigningEffect]) {
    for effect in effects {
      switch effect {
      case .send(let message):
        for peer in replica.raft.roster.ids where peer != replica.id {
          environment.send(.checkpoint(message), to: peer)
        }
      case .signed(let checkpoint): environment.signed(checkpoint)
      case .keyLearned(let node, let keys): environment.learned(keys, of: node)
      case .note(let note): environment.note(.cosigning(note))
      }
    }
  }

  private mutating func askForTime(_ now: HostTime) {
    for source in clock.nextPolls(monotonicNanoseconds: now.monotonicNanoseconds) {
      guard source != .kernel else {
        askKernel()
        continue
      }
      // Read again for each request: the send should follow at once.
      let sent = environment.hostTime().monotonicNanoseconds
      let exchange = exchanges.start(source, monotonicNanoseconds: sent)
      switch source {
      case .peer(let peer): environment.send(.clockRequest(nonce: exchange.nonce), to: peer)
      case .server(let number):
        environment.askTimeServer(number, datagram: exchange.request.datagram)
      case .host, .kernel: preconditionFailure("the host's clock is not asked")
      }
    }
    for source in exchanges.expire(monotonicNanoseconds: now.monotonicNanoseconds) {
      clock.recordFailure(.timeout, from: source)
    }
  }

  /// Gives a sample to the clock, and tells the journal.
  private mutating func record(_ sample: ClockSample, from source: ClockSource, at time: HostTime) {
    clock.record(sample, from: source)
    if let measurement = ClockMeasurement(
      sample, from: source, reading(time), node: replica.id,
      rateMax: clock.configuration.frequencyErrorPartsPerBillionMax)
    {
      environment.note(.clockMeasured(measurement))
    }
  }

  /// The kernel answers at once: how far the host's clock may be from true time.
  private mutating func askKernel() {
    guard let answer = environment.kernelClock() else {
      return clock.recordFailure(.refused(.unsynchronized), from: .kernel)
    }
    guard answer.errorNanoseconds <= KernelClock.errorNanosecondsMax else {
      return clock.recordFailure(.sample(.errorOutOfRange), from: .kernel)
    }
    let (raw, now) = (answer.time.rawNanoseconds, answer.time.monotonicNanoseconds)
    do {
      let sample = try ClockSample(
        sentMonotonicNanoseconds: now, receiveNanoseconds: raw, transmitNanoseconds: raw,
        monotonicNanoseconds: now, rawNanoseconds: raw,
        remoteErrorNanoseconds: answer.errorNanoseconds)
      record(sample, from: .kernel, at: answer.time)
    } catch {
      clock.recordFailure(.sample(error), from: .kernel)
    }
  }

  private mutating func take(_ answer: PeerClockAnswer, from peer: NodeID, at time: HostTime) {
    guard let exchange = exchanges.end(.peer(peer)) else { return }
    do {
      let sample = try exchange.accept(
        answer, monotonicNanoseconds: time.monotonicNanoseconds,
        rawNanoseconds: time.rawNanoseconds)
      record(sample, from: exchange.source, at: time)
      if !clock.discipline.hasSynchronized { pollClock(time) }
    } catch .originMismatch {
      exchanges.resume(exchange)
    } catch {
      clock.recordFailure(.refused(error), from: exchange.source)
    }
  }

  private mutating func pollClock(_ now: HostTime) {
    clock.poll(
      rawNanoseconds: now.rawNanoseconds, monotonicNanoseconds: now.monotonicNanoseconds)
    environment.publish(clock.discipline)
    guard clock.discipline.epoch != notedEpoch else { return }
    notedEpoch = clock.discipline.epoch
    environment.note(.clock(clockSnapshot(now)))
  }

  private func clockSnapshot(_ now: HostTime) -> ClockSnapshot {
    clock.snapshot(
      rawNanoseconds: now.rawNanoseconds, monotonicNanoseconds: now.monotonicNanoseconds)
  }

  private mutating func judgePeers(_ now: HostTime) {
    for peer in peers.judge(monotonicNanoseconds: now.monotonicNanoseconds) {
      environment.note(.peerHealth(peer.id, peer.health))
    }
  }

  /// Puts a clock report into the log, the less often the longer nothing has changed, and soon after a
  /// change: the time evidence is as durable as the money.
  private mutating func reportClock(_ now: HostTime) {
    guard replica.raft.leader != nil, clock.discipline.hasSynchronized else { return }
    let reading = reading(now)
    // A correction that has left the bound it was reported with is news too.
    let moved = (reading.correctionNanoseconds - reportedCorrection).magnitude
    let isChanged = reading.epoch != reportedEpoch || moved > UInt64(reading.boundNanoseconds)
    let age = reportedTick.map { tickCount - $0 } ?? .max
    guard age >= (isChanged ? timing.clockReportTicksMin : reportInterval) else { return }
    reportInterval = min(
      isChanged ? timing.clockReportTicksMin : 2 * reportInterval, timing.clockReportTicks)
    reportedTick = tickCount
    reportedEpoch = reading.epoch
    reportedCorrection = reading.correctionNanoseconds
    let snapshot = clockSnapshot(now)
    step(
      .report(
        driftPartsPerBillion: snapshot.driftPartsPerBillion ?? 0,
        sources: snapshot.sources.compactMap(ClockSourceReport.init)))
  }
}

extension Node {
  /// Tells the log that nothing earlier of this node is in flight, while others' payments go on and it has
  /// none: a merge of the nodes' events need not wait for it.
  private mutating func sendBeacon() {
    let count = replica.state.ledger.counts.applied
    guard replica.raft.leader != nil, clock.discipline.hasSynchronized, count != beaconCount,
      tickCount - max(stampedTick, reportedTick ?? 0) >= timing.beaconTicks
    else { return }
    stampedTick = tickCount
    beaconCount = count
    step(.beacon)
  }

  /// What the node knows of itself and its peers, for status.
  package func snapshot() -> NodeSnapshot {
    let now = environment.hostTime()
    return NodeSnapshot(
      id: replica.id, time: now, role: replica.raft.role, term: replica.raft.term,
      leader: replica.raft.leader, commit: replica.raft.commit, durable: replica.raft.durable,
      last: replica.raft.last, applied: replica.state.last, appliedHash: replica.state.lastHash,
      ledgerDigest: replica.state.ledger.digest, counts: replica.state.ledger.counts,
      pendingCount: replica.pendingCount, isDraining: replica.isDraining,
      membership: replica.raft.membership,
      membershipIndex: replica.raft.memberships.current.index, members: replica.members,
      policy: replica.state.ledger.cluster.policy, faults: replica.raft.faults,
      stampRefusals: replica.stampRefusals,
      isAbstaining: replica.raft.distrusted != nil,
      progress: replica.raft.progress, peers: peers.peers, clock: clockSnapshot(now))
  }

  /// Brings the fields that change with every batch up to date, and leaves the rest.
  package func updateProgress(of snapshot: inout NodeSnapshot) {
    snapshot.commit = replica.raft.commit
    snapshot.durable = replica.raft.durable
    snapshot.last = replica.raft.last
    snapshot.applied = replica.state.last
    snapshot.appliedHash = replica.state.lastHash
    snapshot.ledgerDigest = replica.state.ledger.digest
    snapshot.counts = replica.state.ledger.counts
    snapshot.pendingCount = replica.pendingCount
    snapshot.isDraining = replica.isDraining
  }

  /// Calls `body` with the ledger, on the node's thread.
  package mutating func withLedger<R>(_ body: (inout LedgerState) -> R) -> R {
    replica.withLedger(body)
  }

  /// Whether a submitted payment of that id waits for its answer here.
  package func isPending(_ id: TransactionID) -> Bool { replica.isPending(id) }
}

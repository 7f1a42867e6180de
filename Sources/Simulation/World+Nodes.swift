import Bytes
import ClockSync
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  static let tickNanoseconds = 10 * Span.millisecond

  /// Runs a call of a living process, and looks at what it did.
  func act(
    _ host: SimulatedHost, _ life: Int,
    _ body: (inout Node<SimulatedEnvironment>, HostTime) -> Void
  ) {
    guard host.life == life, let process = host.process else { return }
    body(&process.node, process.environment.hostTime())
    observe(host, process)
    guard host.process === process else { return }
    if !options.gathersCalls { return pump(host, life) }
    guard !process.isPumpDue else { return }
    process.isPumpDue = true
    schedule(.pump(host.place, life: life), in: nodeRandom.span(0...50 * Span.microsecond))
  }

  func tick(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process else { return }
    schedule(.tick(host.place, life: life), in: Self.tickNanoseconds)
    act(host, life) { node, _ in node.tick() }
    guard let reading = process.environment.readClock() else { return }
    check { () throws(Violation) in
      try checks.time.check(
        reading, of: host.id, atTrue: SimulatedClock.worldStartNanoseconds + now)
    }
  }

  func pump(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process else { return }
    process.isPumpDue = false
    process.node.flush()
    observe(host, process)
    runStorage(host)
  }

  /// Looks at a node after a call: what it calls committed and applied is checked at once.
  private func observe(_ host: SimulatedHost, _ process: SimulatedProcess) {
    let before = process.progress
    process.node.updateProgress(of: &process.progress)
    let after = process.progress
    if after.commit != before.commit {
      noteCommit(host, from: before.commit, through: after.commit)
    }
    if after.applied != before.applied {
      trace.mix(after.applied.index.rawValue)
      check { () throws(Violation) in
        try checks.applied.applied(
          host.id, through: after.applied.index, hash: after.appliedHash,
          ledger: after.ledgerDigest)
      }
    }
    let answers = answersToCheck
    answersToCheck.removeAll(keepingCapacity: true)
    for answer in answers {
      check { () throws(Violation) in try checkAnswer(answer.call, answer.result) }
    }
    if let reason = process.environment.haltReason {
      check { () throws(Violation) in
        throw Violation("no node halts without a fault", "node \(host.id.rawValue): \(reason)")
      }
    }
    if host.crashesSoon {
      host.crashesSoon = false
      crash(host, losesPower: true, "after a message about a vote")
    }
  }

  private func noteCommit(_ host: SimulatedHost, from old: LogIndex, through new: LogIndex) {
    check { () throws(Violation) in
      guard new >= old else {
        throw Violation(
          "commit never regresses", "node \(host.id.rawValue): \(old.rawValue) to \(new.rawValue)")
      }
      guard let term = host.term else { return }
      let fresh = try checks.committed.commits(
        host.id, from: old.next, through: new, of: host.log, in: term)
      for entry in fresh {
        trace.mix(entry.batch.header.hash.check)
        trace.note(
          now,
          "batch \(entry.batch.index.rawValue) of term \(entry.batch.term.rawValue) with "
            + "\(entry.batch.header.count) events is committed at node \(host.id.rawValue)")
        statistics.committedBatches += 1
        try checks.ledger.apply(entry.batch)
      }
    }
  }

  /// Storage was asked to change the log: the checkers keep a copy of it in memory.
  func logged(_ work: [StorageWork], at host: SimulatedHost) {
    for item in work {
      switch item {
      case .command(.append(let batches)):
        for batch in batches {
          host.log.append(batch)
          // A lone voter leads before its term is durable, and nobody hears of it but its disk: what
          // it writes counts from then on, for it may lose its term and lead in it again.
          if hosts.count > 1 { noteBatch(batch, at: host) }
        }
      case .command(.truncate(let index)):
        host.log.removeLast(max(0, host.log.count - Int(index.rawValue) + 1))
        host.durability.mayCut(from: index)
      case .command(.hardState), .command(.seal), .release: break
      }
    }
  }

  /// A batch is in the log of a node, and may be on its way to others.
  func noteBatch(_ batch: Batch, at host: SimulatedHost) {
    let place = Int(batch.index.rawValue) - 1
    let previous = place > 0 && place <= host.log.count ? host.log[place - 1] : nil
    check { () throws(Violation) in
      guard try checks.matching.holds(batch.header) else { return }
      try checks.order.check(batch, after: previous)
    }
  }

  func noted(_ note: NodeNote, at host: SimulatedHost) {
    switch note {
    case .replica(.roleChanged(let role, let term, let leader)):
      host.term = term
      trace.note(
        now,
        "node \(host.id.rawValue) is \(role) in term \(term.rawValue), leader "
          + "\(leader.map { "\($0.rawValue)" } ?? "unknown")")
      guard role == .leader else { return }
      statistics.electionCount += 1
      check { () throws(Violation) in
        try checks.elections.leads(host.id, in: term)
        try checks.committed.leads(host.id, in: term, with: host.log)
      }
    case .replica(.segmentClosed): statistics.segmentCount += 1
    case .replica(let note): trace.note(now, "node \(host.id.rawValue): \(note)")
    case .peerHealth: break
    case .clock(let clock):
      trace.note(
        now,
        "node \(host.id.rawValue)'s clock is \(clock.reading.status.name) against "
          + "\(clock.reading.reference.name), bound \(clock.reading.boundNanoseconds) ns")
    }
  }
}

extension Digest256 {
  /// The first eight bytes.
  var check: UInt64 {
    withBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)) }
  }
}

// MARK: - Start and end of a process

extension World {
  func start(_ host: SimulatedHost) {
    host.isStarting = false
    guard host.process == nil, host.lostReason == nil else { return }
    // Machines set their system clock at boot; a process that starts with one that is far off
    // stamps by it until it has synchronized.
    host.clock.bringNear(options.clock.rawOffsetMax, at: now)
    do {
      try launch(host)
    } catch {
      startFailed(host, error)
    }
  }

  private func launch(_ host: SimulatedHost) throws(LogError) {
    var recovery = try NodeRecovery(
      host.disk, directory: SimulatedHost.directory, configuration: replicaConfiguration(host),
      ledger: LedgerState(), seed: nodeRandom.next())
    host.life += 1
    host.pausedUntil = now
    host.isSuspect = host.isSuspect && host.disk.isDamaged
    let reader = LogReader(
      host.disk, directory: recovery.logDirectory, positions: recovery.positions)
    host.term = recovery.hardState.term
    try findLog(host, reader, through: recovery.positions.last?.index ?? .zero)
    let environment = SimulatedEnvironment(world: self, host: host)
    let node = Node(
      replica: recovery.takeReplica(), clock: clockConfiguration(host),
      epoch: UInt32(host.life) << 16,
      thresholds: HealthThresholds(
        suspectNanoseconds: Span.second, downNanoseconds: 3 * Span.second),
      timing: NodeTiming(), generator: SeededGenerator(seed: nodeRandom.next()),
      environment: environment)
    host.process = SimulatedProcess(
      node: node, environment: environment, worker: recovery.takeWorker(), reader: reader,
      started: now)
    statistics.startCount += 1
    trace.note(
      now,
      "node \(host.id.rawValue) starts, life \(host.life), term "
        + "\(recovery.hardState.term.rawValue), log \(host.log.count), applied "
        + "\(recovery.applied.index.rawValue)")
    checkRestart(host)
    schedule(.tick(host.place, life: host.life), in: nodeRandom.span(0...Self.tickNanoseconds))
  }

  /// Reads the log as the node found it, for the checkers' copy.
  private func findLog(
    _ host: SimulatedHost, _ reader: LogReader<SimulatedDisk>, through last: LogIndex
  ) throws(LogError) {
    var log: [Batch] = []
    while UInt64(log.count) < last.rawValue {
      let read = try reader.batches(
        from: LogIndex(UInt64(log.count) + 1), byteLimit: Int.max >> 1)
      log.append(contentsOf: read)
    }
    host.log = log
  }

  private func checkRestart(_ host: SimulatedHost) {
    check { () throws(Violation) in
      try host.durability.recovered(host.id, found: host.log.map(\.header.hash))
      guard let progress = host.process?.progress else { return }
      _ = try checks.committed.commits(
        host.id, from: LogIndex(1), through: progress.commit, of: host.log,
        in: host.term ?? .zero)
      try checks.applied.applied(
        host.id, through: progress.applied.index, hash: progress.appliedHash,
        ledger: progress.ledgerDigest)
    }
  }

  private func startFailed(_ host: SimulatedHost, _ error: LogError) {
    trace.note(now, "node \(host.id.rawValue) cannot start: \(error)")
    host.disk.powerOn()
    switch error {
    case .file:
      guard host.disk.takeHit() else { return refuseToFail(host, error) }
      statistics.failedStarts += 1
      planStart(host, in: faultRandom.span(100 * Span.millisecond...Span.second))
    case .damaged, .missingSegment, .brokenSegmentChain, .lost:
      meetDamage(host, error)
    case .wrongCluster, .stopped, .outOfOrder, .brokenChain, .beforeStart, .sealed, .notSealable,
      .sealMismatch, .failed, .hardStateDamaged, .hardStateMissing, .hardStateOfOtherCluster:
      refuseToFail(host, error)
    }
  }

  private func meetDamage(_ host: SimulatedHost, _ error: LogError) {
    guard host.isSuspect else { return refuseToFail(host, error) }
    if options.canary == .damageTakenForAbsence, takeDamageForAbsence(host, error) {
      return planStart(host, in: 100 * Span.millisecond)
    }
    host.lostReason = "\(error)"
    statistics.lostHosts += 1
  }

  private func refuseToFail(_ host: SimulatedHost, _ error: LogError) {
    check { () throws(Violation) in
      throw Violation("an undamaged node starts", "node \(host.id.rawValue): \(error)")
    }
  }

  func planStart(_ host: SimulatedHost, in delay: Int64) {
    guard !host.isStarting else { return }
    host.isStarting = true
    schedule(.start(host.place), in: delay)
  }

  /// Ends a process in the middle of whatever its storage does.
  func crash(_ host: SimulatedHost, losesPower: Bool, _ reason: @autoclosure () -> String) {
    guard let process = host.process else { return }
    trace.note(now, "node \(host.id.rawValue) crashes: \(reason())")
    if process.isStoring {
      host.disk.cutPower(
        afterOperations: faultRandom.number(0...3 * process.current.count + 4))
      _ = try? process.performCurrent()
      host.disk.powerOn()
    }
    host.process = nil
    host.life += 1
    host.log = []
    if losesPower {
      let isOrdered = !options.faults.reordersWrites || !reserveSuspect(host)
      host.disk.losePower(isOrdered: isOrdered)
    }
    for (event, delay) in network.forget(host.place, losesPower: losesPower, now: now) {
      schedule(event, in: delay)
    }
    planStart(host, in: faultRandom.logarithmicSpan(20 * Span.millisecond...4 * Span.second))
  }
}

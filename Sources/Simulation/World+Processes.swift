import Bytes
import ClockSync
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Start and end of a process.
extension World {
  func start(_ host: SimulatedHost) {
    host.isStarting = false
    guard !host.isUp, !host.isSpare, host.lostReason == nil else { return }
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
      ledgerSeed: 1, seed: nodeRandom.next())
    host.life += 1
    host.pausedUntil = now
    host.isSuspect = host.isSuspect && host.disk.isDamaged
    host.mayBeTorn = false
    let reader = LogReader(
      host.disk, directory: recovery.logDirectory, positions: recovery.positions)
    host.term = recovery.hardState.term
    host.storedTerm = recovery.hardState.term
    host.store = recovery.store
    host.listed = recovery.members.map(\.id)
    host.isAbstaining = recovery.isTailSuspect
    let began = recovery.snapshot?.applied ?? .zero
    checkPassedOver(recovery.snapshotNotes, at: host)
    try findLog(
      host, reader, through: recovery.positions.last?.index ?? .zero, isUnreadThrough: began)
    let environment = SimulatedEnvironment(world: self, host: host)
    let node = Node(
      replica: recovery.takeReplica(), clock: clockConfiguration(host),
      epoch: UInt32(host.life) << 16,
      thresholds: HealthThresholds(
        suspectNanoseconds: Span.second, downNanoseconds: 3 * Span.second),
      timing: NodeTiming(), generator: SeededGenerator(seed: nodeRandom.next()),
      signer: signer(of: host), keys: host.keys, environment: environment)
    host.process = SimulatedProcess(
      node: node, environment: environment, worker: recovery.takeWorker(), reader: reader,
      snapshots: snapshots(of: host, reader, lastSequence: recovery.snapshotSequence),
      scrub: scrub(of: host), started: now)
    host.membership = host.process?.progress.membership ?? .none
    statistics.startCount += 1
    if began > .zero { statistics.snapshotStarts += 1 }
    trace.note(
      now,
      "node \(host.id.rawValue) starts, life \(host.life), term "
        + "\(recovery.hardState.term.rawValue), log \(host.log.count), applied "
        + "\(recovery.applied.index.rawValue), snapshot \(began.rawValue)")
    checkRestart(host, isFromSnapshot: began > .zero)
    schedule(.tick(host.place, life: host.life), in: nodeRandom.span(0...Self.tickNanoseconds))
    beginScrub(host)
  }

  /// Reads the log as the node found it, for the checkers' copy.
  ///
  /// What a snapshot stands for the node has not read. Where that is damaged, the copy has the
  /// committed batch: it is what the snapshot was taken from, and what the node goes by.
  private func findLog(
    _ host: SimulatedHost, _ reader: LogReader<SimulatedDisk>, through last: LogIndex,
    isUnreadThrough unread: LogIndex
  ) throws(LogError) {
    var log: [Batch] = []
    var byteLimit = Int.max >> 1
    while UInt64(log.count) < last.rawValue {
      let next = LogIndex(UInt64(log.count) + 1)
      do throws(LogError) {
        log.append(contentsOf: try reader.batches(from: next, byteLimit: byteLimit))
      } catch {
        guard host.disk.isDamaged, next <= unread, let batch = checks.committed[next] else {
          throw error
        }
        if byteLimit == 0 { log.append(batch) }
        byteLimit = 0
      }
    }
    host.log = log
  }

  private func checkRestart(_ host: SimulatedHost, isFromSnapshot: Bool) {
    check { () throws(Violation) in
      try host.durability.recovered(host.id, found: host.log.map(\.header.hash))
      guard let progress = host.process?.progress else { return }
      _ = try checks.committed.commits(
        host.id, from: LogIndex(1), through: progress.commit, of: host.log,
        in: host.term ?? .zero)
      try checks.applied.applied(
        host.id, through: progress.applied.index, hash: progress.appliedHash,
        ledger: progress.ledgerDigest)
      guard isFromSnapshot else { return }
      try checks.reference.check(
        host.id, through: progress.applied.index, ledger: progress.ledgerDigest,
        of: checks.committed)
    }
  }

  func startFailed(_ host: SimulatedHost, _ error: LogError) {
    trace.note(now, "node \(host.id.rawValue) cannot start: \(error)")
    host.disk.powerOn()
    if host.disk.takeHit() {
      statistics.failedStarts += 1
      return planStart(host, in: faultRandom.span(100 * Span.millisecond...Span.second))
    }
    switch error {
    case .damaged, .missingSegment, .brokenSegmentChain, .lost, .otherHistory, .contradicted,
      .notCuttable, .sealMismatch:
      meetDamage(host, error)
    case .file, .wrongCluster, .stopped, .outOfOrder, .brokenChain, .beforeStart, .ended,
      .sealed, .notSealable, .failed, .hardStateDamaged, .hardStateMissing,
      .hardStateOfOtherCluster:
      refuseToFail(host, error)
    }
  }

  private func meetDamage(_ host: SimulatedHost, _ error: LogError) {
    guard host.isSuspect || host.mayBeTorn else { return refuseToFail(host, error) }
    if options.canary == .damageTakenForAbsence, takeDamageForAbsence(host, error) {
      return planStart(host, in: 100 * Span.millisecond)
    }
    guard error.mayBeMended else {
      host.lostReason = "\(error)"
      statistics.lostHosts += 1
      return
    }
    beginRepair(host)
  }

  func refuseToFail(_ host: SimulatedHost, _ error: LogError) {
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
    guard host.isUp else { return }
    trace.note(now, "node \(host.id.rawValue) crashes: \(reason())")
    if let process = host.process, process.isStoring {
      mendBeforeCut(host, process.current)
      host.disk.cutPower(
        afterOperations: faultRandom.number(0...3 * process.current.count + 4))
      _ = try? process.performCurrent()
      host.disk.powerOn()
    }
    cutSnapshot(host)
    cutScrub(host)
    host.process = nil
    host.repair = nil
    host.life += 1
    host.log = []
    host.catchUps = [:]
    if losesPower {
      host.mayBeTorn = true
      let isOrdered = !options.faults.reordersWrites || !reserveSuspect(host)
      host.disk.faults.tearsInOrder = isOrdered && !mayScatter(host)
      host.disk.losePower(isOrdered: isOrdered)
    }
    for (event, delay) in network.forget(host.place, losesPower: losesPower, now: now) {
      schedule(event, in: delay)
    }
    planStart(host, in: faultRandom.logarithmicSpan(Span.millisecond...4 * Span.second))
  }
}

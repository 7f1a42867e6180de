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
    readGranted(host, process)
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
        if let change = entry.batch.membershipChange {
          statistics.memberChangeCount += change.membership == roll.current ? 0 : 1
          roll.commit(change, at: entry.batch.index)
        }
        commitTimes.append(contentsOf: repeatElement(now, count: entry.batch.header.count))
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
          checkTerm(of: batch, at: host)
          // A lone voter leads before its term is durable, and nobody hears of it but its disk: what
          // it writes counts from then on, for it may lose its term and lead in it again.
          if !host.isAlone { noteBatch(batch, at: host) }
        }
      case .command(.truncate(let index)):
        host.log.removeLast(max(0, host.log.count - Int(index.rawValue) + 1))
        host.durability.mayCut(from: index)
      case .command(.hardState(let state, _, _)): host.storedTerm = state.term
      case .command(.seal), .command(.indexInterval), .release: break
      }
    }
  }

  /// The disk keeps a term before the entries of it, else a crash in between leaves a log that no
  /// vote can stand for.
  private func checkTerm(of batch: Batch, at host: SimulatedHost) {
    check { () throws(Violation) in
      guard batch.term > host.storedTerm else { return }
      throw Violation(
        "a term is stored before its entries",
        "node \(host.id.rawValue): batch \(batch.index.rawValue) of term \(batch.term.rawValue), "
          + "stored term \(host.storedTerm.rawValue)")
    }
  }

  /// A batch is in the log of a node, and may be on its way to others.
  func noteBatch(_ batch: Batch, at host: SimulatedHost) {
    let place = Int(batch.index.rawValue) - 1
    let previous = place > 0 && place <= host.log.count ? host.log[place - 1] : nil
    check { () throws(Violation) in
      guard try checks.matching.holds(batch.header) else { return }
      try checks.order.check(batch, after: previous)
      if let change = batch.membershipChange { roll.propose(change, at: batch.index) }
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
      if !isSettling, faultRandom.chance(options.faults.strikeLeaderPermille) {
        schedule(
          .strikeLeader(host.place, life: host.life),
          in: faultRandom.span(0...options.faults.strikeLeaderWithin))
      }
      check { () throws(Violation) in
        try checks.elections.leads(host.id, in: term)
        try checks.committed.leads(host.id, in: term, with: host.log)
      }
    case .replica(.membersChanged(let membership, _)):
      host.membership = membership
      trace.note(now, "node \(host.id.rawValue): \(note)")
    case .replica(.segmentClosed): statistics.segmentCount += 1
    case .replica(let note): trace.note(now, "node \(host.id.rawValue): \(note)")
    case .cosigning(let note): noted(note, at: host)
    case .clockMeasured, .logWentOn: break
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

import Audit
import Bytes
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  /// After the faults the cluster must be at rest, with a new payment acknowledged, within this.
  static let settlingNanosecondsMax = 40 * Span.second
  private static let settleCheckInterval = 100 * Span.millisecond

  /// Faults and clients end, partitions heal, and what is down starts again.
  func beginSettling() {
    isSettling = true
    trace.note(now, "faults end")
    network.isCalm = true
    for (frame, time) in network.mendAll(now: now) {
      schedule(.frame(frame, life: hosts[frame.to].life), in: time - now)
    }
    for host in hosts {
      host.diskSlowness = 1
      host.diskHang = 0
      endDiskFull(host)
      host.disk.faults.failsNextSync = false
      host.disk.faults.failsNextWrite = false
      host.disk.faults.failsNextRead = false
      host.clock.setFrozen(false, at: now)
      // A node that runs on with damage cannot feed those that are behind: it has to find it.
      // What a snapshot stands for is not read at a start, so it goes.
      // Where a scrub looks, it finds it by itself.
      if host.disk.isDamaged, !mendsItself(host) {
        crash(host, losesPower: false, "to find its damage")
        removeSnapshots(host)
      }
      if !host.isUp, host.lostReason == nil, !host.isSpare {
        schedule(.start(host.place), in: faultRandom.span(0...500 * Span.millisecond))
      }
    }
    probe = workload.begin(client: options.workload.clientCount, mayReuseID: false)
    loseItsPatience(probe, 0)
    schedule(.settleCheck, in: Self.settleCheckInterval)
  }

  /// Liveness: a majority is up and connected, so the probe is acknowledged and all agree.
  func checkSettled() {
    let since = now - options.activeNanoseconds
    if workload.operations[probe].isDone, isAtRest {
      isSettled = true
      statistics.settledAfterMax = since
      return
    }
    guard since < Self.settlingNanosecondsMax else {
      return check { () throws(Violation) in
        throw Violation("liveness after the faults", restlessness)
      }
    }
    schedule(.settleCheck, in: Self.settleCheckInterval)
  }

  /// Those that take part: who has left, or has lost its disk and not its number, does not.
  private var members: [SimulatedHost] {
    hosts.filter { roll.current.members.contains($0.id) && !$0.isGhost }
  }

  private var living: [SimulatedProcess] { members.compactMap(\.process) }

  private var isAtRest: Bool {
    guard members.allSatisfy({ $0.process != nil || $0.lostReason != nil }),
      hosts.allSatisfy({ $0.process == nil || !$0.disk.isDamaged }),
      let first = living.first?.progress
    else { return false }
    return living.allSatisfy {
      let progress = $0.progress
      return progress.commit == progress.last.index && progress.applied == progress.last
        && progress.applied == first.applied && progress.ledgerDigest == first.ledgerDigest
        && progress.durable == progress.last.index && progress.pendingCount == 0
        && !$0.isStoring && $0.environment.waiting.isEmpty
    }
  }

  private var restlessness: String {
    let nodes = members.map { host in
      guard let progress = host.process?.progress else {
        return "node \(host.id.rawValue) \(host.lostReason ?? "down")"
      }
      return
        "node \(host.id.rawValue)\(host.disk.isDamaged ? " is damaged," : "") commit \(progress.commit.rawValue) of "
        + "\(progress.last.index.rawValue), applied \(progress.applied.index.rawValue), pending "
        + "\(progress.pendingCount)"
    }
    let isAnswered = workload.operations[probe].isDone
    return "\(isAnswered ? "" : "a new payment is not acknowledged; ")"
      + nodes.joined(separator: "; ")
  }

  /// What can only be said at the end.
  func checkEnd() throws(Violation) {
    statistics.boundChecks = checks.time.checkedCount
    for host in members {
      guard let process = host.process else { continue }
      let (balances, counts) = process.node.withLedger { ($0.balances(), $0.counts) }
      try checks.ledger.check("node \(host.id.rawValue)", balances: balances, counts: counts)
    }
    try checkRefused()
    try checkHistory()
    try checkReads()
    try checkFiles()
    try checks.checkpoints.check(checks.committed)
  }

  /// What was refused for good by everybody was not applied.
  private func checkRefused() throws(Violation) {
    for operation in workload.operations {
      guard let first = checks.ledger.first(operation.draft.id),
        first.event.draft == operation.draft,
        operation.calls.allSatisfy({ workload.calls[$0].isRefused }),
        workload.operations.count(where: { $0.draft == operation.draft }) == 1
      else { continue }
      throw Violation(
        "what is refused is not applied",
        "\(operation.draft.id.text) is event "
          + "\(first.sequence.rawValue)")
    }
  }

  /// Outcomes of each transaction id are linearizable.
  private func checkHistory() throws(Violation) {
    var histories: [TransactionID: [SimulatedCall]] = [:]
    var ids: [TransactionID] = []
    for call in workload.calls {
      if histories[call.draft.id] == nil { ids.append(call.draft.id) }
      histories[call.draft.id, default: []].append(call)
    }
    for id in ids {
      let history = TransactionSpecification.history(histories[id, default: []])
      guard history.count > 1 else { continue }
      guard Linearizability<TransactionSpecification>.holds(history) else {
        throw Violation("outcomes are linearizable", id.text)
      }
    }
  }

  /// `syncpay-audit` over the simulated disks: every byte verifies, sealed files are the same on all
  /// nodes, and the ledger that the files alone give is the model's.
  private func checkFiles() throws(Violation) {
    let kept = members.filter { $0.process != nil && !$0.disk.isDamaged }
    guard let progress = kept.first?.process?.progress else { return }
    var disks: [String: SimulatedDisk] = [:]
    for host in kept { disks["node\(host.id.rawValue)"] = host.disk }
    let directories = kept.map { "node\($0.id.rawValue)/\(SimulatedHost.directory)" }
    let files = DiskShelf(disks)
    let report = try Self.audited { () throws(AuditError) in
      try VerifyReport(directories, in: files, meter: ProgressMeter())
    }
    guard !report.hasFault, !report.hasFailure else {
      throw Violation("audit: all files verify", Self.faults(of: report))
    }
    let log = try Self.audited { () throws(AuditError) in try AgreedLog(directories, in: files) }
    let replayed = try Self.audited { () throws(AuditError) in
      try log.replay(through: log.lastIndex)
    }
    guard replayed.index == progress.applied.index, replayed.state.digest == progress.ledgerDigest
    else {
      throw Violation(
        "audit: the files give the nodes' ledger",
        "\(replayed.index.rawValue) batches against \(progress.applied.index.rawValue)")
    }
    try checks.ledger.check(
      "the audit", balances: replayed.state.balances(), counts: replayed.state.counts)
  }

  private static func audited<R: ~Copyable>(
    _ body: () throws(AuditError) -> R
  ) throws(Violation) -> R {
    do throws(AuditError) { return try body() } catch {
      throw Violation("audit: all files can be read", "\(error)")
    }
  }

  private static func faults(of report: VerifyReport) -> String {
    let faults = report.nodes.compactMap { $0.fault?.sentence }
    let failures = report.nodes.flatMap(\.failures)
    let divergences = report.divergences.filter { !$0.isTail }.map { "\($0.label): \($0.reason)" }
    return (faults + failures + divergences).joined(separator: "; ")
  }
}

extension TransactionSpecification {
  /// The calls under one id as a history. What was refused did nothing. A call without an answer can
  /// take effect at any time from its sending on, so of those with the same contents the first
  /// stands for all.
  static func history(_ calls: [SimulatedCall]) -> [TimedCall<Call>] {
    var history: [TimedCall<Call>] = []
    var open: Set<Int> = []
    for call in calls {
      let contents = calls.firstIndex { $0.draft == call.draft } ?? 0
      switch call.answer {
      case .refused, .idReused: continue
      case .stands(let sequence, let isDuplicate):
        let answer: Answer = isDuplicate ? .duplicate(of: sequence) : .applied(sequence: sequence)
        // Answered at the node, and lost on the way to the client: it took effect all the same.
        history.append(
          TimedCall(
            Call(contents: contents, answer: answer), invoked: call.invoked,
            answered: call.answered ?? .max))
      case .none, .inDoubt:
        guard open.insert(contents).inserted else { continue }
        history.append(
          TimedCall(
            Call(contents: contents, answer: .none), invoked: call.invoked, answered: nil))
      }
    }
    return history
  }
}

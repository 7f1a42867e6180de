import Bytes
import ClockSync
import HybridTime
import Ledger
import NIOCore
import NIOPosix
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// What HTTP asks of the node, answered by the real one.
final class ReplicaGateway: NodeGateway {
  let identity: NodeIdentity
  let core: NodeCore
  let environment: LoopEnvironment
  private let startMonotonicNanoseconds: Int64
  private let electionMilliseconds: Int
  private let answerMilliseconds: Int

  init(
    identity: NodeIdentity, core: NodeCore, environment: LoopEnvironment,
    electionMilliseconds: Int, answerMilliseconds: Int
  ) {
    self.identity = identity
    self.core = core
    self.environment = environment
    self.electionMilliseconds = electionMilliseconds
    self.answerMilliseconds = answerMilliseconds
    startMonotonicNanoseconds = environment.hostTime().monotonicNanoseconds
  }

  /// When a client may try again: after an election.
  var retryAfterSeconds: Int { max(1, (electionMilliseconds + 999) / 1000) }

  func submit(_ draft: PaymentDraft) async -> PaymentAnswer {
    switch await core.submit(draft) {
    case .applied(let sequence, let index, let stamp):
      return .settled(
        PaymentRecord(draft, stamp: stamp, sequence: sequence, index: index), duplicate: false)
    case .duplicate(let sequence):
      // The first answer again, from the log.
      do {
        if let record = try await record(at: sequence) {
          return .settled(record, duplicate: true)
        }
      } catch {}
      return .refused(.timedOut)
    case .rejected(let code, let sequence): return .rejected(code: code, sequence: sequence)
    case .refused(let refusal): return .refused(answer(refusal))
    }
  }

  func awaitPassed(_ stamp: Stamp) async -> Bool {
    let deadline = ContinuousClock.now + .milliseconds(answerMilliseconds)
    while true {
      let now = environment.readClock()
      // Two times compare only on one clock that something vouches for.
      guard now.reference == stamp.reading.reference, now.reference != .local else { return false }
      let left = stamp.latestNanoseconds - (now.correctedNanoseconds - now.boundNanoseconds)
      if left < 0 { return true }
      guard ContinuousClock.now < deadline else { return false }
      try? await Task.sleep(
        until: min(.now + .nanoseconds(left + 1), deadline), tolerance: .zero, clock: .continuous)
      if Task.isCancelled { return false }
    }
  }

  private func answer(_ refusal: PaymentRefusal) -> Refusal {
    switch refusal {
    case .noLeader: .noMajority(retryAfterSeconds: retryAfterSeconds)
    case .overloaded: .overloaded(retryAfterSeconds: 1)
    case .inDoubt: .timedOut
    case .clockAhead:
      .clockUnfit(reason: "this node's clock and the cluster's are too far apart")
    case .clockUnfit:
      .clockUnfit(reason: "this node's clock is not synchronized within the cluster's tolerance")
    case .diskFull: .diskFull
    case .stopping: .stopping
    case .idReused: .idReused
    }
  }

  func confirmReads() async throws(ReadProblem) {
    switch await core.awaitLinearizable() {
    case .granted: return
    case .refused(.overloaded): throw .busy(retryAfterSeconds: 1)
    case .refused(.stopping): throw .stopping
    case .refused(.noLeader), .refused(.inDoubt), .refused(.clockAhead), .refused(.clockUnfit),
      .refused(.diskFull), .refused(.idReused):
      throw .unconfirmed(retryAfterSeconds: retryAfterSeconds)
    }
  }

  func administer(_ request: OperatorRequest) async throws(OperatorRefusal) -> LogIndex {
    switch await core.administer(request) {
    case .refused(let refusal): throw refusal
    case .done(let index):
      // What this node answers next shows it; a node that has left hears nothing more to wait for.
      if request != .remove(identity.id) { _ = await core.awaitLinearizable() }
      return index
    }
  }

  func balances(_ query: BalanceQuery) async -> BalancePage {
    let page = try? await core.withLedger { ledger -> BalancePage in
      if let account = query.account {
        let balances = Currency.allActive.sorted().compactMap { currency in
          ledger.balance(of: account, currency).map {
            AccountBalance(name: account, currency: currency, minorUnits: $0)
          }
        }
        return BalancePage(
          balances: balances, nextCursor: nil, totalAccounts: ledger.accountCount)
      }
      return BalancePage(&ledger, query)
    }
    return page ?? BalancePage(balances: [], nextCursor: nil, totalAccounts: 0)
  }

  func transaction(_ id: TransactionID) async -> TransactionState {
    // Where the node cannot say, the payment is in doubt: never "safe to send".
    guard let found = try? await core.lookup(id) else { return .pending }
    switch found.known {
    case .applied(let sequence):
      guard let record = try? await record(at: sequence) else { return .pending }
      return .applied(record)
    case .rejected(let sequence, let code): return .rejected(code: code, sequence: sequence)
    case .unknown: return found.isPending ? .pending : .unknown
    }
  }

  func transactions(_ query: TransactionQuery) async throws(ReadProblem) -> TransactionPage {
    let bounds: (last: EventSequence, total: UInt64)
    do {
      bounds = try await core.withLedger { ($0.lastSequence, $0.counts.applied) }
    } catch { throw .stopping }
    let node = query.node.flatMap { name in
      identity.nodeNames.keys.sorted().first { identity.name(of: $0) == name }
    }
    if query.node != nil && node == nil {
      return TransactionPage(records: [], nextCursor: nil, totalCount: bounds.total)
    }
    var scan = TransactionScan(query: query, node: node, last: bounds.last)
    while scan.nextWindow() != nil {
      let found: [PaymentRecord]
      let window: TransactionScan.Window
      do {
        let step = try await environment.readers.runIfActive { [environment, scan] in
          try scan.step(from: environment.reader)
        }
        scan = step.scan
        guard let read = step.window else { break }
        (window, found) = (read, step.found)
      } catch let error as LogError {
        environment.scrub.met(error)
        throw .unreadable(reason: "\(error)")
      } catch { throw .stopping }
      let sequences = found.map(\.sequence)
      let applied: [Bool]
      do {
        applied = try await core.withLedger { ledger in sequences.map { ledger.wasApplied($0) } }
      } catch { throw .stopping }
      scan.take(zip(found, applied).filter(\.1).map(\.0), of: window)
    }
    return TransactionPage(
      records: scan.records, nextCursor: scan.nextCursor, totalCount: bounds.total)
  }

  /// The payment that an event is, from the log.
  private func record(at sequence: EventSequence) async throws -> PaymentRecord? {
    do {
      return try await environment.readers.runIfActive { [environment] in
        try TransactionScan.read(
          TransactionScan.Window(first: sequence, last: sequence), filter: .init(),
          from: environment.reader
        ).first
      }
    } catch let error as LogError {
      environment.scrub.met(error)
      throw error
    }
  }
}

extension ReplicaGateway {
  func status() -> NodeStatus { status(of: environment.currentSnapshot()) }

  func freshStatus() async -> NodeStatus {
    guard let snapshot = try? await core.freshSnapshot() else { return status() }
    return status(of: snapshot)
  }

  private func status(of snapshot: NodeSnapshot) -> NodeStatus {
    var status = NodeStatus(clock: environment.readClock())
    status.role =
      switch snapshot.role {
      case .leader: .leader
      case .follower: .follower
      case .candidate, .preCandidate: .candidate
      }
    status.term = snapshot.term
    status.leader = snapshot.leader
    status.commitIndex = snapshot.commit
    status.appliedIndex = snapshot.applied.index
    status.lastSequence = EventSequence(snapshot.counts.events)
    status.transactionCount = snapshot.counts.applied
    status.ledgerDigest = snapshot.ledgerDigest.hexadecimal
    status.pendingPayments = snapshot.pendingCount
    status.clockSnapshot = snapshot.clock
    status.monotonicNanoseconds = environment.hostTime().monotonicNanoseconds
    status.uptimeNanoseconds = status.monotonicNanoseconds - startMonotonicNanoseconds
    status.isReady =
      snapshot.leader != nil && !snapshot.isDraining
    status.peers = snapshot.peers.map { peer($0, snapshot) }
    status.members = snapshot.membership.members.map { member($0, snapshot, status.peers) }
    status.membershipIndex = snapshot.membershipIndex
    status.isChangingMembers = snapshot.membership.isJoint
    status.policy = snapshot.policy
    status.faults = snapshot.faults
    status.stampRefusals = snapshot.stampRefusals
    judge(snapshot, &status)
    return status
  }

  private func member(
    _ id: NodeID, _ snapshot: NodeSnapshot, _ peers: [PeerStatus]
  ) -> MemberStatus {
    let membership = snapshot.membership
    let role: MemberStatus.Role =
      if membership.voters.contains(id) {
        .voter
      } else if membership.outgoing.contains(id) {
        .outgoing
      } else {
        .learner
      }
    let peer = peers.first { $0.node == id }
    let isSelf = id == snapshot.id
    var status = MemberStatus(id: id, role: role, health: isSelf ? .healthy : peer?.health ?? .down)
    if let known = snapshot.members.first(where: { $0.id == id }) {
      status.peerAddress = known.peerAddress.isEmpty ? nil : known.peerAddress
      status.clientAddress = known.clientAddress.isEmpty ? nil : known.clientAddress
    }
    let isLeading = isSelf && snapshot.role == .leader
    status.matchIndex = isLeading ? snapshot.durable : peer?.matchIndex
    status.lagBatches = isLeading ? 0 : peer?.lagBatches
    return status
  }

  private func peer(_ liveness: PeerLiveness, _ snapshot: NodeSnapshot) -> PeerStatus {
    let health: PeerStatus.Health =
      switch liveness.health {
      case .healthy: .healthy
      case .suspect: .suspect
      case .down: .down
      }
    var peer = PeerStatus(node: liveness.id, health: health)
    peer.lastSeenNanoseconds = liveness.heard.map {
      $0.rawNanoseconds + snapshot.clock.reading.correctionNanoseconds
    }
    if let progress = snapshot.progress.first(where: { $0.id == liveness.id }) {
      peer.matchIndex = progress.match
      peer.lagBatches =
        snapshot.last.index.rawValue - min(progress.match, snapshot.last.index).rawValue
    }
    if let source = snapshot.clock.sources.first(where: { $0.source == .peer(liveness.id) }) {
      peer.clockOffsetNanoseconds = source.offsetNanoseconds
      peer.clockOffsetBoundNanoseconds = source.errorNanoseconds
    }
    return peer
  }

  private func judge(_ snapshot: NodeSnapshot, _ status: inout NodeStatus) {
    if !snapshot.membership.members.contains(snapshot.id) {
      status.reasons.append("This node is no member of the cluster; an operator may add it.")
    }
    if snapshot.leader == nil { status.reasons.append("No leader is known.") }
    if snapshot.isDraining { status.reasons.append("The node is stopping.") }
    status.scrub = environment.scrub.progress
    status.disk = environment.disk.current
    status.evidence.checkpoint = environment.evidence.newest?.checkpoint
    status.evidence.keys = environment.evidence.keys
    if status.disk.isShort {
      status.reasons.append("The disk is nearly full: payments are refused.")
    }
    for segment in status.scrub.damaged {
      status.reasons.append("\(segment.fileName) is damaged on this disk and not mended yet.")
    }
    if snapshot.isAbstaining {
      status.reasons.append(
        "Its disk lost what it had acknowledged: it abstains until it holds a later leader's entry."
      )
    }
    for peer in snapshot.peers where peer.health != .healthy {
      status.reasons.append("\(identity.name(of: peer.id)) is \(peer.health.rawValue).")
    }
    if snapshot.clock.reading.status != .synchronized && !snapshot.peers.isEmpty {
      status.reasons.append("The clock is \(snapshot.clock.reading.status).")
    }
    status.health = status.reasons.isEmpty ? .healthy : .degraded
  }
}

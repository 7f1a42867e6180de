import Bytes
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

// MARK: - What may be lost

extension World {
  /// The machine whose node goes by that number now.
  func host(of number: NodeID) -> SimulatedHost? {
    guard let place = roll.place(of: number), hosts[place].id == number else { return nil }
    return hosts[place]
  }

  /// Whether the cluster may have to do without a number: its disk is gone, damaged or out of order,
  /// or its node abstains because it has lost what it had acknowledged.
  private func isWeak(_ number: NodeID) -> Bool {
    if roll.lost.contains(number) { return true }
    guard let host = host(of: number) else { return false }
    if host.isAbstaining, let process = host.process {
      host.isAbstaining = process.node.snapshot().isAbstaining
    }
    return host.isSuspect || host.isAbstaining || host.lostReason != nil
  }

  /// Whether each half of a configuration keeps its majority without those that are weak.
  private func isBearable(_ membership: Membership, without extra: NodeID? = nil) -> Bool {
    membership.halves.allSatisfy { half in
      half.count(where: { $0 == extra || isWeak($0) }) <= (half.count - 1) / 2
    }
  }

  private var livingMemberships: [Membership] { roll.living(after: checks.committed.last) }

  /// Whether a machine may be lost, by every configuration that a node may count by.
  private func canLose(_ host: SimulatedHost) -> Bool {
    livingMemberships.allSatisfy {
      !$0.isVoter(host.id) || isBearable($0, without: host.id)
    }
  }

  /// Reserves a place among those that may be lost. False where too many are.
  func reserveSuspect(_ host: SimulatedHost) -> Bool {
    if host.isSuspect { return true }
    guard canLose(host) else { return false }
    host.isSuspect = true
    return true
  }

  /// Whether a torn write of a machine may have a later sector without an earlier one. Its node then
  /// asks everybody that its log knows before it gives the write up, and waits for those that never
  /// come back, unless the log surely says that they have left.
  func mayScatter(_ host: SimulatedHost) -> Bool {
    let isAwaited = roll.left.contains {
      $0.index > host.vouched && self.host(of: $0.number) == nil
    }
    return !isAwaited
      && livingMemberships.allSatisfy { membership in
        membership.members.allSatisfy { self.host(of: $0) != nil }
      }
  }

  /// Whether a node would begin no change that leaves too few voters which are not weak. An operator
  /// looks before asking, but a request may be long under way.
  func isBearable(_ request: OperatorRequest, at host: SimulatedHost) -> Bool {
    guard let node = host.process?.node.snapshot(), node.role == .leader else { return true }
    var voters = node.membership.voters
    switch request {
    case .addLearner, .setPolicy, .transferLeadership: return true
    case .promote(let number): voters.append(number)
    case .demote(let number), .remove(let number): voters.removeAll { $0 == number }
    case .replace(let old, let new):
      voters.removeAll { $0 == old }
      voters.append(new)
    }
    return voters.isEmpty || Set(voters).count < voters.count
      || isBearable(Membership(voters: voters, outgoing: node.membership.voters))
  }
}

// MARK: - Operators

extension World {
  func ask(_ request: OperatorRequest, at host: SimulatedHost) {
    operatorRequestCount += 1
    let token = operatorRequestCount
    guard isBearable(request, at: host) else { return }
    trace.note(now, "operator \(token) at node \(host.id.rawValue): \(request)")
    act(host, host.life) { node, _ in node.administer(request, token: token) }
  }

  /// A rule that payments and clocks do not meet, for the model of the ledger has none.
  func nextPolicy() -> OperatorRequest {
    switch faultRandom.number(0...3) {
    case 0: .setPolicy(.segmentBytes, to: faultRandom.pick([4 << 10, 8 << 10, 64 << 10]))
    case 1: .setPolicy(.compressionLevel, to: faultRandom.pick([0, 3, 9, 12]))
    case 2: .setPolicy(.indexBytes, to: faultRandom.pick([4 << 10, 16 << 10]))
    default: .setPolicy(.retainDays, to: Int64(faultRandom.number(0...36_500)))
    }
  }

  /// An operator looks at the members as the log has them, and asks for one change.
  func changeMembers(askedAt host: SimulatedHost) -> Bool {
    // Mostly at a node that can know the leader.
    let fit = hosts.filter { $0.process != nil && roll.current.members.contains($0.id) }
    let host = fit.isEmpty || faultRandom.chance(100) ? host : faultRandom.pick(fit)
    guard hosts.count > 1, host.process != nil, let request = nextChange() else { return false }
    ask(request, at: host)
    return true
  }

  private func nextChange() -> OperatorRequest? {
    let (voters, learners) = (roll.current.voters, roll.current.learners)
    let fit = learners.filter { !isWeak($0) }
    if let gone = roll.current.members.first(where: { roll.lost.contains($0) }),
      faultRandom.chance(700)
    {
      guard voters.contains(gone), let learner = fit.first, faultRandom.chance(700) else {
        return .remove(gone)
      }
      return .replace(gone, with: learner)
    }
    if learners.count < 3, faultRandom.chance(500), let machine = freeMachine() {
      settle(machine)
      return .addLearner(MemberRoll.member(machine.id))
    }
    let voter = faultRandom.pick(voters)
    switch faultRandom.number(0...5) {
    case 0: return mayShrink ? .demote(voter) : nil
    case 1: return mayShrink ? .remove(voter) : nil
    case 2: return learners.isEmpty ? nil : .remove(faultRandom.pick(learners))
    case 3: return fit.isEmpty ? nil : .replace(voter, with: faultRandom.pick(fit))
    default: return learners.isEmpty ? nil : .promote(faultRandom.pick(learners))
    }
  }

  /// Small clusters survive little: most worlds keep three voters, if they began with as many.
  private var mayShrink: Bool {
    roll.current.voters.count > min(3, options.nodeCount) || faultRandom.chance(150)
  }

  /// A machine for a new node: one that nobody uses, or one whose node has left or lost its disk.
  private func freeMachine() -> SimulatedHost? {
    // Who mends a log may still need an answer from those that left.
    guard !hosts.contains(where: isMending) else { return nil }
    let free = hosts.filter { host in
      host.isSpare || host.isGhost || host.lostReason != nil
        || livingMemberships.allSatisfy { !$0.members.contains(host.id) }
    }
    return free.isEmpty ? nil : faultRandom.pick(free)
  }

  private func isMending(_ host: SimulatedHost) -> Bool {
    host.repair != nil || (host.process == nil && host.mayBeTorn && !host.isGhost)
  }

  /// A node under a new number begins on a machine, with an empty disk, and waits to be added.
  private func settle(_ host: SimulatedHost) {
    if host.isUp { crash(host, losesPower: true, "to come back under a new number") }
    if host.lostReason != nil, !roll.lost.contains(host.id) { roll.lose(host.id) }
    wipeDisk(host)
    host.id = roll.takeNumber(for: host.place)
    host.isSpare = false
    host.isGhost = false
    host.isJoining = true
    host.lostReason = nil
    host.configured = roll.members + [MemberRoll.member(host.id)]
    statistics.newNodeCount += 1
    trace.note(now, "node \(host.id.rawValue) begins on machine \(host.place)")
    planStart(host, in: faultRandom.span(10 * Span.millisecond...Span.second))
  }
}

// MARK: - Lost disks

extension World {
  /// A machine loses its disk, and its node comes back under its number, which nobody may believe.
  ///
  /// That takes that the others can know it: each that has a log durably holds where it names the
  /// data directory. And nodes without a log believe each other: those must be no majority of the
  /// members that the cluster began with.
  func wipe(_ host: SimulatedHost) -> Bool {
    guard !host.isSpare, !host.isGhost, host.lostReason == nil,
      roll.current.members.contains(host.id), canLose(host),
      let known = roll.stores[host.id], known.store == host.store,
      hosts.count(where: \.isGhost) < (options.nodeCount - 1) / 2,
      !hosts.contains(where: { isMending($0) && $0 !== host })
    else { return false }
    for other in hosts where other !== host && !other.isSpare && !other.isGhost {
      guard other.durability.storedCount >= Int(known.index.rawValue) else { return false }
    }
    if host.isUp { crash(host, losesPower: true, "its disk is gone") }
    trace.note(now, "node \(host.id.rawValue) has lost its disk")
    wipeDisk(host)
    host.isGhost = true
    roll.lose(host.id)
    return true
  }

  private func wipeDisk(_ host: SimulatedHost) {
    host.disk.wipe()
    host.diskNumber += 1
    host.keys = [:]
    host.durability = Durability()
    host.damagedSnapshots = []
    host.unvouchedDamage = []
    host.rottenCopies = [:]
    host.vouched = .zero
    host.term = nil
    host.store = 0
    host.isSuspect = false
    host.isAbstaining = false
    host.mayBeTorn = false
  }
}

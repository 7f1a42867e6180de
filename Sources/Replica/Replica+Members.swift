package import Bytes
import HybridTime
package import Ledger
import Raft
import SegmentLog

/// What operators ask for, and changes of members.
extension Replica {
  /// An operator's request, here.
  mutating func administer(
    _ request: OperatorRequest, token: UInt64, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    let asker = OperatorDesk.Asker.here(token: token)
    guard !desk.isFull else { return answer(asker, .refused(.notReady), into: &effects) }
    if raft.role == .leader {
      return carryOut(request, for: asker, reading: reading, into: &effects)
    }
    guard let leader = raft.leader else {
      return answer(asker, .refused(.noLeader), into: &effects)
    }
    let context = desk.nextContext()
    var removing: NodeID?
    if case .remove(let node) = request, raft.membership.members.contains(node) { removing = node }
    desk.add(asker, .leader(context: context, removing: removing), tick: tick)
    effects.append(.send(.operatorRequest(context: context, request), to: leader))
  }

  /// A request that came through another node.
  mutating func administer(
    _ request: OperatorRequest, context: UInt64, from peer: NodeID, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    let asker = OperatorDesk.Asker.there(peer, context: context)
    guard raft.role == .leader, !desk.isFull else {
      return answer(asker, .refused(.notReady), into: &effects)
    }
    carryOut(request, for: asker, reading: reading, into: &effects)
  }

  /// The leader's answer to a request that this node passed on.
  mutating func receive(
    _ result: OperatorResult, context: UInt64, into effects: inout [ReplicaEffect]
  ) {
    let answered = desk.take { waiting in
      if case .leader(let own, _) = waiting.stage { own == context } else { false }
    }
    for waiting in answered {
      answer(waiting.asker, result, into: &effects)
    }
  }

  /// As the leader: writes the event that a request is.
  private mutating func carryOut(
    _ request: OperatorRequest, for asker: OperatorDesk.Asker, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    guard isRouteKnown, !raft.isTransferring, raft.last.index == raft.commit || canPropose else {
      return answer(asker, .refused(.notReady), into: &effects)
    }
    let stamp = Stamp(
      reading: reading,
      hybrid: hybrid.tickRegardless(correctedNanoseconds: reading.correctedNanoseconds), node: id)
    do throws(OperatorRefusal) {
      let stage: OperatorDesk.Stage
      switch request {
      case .setPolicy(let key, let value):
        guard key.range.contains(value) else { throw .valueInvalid }
        let event = Event.policy(PolicyChange(stamp: stamp, key: key, value: value))
        stage = .entry(propose(event, stamp, reading: reading, into: &effects))
      case .transferLeadership(let target):
        guard target.map({ raft.membership.voters.contains($0) }) ?? true else {
          throw .unknownMember
        }
        guard target != id else { throw .unchanged }
        guard !desk.isTransferring else { throw .notReady }
        let event = Event.leadership(LeadershipTransfer(stamp: stamp, target: target))
        stage = .transfer(propose(event, stamp, reading: reading, into: &effects), to: target)
      case .addLearner, .promote, .demote, .remove, .replace:
        let change = try change(for: request, stamp)
        stage = .members(propose(.membership(change), stamp, reading: reading, into: &effects))
      }
      desk.add(asker, stage, tick: tick)
    } catch {
      answer(asker, .refused(error), into: &effects)
    }
  }

  /// How much greater a new number may be than the greatest before it: one mistake must not use up
  /// all numbers.
  private static var numberStepMax: UInt16 { 100 }

  private var canPropose: Bool {
    raft.last.index.rawValue - min(raft.durable, raft.last.index).rawValue
      < UInt64(configuration.batchesUnsyncedMax)
  }

  /// The change of members that a request means, if consensus allows it now.
  private func change(
    for request: OperatorRequest, _ stamp: Stamp
  ) throws(OperatorRefusal) -> MembershipChange {
    var voters = raft.membership.voters
    var learners = raft.membership.learners
    var members = changes.current
    switch request {
    case .addLearner(let member):
      // Whoever had the number before may still run, and others may remember it.
      guard member.id > state.ledger.cluster.memberNumberMax,
        !members.contains(where: { $0.id == member.id })
      else { throw .numberTaken }
      guard member.isWellFormed, !member.peerAddress.isEmpty,
        !members.contains(where: { $0.peerAddress == member.peerAddress }),
        member.id.rawValue <= state.ledger.cluster.memberNumberMax.rawValue + Self.numberStepMax
      else { throw .malformed }
      learners.append(member.id)
      members.append(member)
    case .promote(let node):
      guard learners.contains(node) else { throw .notLearner }
      learners.removeAll { $0 == node }
      voters.append(node)
    case .demote(let node):
      guard voters.contains(node) else { throw .unknownMember }
      voters.removeAll { $0 == node }
      learners.append(node)
    case .remove(let node):
      guard voters.contains(node) || learners.contains(node) else { throw .unknownMember }
      voters.removeAll { $0 == node }
      learners.removeAll { $0 == node }
    case .replace(let old, let new):
      guard voters.contains(old) else { throw .unknownMember }
      guard learners.contains(new) else { throw .notLearner }
      voters.removeAll { $0 == old }
      learners.removeAll { $0 == new }
      voters.append(new)
    case .transferLeadership, .setPolicy: preconditionFailure("not a change of members")
    }
    let membership: Membership
    do throws(MembershipRefusal) {
      membership = try raft.membershipChange(voters: voters.sorted(), learners: learners.sorted())
    } catch {
      throw OperatorRefusal(error)
    }
    return try self.change(to: membership, members, stamp)
  }

  private func change(
    to membership: Membership, _ members: [ClusterMember], _ stamp: Stamp
  ) throws(OperatorRefusal) -> MembershipChange {
    let everybody = membership.members
    var listed = members.filter { everybody.contains($0.id) }
    for id in everybody where !listed.contains(where: { $0.id == id }) {
      listed.append(ClusterMember(id: id))
    }
    for place in listed.indices where listed[place].store == 0 {
      listed[place].store = stores[listed[place].id] ?? 0
    }
    let change = MembershipChange(
      stamp: stamp, voters: membership.voters, outgoing: membership.outgoing,
      learners: membership.learners, members: listed.sorted { $0.id < $1.id })
    guard change.isWellFormed else { throw .malformed }
    return change
  }

  /// As the leader: writes what a change of members still needs, and, in a cluster that has not
  /// written its members down yet, does that.
  mutating func continueChanges(reading: ClockReading, into effects: inout [ReplicaEffect]) {
    guard raft.role == .leader, !raft.isTransferring, isRouteKnown else { return }
    let isSettled = raft.memberships.current.index <= state.last.index
    let isUnwritten = changes.last == nil || (isSettled && hasUnwrittenStores)
    guard let membership = raft.membershipDue ?? (isUnwritten ? raft.membership : nil) else {
      return
    }
    let stamp = Stamp(
      reading: reading,
      hybrid: hybrid.tickRegardless(correctedNanoseconds: reading.correctedNanoseconds), node: id)
    guard let change = try? change(to: membership, changes.current, stamp) else { return }
    _ = propose(.membership(change), stamp, reading: reading, into: &effects)
  }

  /// Whether the log does not say yet by which data directory a member is known.
  private var hasUnwrittenStores: Bool {
    changes.current.contains { $0.store == 0 && stores[$0.id] != nil }
  }

  /// Whether a peer may be talked to: not if the log knows its number by another data directory.
  /// Whoever lost its directory has forgotten its votes, and comes back under a new number. The
  /// answer may change whenever ``ReplicaEffect/membersChanged(_:)`` says so.
  package func admits(_ peer: NodeID, store: UInt64) -> Bool {
    let known = changes.current.first { $0.id == peer }?.store ?? 0
    return known == 0 || store == 0 || known == store
  }

  /// Writes one event of an operator as a batch of its own, and returns its entry.
  private mutating func propose(
    _ event: Event, _ stamp: Stamp, reading: ClockReading, into effects: inout [ReplicaEffect]
  ) -> EntryID {
    var writer = ByteWriter(capacity: 256)
    event.encode(into: &writer)
    var batch = OpenBatch()
    batch.append(record: writer.bytes, stamp: stamp)
    var membership: Membership?
    if case .membership(let change) = event { membership = change.membership }
    propose(batch, membership: membership, reading: reading, into: &effects)
    return raft.last
  }

  /// The members with their addresses, by the log, or by the configuration until the log says.
  package var members: [ClusterMember] { changes.reachable }

  /// What the log said of members was dropped, or more of it has come.
  mutating func membersChanged(into effects: inout [ReplicaEffect]) {
    effects.append(.membersChanged(changes.reachable))
  }

  /// After applying: lets go of the nodes that have left for good.
  mutating func noteMembers(into effects: inout [ReplicaEffect]) {
    guard changes.compact(applied: state.last.index) else { return }
    membersChanged(into: &effects)
    if !changes.current.contains(where: { $0.id == id }) { effects.append(.note(.removed)) }
  }

  /// Answers the requests whose events have been applied, and begins the transfers among them.
  mutating func answerOperators(into effects: inout [ReplicaEffect]) {
    guard !desk.waiting.isEmpty else { return }
    let applied = state.last.index
    for target in desk.beginTransfers(applied: applied) {
      raft.step(.transferLeadership(to: target), into: &raftEffects)
    }
    let isChanging = raft.membership.isJoint || raft.memberships.current.index > applied
    let over = desk.take { waiting in
      switch waiting.stage {
      case .entry(let entry): entry.index <= applied
      case .members(let entry): entry.index <= applied && !isChanging
      case .leader(_, let removing):
        // This node's own log says what the leader, which has left, may not come to say.
        !isChanging && removing.map { !raft.membership.members.contains($0) } ?? false
      case .transfer, .handover: false
      }
    }
    for waiting in over {
      switch waiting.stage {
      case .entry(let entry), .members(let entry):
        // Another leader may have put something else there.
        let isSame = raft.term(at: entry.index) == entry.term
        answer(
          waiting.asker, isSame ? .done(applied) : .refused(.inDoubt), into: &effects)
      case .leader: answer(waiting.asker, .done(applied), into: &effects)
      case .transfer, .handover: break
      }
    }
  }

  /// A transfer that an operator asked for is over.
  mutating func transferEnded(succeeded: Bool, into effects: inout [ReplicaEffect]) {
    for waiting in desk.take(where: { if case .handover = $0.stage { true } else { false } }) {
      answer(
        waiting.asker, succeeded ? .done(state.last.index) : .refused(.transferFailed),
        into: &effects)
    }
  }

  /// Gives up requests that have waited too long.
  mutating func expireOperators(into effects: inout [ReplicaEffect]) {
    let limit = tick - configuration.answerTicksMax
    for waiting in desk.take(where: { $0.tick <= limit }) {
      answer(waiting.asker, .refused(.inDoubt), into: &effects)
    }
  }

  private func answer(
    _ asker: OperatorDesk.Asker, _ result: OperatorResult, into effects: inout [ReplicaEffect]
  ) {
    switch asker {
    case .here(let token):
      effects.append(.answerOperator(OperatorAnswer(token: token, result: result)))
    case .there(let peer, let context):
      effects.append(.send(.operatorResponse(context: context, result), to: peer))
    }
  }
}

extension OperatorRefusal {
  /// A refusal of consensus.
  init(_ refusal: MembershipRefusal) {
    switch refusal {
    case .notReady: self = .notReady
    case .changing: self = .changing
    case .malformed: self = .malformed
    case .noVoters: self = .noVoters
    case .notLearner: self = .notLearner
    case .behind: self = .behind
    case .wouldStop: self = .wouldStop
    case .unchanged: self = .unchanged
    }
  }
}

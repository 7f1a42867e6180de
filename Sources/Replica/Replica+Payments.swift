import Bytes
import HybridTime
import Ledger
import Raft
import SegmentLog

extension Replica {
  /// Takes in one payment of a client, or answers it at once.
  mutating func submit(_ submission: Submission, into effects: inout [ReplicaEffect]) {
    func answer(_ result: PaymentResult) {
      effects.append(.settle(PaymentSettlement(token: submission.token, result: result)))
    }
    let draft = submission.draft
    if let waiting = ingress[draft.id] {
      if waiting.draft == draft {
        ingress.join(draft.id, token: submission.token)
      } else {
        answer(.refused(.idReused))
      }
      return
    }
    let known: Precheck
    do throws(PastProblem) { known = try state.ledger.precheck(draft) } catch {
      // It may be in the log.
      effects.append(.suspect(error.segment))
      return answer(.refused(.inDoubt))
    }
    switch known {
    case .known(let sequence, .applied): return answer(.duplicate(of: sequence))
    case .known(let sequence, let code): return answer(.rejected(code, sequence: sequence))
    case .conflict: return answer(.refused(.idReused))
    case .new: break
    }
    if isDraining { return answer(.refused(.stopping)) }
    if isDiskShort { return answer(.refused(.diskFull)) }
    if !isClockFit(submission.reading) { return answer(.refused(.clockUnfit)) }
    if ingress.count >= configuration.pendingPaymentsMax {
      return answer(.refused(.overloaded))
    }
    if let since = leaderlessSince, tick - since >= leaderlessTicksMax {
      return answer(.refused(.noLeader))
    }
    do {
      let time = try hybrid.tick(correctedNanoseconds: submission.reading.correctedNanoseconds)
      let stamp = Stamp(reading: submission.reading, hybrid: time, node: id)
      var writer = ByteWriter(capacity: 128)
      draft.encode(stamp: stamp, into: &writer)
      ingress.add(submission, stamp: stamp, record: writer.bytes, tick: tick)
    } catch {
      answer(.refused(.clockAhead))
    }
  }

  /// How long payments wait for an election before they are refused.
  var leaderlessTicksMax: Int { 3 * configuration.raft.electionTicksMax }

  /// Stamps and encodes a clock report of this node.
  mutating func report(
    driftPartsPerBillion: Int64, sources: [ClockSourceReport], reading: ClockReading
  ) {
    let time = hybrid.tickRegardless(correctedNanoseconds: reading.correctedNanoseconds)
    let stamp = Stamp(reading: reading, hybrid: time, node: id)
    var writer = ByteWriter(capacity: 128)
    ClockReport(stamp: stamp, driftPartsPerBillion: driftPartsPerBillion, sources: sources)
      .encode(into: &writer)
    queue(writer.bytes, stamp)
  }

  /// Stamps a beacon: nothing earlier of this node is in flight. Where something is, there is none.
  mutating func beacon(reading: ClockReading) {
    guard ingress.count == 0 else { return }
    let time = hybrid.tickRegardless(correctedNanoseconds: reading.correctedNanoseconds)
    let stamp = Stamp(reading: reading, hybrid: time, node: id)
    var writer = ByteWriter(capacity: 64)
    Event.beacon(stamp).encode(into: &writer)
    queue(writer.bytes, stamp)
  }

  private mutating func queue(_ record: [UInt8], _ stamp: Stamp) {
    if reports.count >= Self.reportsMax { reports.removeFirst() }
    reports.append((record, stamp))
  }

  /// Most clock reports and beacons that wait for a leader.
  private static var reportsMax: Int { 16 }

  /// Gives unsent payments to the leader, as few frames as their size allows.
  mutating func forward(into effects: inout [ReplicaEffect]) {
    guard let leader = raft.leader, leader != id else { return }
    while ingress.hasUnsent || !reports.isEmpty {
      var events = ForwardedEvents(count: reports.count, records: [], mayRepeat: false)
      for report in reports { events.records.append(contentsOf: report.record) }
      reports.removeAll()
      ingress.send(tick: tick) { payment in
        guard events.records.count + payment.record.count <= PeerFrame.forwardByteCountMax else {
          return false
        }
        events.records.append(contentsOf: payment.record)
        events.count += 1
        events.mayRepeat = events.mayRepeat || payment.sentTick != nil
        return true
      }
      effects.append(.send(.forward(events), to: leader))
    }
  }

  /// The leader will not log events of this node: their clients are told now.
  mutating func refuse(_ refusal: ForwardRefusal, into effects: inout [ReplicaEffect]) {
    let refused = ingress.removeAll { payment in
      payment.sentTick != nil && payment.stamp.hybrid >= refusal.first
        && payment.stamp.hybrid <= refusal.last
    }
    for payment in refused {
      // One that was sent more than once may have been logged by another sending.
      settle(
        payment, .refused(payment.sendCount > 1 ? .inDoubt : Self.answer(to: refusal.reason)),
        into: &effects)
    }
  }

  private static func answer(to reason: ForwardRefusalReason) -> PaymentRefusal {
    switch reason {
    case .clockAhead, .malformed: .clockAhead
    case .diskFull: .diskFull
    }
  }

  /// Applies every batch that is committed and durable here, and answers this node's clients.
  mutating func applyReady(into effects: inout [ReplicaEffect]) {
    let target = min(raft.commit, raft.durable)
    guard state.last.index < target else { return }
    while state.last.index < target {
      guard let batch = entries[state.last.index.next] else {
        preconditionFailure("the cache holds every batch that is not applied")
      }
      do {
        if let seal = try state.apply(batch) {
          effects.append(.store(.seal(seal)))
          effects.append(
            .checkpoint(
              seal.checkpoint(of: configuration.cluster, hash: batch.header.previousHash),
              endsSegment: true))
          effects.append(
            .note(
              .segmentClosed(first: seal.segment, last: batch.header.index.previous)))
        }
      } catch .pastUnreadable(let segment) {
        // Tried again with each step.
        effects.append(.suspect(segment))
        break
      } catch {
        effects.append(
          .halt(reason: "batch \(batch.header.index.rawValue) cannot be applied: \(error)"))
        return
      }
      digests.applied(state.last.index, state.ledger.digest)
      if let checkpoint = state.checkpoint(of: configuration.cluster) {
        effects.append(.checkpoint(checkpoint, endsSegment: false))
      }
      answerClients(of: batch, into: &effects)
    }
    entries.trim(applied: state.last.index)
    judgeDigests(into: &effects)
    noteMembers(into: &effects)
    followPolicy(into: &effects)
    if state.last.term == raft.term && settledTerm != raft.term {
      settledTerm = raft.term
      ingress.resendAll()
    }
  }

  /// Settles what waits here for an id that this batch holds, whoever sent it: a client may have
  /// sent its payment to two nodes, and the ledger, not the sender, says what became of it.
  private mutating func answerClients(of batch: Batch, into effects: inout [ReplicaEffect]) {
    guard ingress.count > 0, batch.header.count > 0 else { return }
    let records = batch.records
    let span = records.span.bytes
    var cursor = RecordCursor(span)
    while let record = try? cursor.next(in: span) {
      guard record.kind == .payment, let payment = try? PaymentView(record.body, in: span),
        let waiting = ingress.remove(payment.id(in: span))
      else { continue }
      settle(
        waiting, result(for: waiting, recorded: payment.stamp, in: batch.header.index),
        into: &effects)
    }
  }

  /// What the ledger says of a waiting payment whose id an event at `index` has just used.
  private func result(
    for waiting: Ingress.Pending, recorded stamp: Stamp, in index: LogIndex
  ) -> PaymentResult {
    let known: Precheck
    do throws(PastProblem) { known = try state.ledger.precheck(waiting.draft) } catch {
      return .refused(.inDoubt)
    }
    switch known {
    case .known(let sequence, .applied):
      return stamp == waiting.stamp
        ? .applied(sequence: sequence, index: index, stamp: stamp) : .duplicate(of: sequence)
    case .known(let sequence, let code): return .rejected(code, sequence: sequence)
    case .conflict: return .refused(.idReused)
    case .new: preconditionFailure("an applied event's id is in the ledger")
    }
  }

  private func settle(
    _ payment: Ingress.Pending, _ result: PaymentResult, into effects: inout [ReplicaEffect]
  ) {
    for token in payment.tokens {
      effects.append(.settle(PaymentSettlement(token: token, result: result)))
    }
  }

  /// Answers what has waited too long, and sends again what seems lost.
  mutating func expire(into effects: inout [ReplicaEffect]) {
    if let since = leaderlessSince, tick - since >= leaderlessTicksMax {
      for payment in ingress.removeAll(where: { $0.sentTick == nil }) {
        settle(payment, .refused(.noLeader), into: &effects)
      }
    }
    for payment in ingress.removeExpired(tick: tick, ticksMax: configuration.answerTicksMax) {
      settle(
        payment, .refused(payment.sentTick == nil ? .noLeader : .inDoubt), into: &effects)
    }
    if ingress.isOverdue(tick: tick, resendTicks: configuration.resendTicks) {
      ingress.resendAll()
    }
  }
}

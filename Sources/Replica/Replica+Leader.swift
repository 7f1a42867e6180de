import Bytes
import DequeModule
import HybridTime
import Ledger
import Raft
import SegmentLog

extension Replica {
  /// As the leader: takes this node's own unsent payments and reports into the open batch.
  mutating func takeOwnPayments() {
    for report in reports { append(report.record[...], stamp: report.stamp) }
    reports.removeAll()
    guard ingress.hasUnsent else { return }
    var taken: [Ingress.Pending] = []
    ingress.send(tick: tick) { payment in
      taken.append(payment)
      return true
    }
    let inFlight = taken.contains { $0.sentTick != nil } ? idsInFlight() : []
    for payment in taken where payment.sentTick == nil || !inFlight.contains(payment.draft.id) {
      append(payment.record[...], stamp: payment.stamp)
    }
  }

  /// As the leader: takes events of another node into the open batch.
  mutating func take(
    _ events: ForwardedEvents, from peer: NodeID, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    guard raft.role == .leader else { return }  // The sender will learn of the new leader.
    // What is dropped here its sender sends again.
    guard openBatches.count < configuration.openBatchesMax else { return }
    do {
      let parsed = try ForwardedRecords(events)
      if isDiskShort, parsed.records.contains(where: { $0.id != nil }) {
        return refuse(parsed, reason: .diskFull, to: peer, detail: nil, into: &effects)
      }
      do {
        try hybrid.observe(
          parsed.hybridLast, correctedNanoseconds: reading.correctedNanoseconds)
      } catch {
        stampRefusals[peer, default: StampRefusals()].take(parsed.records.count, error)
        return refuse(
          parsed, reason: .clockAhead, to: peer, detail: "\(error)", into: &effects)
      }
      // A sender that repeats does not know what is in flight here: what is, is not logged twice, nor
      // what cannot be known just now; it comes again.
      let inFlight = events.mayRepeat ? idsInFlight() : []
      for record in parsed.records {
        if !refusedStamps.isEmpty, let reason = refusedStamps[record.stamp] {
          // The first refusal may be lost: its sender has it still.
          let time = record.stamp.hybrid
          effects.append(
            .send(
              .forwardRefused(ForwardRefusal(first: time, last: time, reason: reason)), to: peer))
          continue
        }
        if events.mayRepeat, let id = record.id,
          inFlight.contains(id) || (try? state.ledger.lookup(id)) != .unknown
        {
          continue
        }
        append(events.records[record.range], stamp: record.stamp)
      }
    } catch {
      effects.append(.note(.peerRefused(peer, reason: "malformed events: \(error)")))
    }
  }

  /// The ids in open batches and in batches that are not applied. Work grows with those alone.
  private func idsInFlight() -> Set<TransactionID> {
    var ids: Set<TransactionID> = []
    func insert(_ bytes: [UInt8], _ count: Int) {
      guard let parsed = try? ForwardedRecords(records: bytes, count: count) else { return }
      for record in parsed.records { if let id = record.id { ids.insert(id) } }
    }
    for batch in openBatches { insert(batch.records, batch.count) }
    var index = state.last.index.next
    while let batch = entries[index] {
      insert(batch.records, batch.header.count)
      index = index.next
    }
    return ids
  }

  private mutating func refuse(
    _ parsed: ForwardedRecords, reason: ForwardRefusalReason, to peer: NodeID, detail: String?,
    into effects: inout [ReplicaEffect]
  ) {
    for record in parsed.records { refusedStamps.insert(record.stamp, reason) }
    if let detail { effects.append(.note(.peerRefused(peer, reason: detail))) }
    effects.append(
      .send(
        .forwardRefused(
          ForwardRefusal(first: parsed.hybridFirst, last: parsed.hybridLast, reason: reason)),
        to: peer))
  }

  private mutating func append(_ record: ArraySlice<UInt8>, stamp: Stamp) {
    if openBatches.last.map({ isFull($0, adding: record.count) }) ?? true {
      openBatches.append(OpenBatch())
    }
    openBatches[openBatches.count - 1].append(record: record, stamp: stamp)
  }

  private func isFull(_ batch: OpenBatch, adding byteCount: Int) -> Bool {
    batch.count >= configuration.batchEventsMax
      || batch.records.count + byteCount > configuration.batchByteCountMax
  }

  /// Proposes open batches while fewer than the limit are uncommitted: what arrives meanwhile
  /// makes the next batch larger (group commit).
  mutating func closeBatches(reading: ClockReading, into effects: inout [ReplicaEffect]) {
    while raft.role == .leader, !raft.isTransferring, let batch = openBatches.first, !batch.isEmpty,
      raft.last.index.rawValue - raft.commit.rawValue
        < UInt64(configuration.batchesInFlightMax),
      raft.last.index.rawValue - min(raft.durable, raft.last.index).rawValue
        < UInt64(configuration.batchesUnsyncedMax)
    {
      openBatches.removeFirst()
      propose(batch, reading: reading, into: &effects)
    }
  }

  /// As the leader of a log that has gone quiet: one empty batch whose header says that the last
  /// events are committed. A header tells what was committed before it, so without this the newest
  /// payments of an idle cluster would be certain to its nodes but not to an audit of its files.
  mutating func vouchForCommit(reading: ClockReading, into effects: inout [ReplicaEffect]) {
    guard raft.role == .leader, !raft.isTransferring, raft.commit == raft.last.index,
      tick - appendedTick >= configuration.quietTicks, openBatches.isEmpty,
      let vouched = entries.last?.header.commit, lastEventful > vouched
    else { return }
    propose(OpenBatch(), reading: reading, into: &effects)
  }

  /// Builds a batch at the log's end: one compression, one hash, one byte string for the wire and
  /// for every node's file.
  mutating func propose(
    _ open: OpenBatch, membership: Membership? = nil, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    let stamp = Stamp(
      reading: reading,
      hybrid: hybrid.tickRegardless(correctedNanoseconds: reading.correctedNanoseconds), node: id)
    let range = open.range(orOf: stamp)
    let fields = BatchFields(
      startsSegment: startsSegment(adding: open.records.count, events: open.count),
      changesMembers: membership != nil, index: raft.last.index.next, term: raft.term,
      firstSequence: nextSequence, count: open.count,
      commit: raft.commit, stamp: stamp, correctedMin: range.correctedMin,
      correctedMax: range.correctedMax, hybridMax: range.hybridMax,
      previousHash: entries.last?.header.hash ?? .zero)
    do {
      let batch = try builder.build(fields, records: open.records)
      append([batch], into: &effects)
      raft.step(
        membership.map { .proposeMembership($0) } ?? .propose(count: 1), into: &raftEffects)
    } catch {
      effects.append(.halt(reason: "cannot build a batch: \(error)"))
    }
  }

  /// A new segment begins where the old one would grow over its limits, of bytes or of events. The leader decides, and
  /// writes the decision into the batch: so boundaries are the same on all nodes.
  private func startsSegment(adding recordsByteCount: Int, events: Int) -> Bool {
    guard raft.last.index > .zero else { return true }
    let used = entries.segmentByteCount
    let isLong = used + BatchHeader.byteCount + recordsByteCount / 2 > segmentByteCountMax
    let count = entries.segmentEventCount
    let isFull = count > 0 && count + events > configuration.segmentEventCountMax
    return used > 0 && (isLong || isFull)
  }
}

import Bytes
import HybridTime
import Ledger
import Raft
import SegmentLog

extension Replica {
  /// Turns what consensus asks for into effects, then applies what has become committed.
  ///
  /// `batches` are those of the message that was just stepped, the first of them at `firstIndex`.
  mutating func carryOut(
    batches: ArraySlice<Batch>, firstIndex: LogIndex, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    // Handling an effect may make consensus ask for more: those go to the end.
    var next = 0
    while next < raftEffects.count {
      let effect = raftEffects[next]
      next += 1
      switch effect {
      case .persistHardState(let hardState):
        recordedCommit = max(recordedCommit, state.last.index)
        storeHardState(hardState, into: &effects)
      case .truncate(let index): truncate(from: index, into: &effects)
      case .append(let range):
        let first = Int(range.first.rawValue - firstIndex.rawValue)
        let last = Int(range.last.rawValue - firstIndex.rawValue)
        append(Array(batches[first...last]), into: &effects)
      case .send(let message, let peer): effects.append(.send(.raft(message), to: peer))
      case .sendAfterPersist(let message, let peer):
        effects.append(.sendAfterStore(.raft(message), to: peer))
      case .sendEntries(let request, let peer): send(request, to: peer, into: &effects)
      case .commit: break
      case .roleChanged(let role, let term, let leader):
        effects.append(.note(.roleChanged(role, term: term, leader: leader)))
        roleChanged(role, leader: leader, reading: reading, into: &effects)
      case .proposalDropped: preconditionFailure("only a leader that may propose closes a batch")
      case .transferEnded(let succeeded):
        effects.append(.note(.transferEnded(succeeded: succeeded)))
        transferEnded(succeeded: succeeded, into: &effects)
      case .readReady(let context, let index): reads.confirm(context, index: index)
      case .readFailed(let context): reads.giveUp(context)
      case .membershipChanged(let entry):
        effects.append(.note(.membersChanged(entry.membership, at: entry.index)))
        membersChanged(into: &effects)
      }
    }
    raftEffects.removeAll(keepingCapacity: true)
    applyReady(into: &effects)
    answerReads(into: &effects)
    answerOperators(into: &effects)
    // Both may have asked consensus for more.
    if !raftEffects.isEmpty {
      carryOut(batches: [], firstIndex: .zero, reading: reading, into: &effects)
    }
  }

  /// Whether the batches chain to each other and to this node's own log. Where they do not, two
  /// nodes hold different histories under the same index and term: no vote can mend that.
  func chainHolds(
    _ request: AppendRequest, _ batches: [Batch], from peer: NodeID,
    into effects: inout [ReplicaEffect]
  ) -> Bool {
    var previous: Digest256? =
      request.previous.index == .zero ? .zero : entries[request.previous.index]?.header.hash
    if previous != nil, raft.term(at: request.previous.index) != request.previous.term {
      previous = nil  // A conflict: consensus will say no, or truncate.
    }
    for batch in batches {
      if let previous, previous != batch.header.previousHash {
        effects.append(
          .halt(
            reason: "batch \(batch.header.index.rawValue) of node \(peer.rawValue) does not chain"
              + " to this node's log: the histories differ; run syncpay-audit verify on both"))
        return false
      }
      previous = batch.header.hash
    }
    return true
  }

  private mutating func truncate(from index: LogIndex, into effects: inout [ReplicaEffect]) {
    entries.truncate(from: index)
    changes.truncate(from: index)
    lastEventful = min(lastEventful, index.previous)
    nextSequence = entries.last.map(\.header.sequenceAfter) ?? EventSequence(1)
    effects.append(.store(.truncate(from: index)))
    effects.append(.note(.truncated(from: index)))
  }

  mutating func append(_ batches: [Batch], into effects: inout [ReplicaEffect]) {
    for batch in batches {
      entries.append(batch)
      nextSequence = batch.header.sequenceAfter
      if batch.header.count > 0 { lastEventful = batch.index }
      if let change = batch.membershipChange { changes.append(change, at: batch.index) }
      hybrid.restore(max(batch.header.hybridMax, batch.header.stamp.hybrid))
    }
    appendedTick = tick
    effects.append(.store(.append(batches)))
  }

  /// Now and then tells the hard state how far the log is committed, so that recovery knows what of
  /// it may have been acknowledged: that is never torn, and never cut.
  mutating func recordCommit(into effects: inout [ReplicaEffect]) {
    guard tick.isMultiple(of: configuration.recordCommitTicks),
      state.last.index > recordedCommit || hasStoredSuspicion != (raft.distrusted != nil)
    else { return }
    recordedCommit = state.last.index
    storeHardState(raft.hardState, into: &effects)
  }

  private mutating func storeHardState(
    _ hardState: Raft.HardState, into effects: inout [ReplicaEffect]
  ) {
    hasStoredSuspicion = raft.distrusted != nil
    effects.append(
      .store(
        .hardState(hardState, commit: recordedCommit, isTailSuspect: hasStoredSuspicion)))
  }

  private func send(
    _ request: AppendRequest, to peer: NodeID, into effects: inout [ReplicaEffect]
  ) {
    var batches: [Batch] = []
    batches.reserveCapacity(request.entryTerms.count)
    var index = request.previous.index
    for _ in request.entryTerms {
      index = index.next
      guard let batch = entries[index] else {
        effects.append(.readAndSend(request, to: peer))
        return
      }
      batches.append(batch)
    }
    sendInFrames(request, batches, to: peer, into: &effects)
  }

  /// One frame where the batches fit, as many as needed where they do not.
  private func sendInFrames(
    _ request: AppendRequest, _ batches: [Batch], to peer: NodeID,
    into effects: inout [ReplicaEffect]
  ) {
    for part in AppendParts(request: request, batches: batches) {
      effects.append(.send(.append(part.request, batches: part.batches), to: peer))
    }
  }

  private mutating func roleChanged(
    _ role: RaftRole, leader: NodeID?, reading: ClockReading,
    into effects: inout [ReplicaEffect]
  ) {
    // Questions to the leader before are not answered any more.
    reads.giveUp(askedUpTo: tick)
    leaderlessSince = leader == nil ? (leaderlessSince ?? tick) : nil
    if role == .leader {
      // An entry of the new term commits all before it (Raft §5.4.2, §8).
      propose(OpenBatch(), reading: reading, into: &effects)
    } else {
      // What other nodes forwarded to this one they will send again to the next leader.
      openBatches.removeAll()
    }
  }
}

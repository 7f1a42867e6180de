package import Bytes
package import Evidence
import HybridTime
package import Ledger
package import Raft
package import SegmentLog

/// Why a batch could not be taken into a recovery.
package enum RestoreError: Error, Hashable, Sendable {
  /// The ledger cannot apply it.
  case ledger(LedgerError)
  /// It is not the batch that the snapshot, from which the recovery began, was taken after, or does
  /// not follow it: the snapshot and the log tell different histories.
  case otherHistory(at: LogIndex)
}

/// A replica that is being rebuilt from its segments, batch by batch, before it joins the cluster.
///
/// A batch's header tells what its leader knew to be committed, so everything up to the largest
/// such index is applied here; what comes after waits for a leader's word.
package struct ReplicaRecovery: ~Copyable {
  var state: AppliedState
  var entries: EntryCache
  var terms: RaftLogTerms
  var memberships: MembershipLog
  var changes: MemberChanges
  /// Largest commit index that the hard state or a header vouched for.
  var commit: LogIndex
  /// The last batch that holds events.
  var lastEventful = LogIndex.zero
  /// The last batch that changes the members.
  var membershipIndex = LogIndex.zero
  /// Greatest hybrid time in the log.
  var hybridLast: HybridTimestamp = .zero
  /// The next event's sequence.
  var nextSequence = EventSequence(1)
  /// Seals of the segments that ended while batches were applied. The store skips those it has.
  package private(set) var seals: [SegmentSeal] = []
  private let configuration: ReplicaConfiguration
  /// The last batch of the snapshot that this began from, or nil.
  package let began: BatchHeader?

  /// Before the first batch. `knownCommitted` is what the hard state vouches for.
  package init(
    configuration: ReplicaConfiguration, knownCommitted: LogIndex, ledger: consuming LedgerState
  ) {
    self.configuration = configuration
    began = nil
    commit = knownCommitted
    state = AppliedState(
      ledger: configuration.keeping(ledger), collectsKeys: configuration.collectsKeys)
    entries = EntryCache(byteCountMax: configuration.cacheByteCountMax)
    terms = RaftLogTerms()
    memberships = MembershipLog(initial: configuration.raft.initial)
    changes = MemberChanges(initial: configuration.members)
  }

  /// Goes on from a snapshot: the ledger as it was at `point`.
  ///
  /// Precondition: they are of one moment; ``RecoveryPoint/isOf(_:)`` has said so.
  package init(
    configuration: ReplicaConfiguration, knownCommitted: LogIndex, point: RecoveryPoint,
    ledger: consuming LedgerState
  ) {
    precondition(point.isOf(ledger), "a ledger goes with its own point")
    self.configuration = configuration
    commit = max(knownCommitted, point.applied.index)
    entries = EntryCache(byteCountMax: configuration.cacheByteCountMax)
    entries.begin(
      with: point.lastBatch, segmentByteCount: point.segmentByteCount,
      segmentFirstSequence: EventSequence(point.segmentTree.before.size + 1))
    terms = RaftLogTerms(runs: point.termRuns, last: point.applied.index)
    lastEventful = point.lastEventful
    membershipIndex = point.membershipIndex
    hybridLast = point.hybridLast
    nextSequence = point.lastBatch.header.sequenceAfter
    memberships = MembershipLog(initial: configuration.raft.initial)
    changes = MemberChanges(initial: configuration.members)
    if let change = ledger.cluster.membership {
      memberships.append(
        MembershipEntry(index: point.membershipIndex, membership: change.membership))
      changes.append(change, at: point.membershipIndex)
    }
    state = AppliedState(
      point: point, ledger: configuration.keeping(ledger),
      collectsKeys: configuration.collectsKeys)
    began = point.lastBatch.header
  }

  /// A sealed segment begins: what it adds to the tree need not be made again.
  package mutating func enter(_ segment: SegmentID, _ tree: SegmentTree) {
    state.expect(tree, of: segment.firstIndex)
  }

  /// Takes the next batch of the log, verified by the reader. Those that a snapshot holds already
  /// are passed over, but for the last of them, which must be the very one.
  package mutating func restore(_ batch: Batch) throws(RestoreError) {
    let header = batch.header
    if let began, header.index <= began.index {
      guard header.index < began.index || header.hash == began.hash else {
        throw .otherHistory(at: header.index)
      }
      do throws(LedgerError) { try state.passOver(batch) } catch { throw .ledger(error) }
      return
    }
    if let last = entries.last, header.previousHash != last.header.hash {
      throw .otherHistory(at: header.index)
    }
    entries.append(batch)
    terms.append(term: header.term, count: 1)
    if let change = batch.membershipChange {
      memberships.append(MembershipEntry(index: batch.index, membership: change.membership))
      changes.append(change, at: batch.index)
    }
    commit = max(commit, header.commit)
    if header.count > 0 { lastEventful = header.index }
    if header.changesMembers { membershipIndex = header.index }
    hybridLast = max(hybridLast, header.hybridMax, header.stamp.hybrid)
    nextSequence = header.sequenceAfter
    do throws(LedgerError) { try applyCommitted() } catch { throw .ledger(error) }
  }

  /// The members with their addresses, as far as the log has been read.
  package var members: [ClusterMember] { changes.reachable }

  /// The last batch applied.
  package var applied: EntryID { state.last }

  /// The ledger's digest after that batch.
  package var ledgerDigest: Digest256 { state.ledger.digest }

  /// Where this recovery has come to; nil before the first batch, and in the middle of a segment of
  /// which only the end is known.
  ///
  /// Precondition: everything restored has been applied.
  package var point: RecoveryPoint? {
    precondition(terms.last == state.last, "what is not applied is in no snapshot")
    guard let lastBatch = entries.last, let segmentTree = state.segmentTree else { return nil }
    return RecoveryPoint(
      lastBatch: lastBatch, ledgerDigest: state.ledger.digest, hybridLast: hybridLast,
      lastEventful: lastEventful, membershipIndex: membershipIndex,
      segmentFirst: state.segmentFirst,
      segmentLedgerBefore: state.segmentLedgerBefore, segmentTree: segmentTree,
      segmentByteCount: entries.segmentByteCount, termRuns: terms.runs)
  }

  /// Gets the ledger ready for ``writeLedger(_:)``.
  package mutating func gatherLedger() { state.ledger.gatherHeld() }

  /// Writes the ledger's snapshot, see ``Ledger/LedgerState/writeSnapshot(_:)``.
  package func writeLedger<E: Error>(
    _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    try state.ledger.writeSnapshot(emit)
  }

  private mutating func applyCommitted() throws(LedgerError) {
    while state.last.index < commit, let batch = entries[state.last.index.next] {
      if var seal = try state.apply(batch) {
        // Few segments are not sealed yet: the others' keys would only take room.
        seal.keys = nil
        seals.append(seal)
      }
    }
    entries.trim(applied: state.last.index)
  }
}

extension ReplicaRecovery {
  /// The ledger, out of a recovery that is over.
  consuming func takeState() -> AppliedState { state }
}

extension ReplicaConfiguration {
  /// The ledger, which from now on holds no more than it should.
  fileprivate func keeping(_ ledger: consuming LedgerState) -> LedgerState {
    var ledger = ledger
    if let past { ledger.keep(newest: heldTransactionsMax, past: past) }
    return ledger
  }
}

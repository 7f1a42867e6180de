package import Bytes
import HybridTime
package import Ledger
package import Raft
package import SegmentLog

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
  /// Greatest hybrid time in the log.
  var hybridLast: HybridTimestamp = .zero
  /// The next event's sequence.
  var nextSequence = EventSequence(1)
  /// Seals of the segments that ended while batches were applied. The store skips those it has.
  package private(set) var seals: [SegmentSeal] = []
  private let configuration: ReplicaConfiguration

  /// Before the first batch. `knownCommitted` is what the hard state vouches for.
  package init(
    configuration: ReplicaConfiguration, knownCommitted: LogIndex, ledger: consuming LedgerState
  ) {
    self.configuration = configuration
    commit = knownCommitted
    state = AppliedState(ledger: ledger)
    entries = EntryCache(byteCountMax: configuration.cacheByteCountMax)
    terms = RaftLogTerms()
    memberships = MembershipLog(initial: configuration.raft.initial)
    changes = MemberChanges(initial: configuration.members)
  }

  /// Takes the next batch of the log, verified by the reader.
  package mutating func restore(_ batch: Batch) throws(LedgerError) {
    let header = batch.header
    entries.append(batch)
    terms.append(term: header.term, count: 1)
    if let change = batch.membershipChange {
      memberships.append(MembershipEntry(index: batch.index, membership: change.membership))
      changes.append(change, at: batch.index)
    }
    commit = max(commit, header.commit)
    if header.count > 0 { lastEventful = header.index }
    hybridLast = max(hybridLast, header.hybridMax, header.stamp.hybrid)
    nextSequence = header.sequenceAfter
    try applyCommitted()
  }

  /// The last batch applied.
  package var applied: EntryID { state.last }

  private mutating func applyCommitted() throws(LedgerError) {
    while state.last.index < commit, let batch = entries[state.last.index.next] {
      if let seal = try state.apply(batch) { seals.append(seal) }
    }
    entries.trim(applied: state.last.index)
  }
}

extension ReplicaRecovery {
  /// The ledger, out of a recovery that is over.
  consuming func takeState() -> AppliedState { state }
}

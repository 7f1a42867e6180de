package import Bytes
package import Ledger
package import SegmentLog

/// A ledger rebuilt from segments, with what its last batch was.
package struct ReplayedLedger: ~Copyable {
  /// The ledger.
  package var state: LedgerState
  /// The last batch applied; zero for none.
  package var index = LogIndex.zero
  /// That batch's term.
  package var term = Term.zero
  /// That batch's hash: it vouches for every batch before it.
  package var hash = Digest256.zero
  /// Length of all records, uncompressed.
  package var recordsByteCount: UInt64 = 0

  init() { state = LedgerState() }
}

extension AgreedLog {
  /// Applies the batches up to `limit` to an empty ledger: the way a node recovers.
  ///
  /// `visit` sees each batch with the outcomes of its events.
  package func replay(
    through limit: LogIndex,
    _ visit: (BatchHeader, borrowing RawSpan, [Outcome]) throws(AuditError) -> Pass = {
      _, _, _ in .proceed
    }
  ) throws(AuditError) -> ReplayedLedger {
    guard base.firstIndex == LogIndex(1), base.firstSequence == EventSequence(1) else {
      throw .incomplete(first: base.firstIndex)
    }
    var ledger = ReplayedLedger()
    var outcomes: [Outcome] = []
    try forEachBatch(through: limit) { header, records throws(AuditError) in
      outcomes.removeAll(keepingCapacity: true)
      do throws(LedgerError) {
        try ledger.state.apply(
          firstSequence: header.firstSequence, count: UInt64(header.count), records: records,
          batchHash: header.hash, outcomes: &outcomes)
      } catch {
        throw .ledger(index: header.index, error)
      }
      ledger.index = header.index
      ledger.term = header.term
      ledger.hash = header.hash
      ledger.recordsByteCount += UInt64(header.recordsByteCount)
      return try visit(header, records, outcomes)
    }
    return ledger
  }
}

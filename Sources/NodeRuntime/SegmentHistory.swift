package import Bytes
package import Ledger
package import SegmentLog

/// The transactions of a log's sealed segments, found by their indexes: what a ledger asks for those that
/// it no longer holds.
package final class SegmentHistory<FileSystem: LogFileSystem>: PastTransactions {
  private let reader: LogReader<FileSystem>

  /// The transactions of the log that `reader` reads.
  package init(_ reader: LogReader<FileSystem>) { self.reader = reader }

  /// The last event before the first segment that is not sealed.
  package var searchableThrough: EventSequence { reader.sealedThrough }

  /// Goes through the segments in the order of the log: the first payment with an id decides.
  package func find(
    _ id: TransactionID, through last: EventSequence
  ) throws(PastProblem) -> PastTransaction? {
    for segment in reader.segments where segment.first <= last {
      if let found = try find(id, in: segment, through: last) { return found }
    }
    return nil
  }

  private func find(
    _ id: TransactionID, in segment: SegmentEvents, through last: EventSequence
  ) throws(PastProblem) -> PastTransaction? {
    let problem = PastProblem(segment: segment.id.firstIndex)
    do throws(LogError) {
      guard let stretches = try reader.stretches(of: .id(id.indexedBytes), in: segment.id) else {
        throw LogError.notSealable(segment.id)
      }
      for stretch in stretches where stretch.lowerBound <= last {
        let end = min(stretch.upperBound, last, segment.last)
        var found: PastTransaction?
        var seen = EventSequence.zero
        var isReadable = true
        try reader.visit(stretch.lowerBound...end) { batch in
          let records = batch.records
          do throws(DecodeError) {
            found = try PastTransaction.first(
              id, in: records.span.bytes, from: batch.header.firstSequence, through: last)
          } catch {
            isReadable = false
          }
          seen = batch.header.lastSequence
          return found == nil && isReadable
        }
        if let found { return found }
        // All of it must have been looked at.
        guard isReadable, seen >= end else { throw LogError.notSealable(segment.id) }
      }
      return nil
    } catch {
      throw PastProblem(segment: error.damagedSegment?.firstIndex ?? problem.segment)
    }
  }
}

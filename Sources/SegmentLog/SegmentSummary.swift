package import Bytes
package import HybridTime

/// An entry of a segment's sparse index.
package struct SparseIndexEntry: Hashable, Sendable {
  /// Length in bytes in the footer.
  static let byteCount = 40

  /// The batch at `offset`.
  package let index: LogIndex
  /// The sequence of that batch's first event.
  package let firstSequence: EventSequence
  /// Least corrected time of the batches from here to the next entry, nanoseconds since 1970.
  package internal(set) var correctedMin: Int64
  /// Greatest corrected time of the batches from here to the next entry, nanoseconds since 1970.
  package internal(set) var correctedMax: Int64
  /// Where the batch's header begins in the file.
  package let offset: UInt64
}

/// What is known of a segment after some of its batches: the state of the chain, and the counts
/// that its footer will hold. A function of the segment's bytes alone.
package struct SegmentSummary: Hashable, Sendable {
  /// The segment's file header.
  package let header: SegmentHeader
  /// The last batch's index; the one before the segment's first while it has none.
  package private(set) var lastIndex: LogIndex
  /// The last batch's term.
  package private(set) var lastTerm: Term
  /// The sequence of the last event.
  package private(set) var lastSequence: EventSequence
  /// The last batch's hash.
  package private(set) var lastHash: Digest256
  /// Largest commit index that a batch carries.
  package private(set) var commit = LogIndex.zero
  /// How many events.
  package private(set) var eventCount: UInt64 = 0
  /// How many batches.
  package private(set) var batchCount: UInt64 = 0
  /// Length of the records, uncompressed.
  package private(set) var recordsByteCount: UInt64 = 0
  /// Least corrected time, nanoseconds since 1970. Meaningless while there is no batch.
  package private(set) var correctedMin = Int64.max
  /// Greatest corrected time, nanoseconds since 1970. Meaningless while there is no batch.
  package private(set) var correctedMax = Int64.min
  /// Greatest hybrid time that a batch carries; zero while there is no batch.
  package private(set) var hybridMax = HybridTimestamp.zero
  /// Where the terms change: the first for the first batch. Ascending by index and by term.
  package private(set) var termRuns: [TermRun] = []
  /// Where the last batch ends in the file.
  package private(set) var byteCount = UInt64(SegmentHeader.byteCount)
  /// One entry every 64 KiB of file.
  package internal(set) var sparseIndex: [SparseIndexEntry] = []

  /// A segment without a batch, after one of `lastTerm`.
  package init(header: SegmentHeader, lastTerm: Term) {
    self.header = header
    self.lastTerm = lastTerm
    lastIndex = header.firstIndex.previous
    lastSequence = EventSequence(header.firstSequence.rawValue &- 1)
    lastHash = header.previousHash
  }

  /// What the footer of a sealed segment says of its batches, which end at `byteCount`.
  init(header: SegmentHeader, footer: SegmentFooter, byteCount: UInt64) {
    let totals = footer.totals
    self.header = header
    self.byteCount = byteCount
    lastIndex = totals.lastIndex
    lastTerm = footer.termRuns.last?.term ?? .zero
    lastSequence = totals.lastSequence
    lastHash = totals.lastHash
    commit = totals.commit
    eventCount = totals.eventCount
    batchCount = totals.batchCount
    recordsByteCount = totals.recordsByteCount
    correctedMin = totals.correctedMin
    correctedMax = totals.correctedMax
    hybridMax = totals.hybridMax
    termRuns = footer.termRuns
    sparseIndex = footer.sparseIndex
  }

  /// Which segment.
  package var id: SegmentID { SegmentID(header.firstIndex) }

  /// Verifies that a batch is the next one of this segment.
  func check(_ batch: BatchHeader) throws(Damage) {
    guard batch.index == lastIndex.next else {
      throw .outOfOrder(expected: lastIndex.next, found: batch.index)
    }
    let sequence = EventSequence(lastSequence.rawValue &+ 1)
    guard batch.firstSequence == sequence else {
      throw .sequenceGap(expected: sequence, found: batch.firstSequence)
    }
    guard batch.previousHash == lastHash else { throw .brokenChain }
    guard batch.term >= lastTerm else { throw .termBelow(batch.term) }
    // The log's very first batch begins a segment whatever it says.
    guard batch.startsSegment == (batchCount == 0) || batch.index == LogIndex(1) else {
      throw .misplacedBoundary
    }
  }

  /// Counts the next batch, which ``check(_:)`` has let pass.
  mutating func append(_ batch: BatchHeader) {
    if let last = sparseIndex.last,
      byteCount - last.offset < UInt64(SegmentFormat.indexIntervalByteCount)
    {
      sparseIndex[sparseIndex.count - 1].correctedMin = min(last.correctedMin, batch.correctedMin)
      sparseIndex[sparseIndex.count - 1].correctedMax = max(last.correctedMax, batch.correctedMax)
    } else {
      sparseIndex.append(
        SparseIndexEntry(
          index: batch.index, firstSequence: batch.firstSequence,
          correctedMin: batch.correctedMin, correctedMax: batch.correctedMax, offset: byteCount))
    }
    if termRuns.last.map({ $0.term < batch.term }) ?? true {
      termRuns.append(TermRun(firstIndex: batch.index, term: batch.term))
    }
    lastIndex = batch.index
    lastTerm = batch.term
    lastSequence = batch.lastSequence
    lastHash = batch.hash
    commit = max(commit, batch.commit)
    eventCount += UInt64(batch.count)
    batchCount += 1
    recordsByteCount += UInt64(batch.recordsByteCount)
    correctedMin = min(correctedMin, batch.correctedMin)
    correctedMax = max(correctedMax, batch.correctedMax)
    hybridMax = max(hybridMax, batch.hybridMax)
    byteCount += UInt64(batch.batchByteCount)
  }
}

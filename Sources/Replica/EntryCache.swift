import Bytes
import DequeModule
import SegmentLog

/// The newest batches of the log, in memory: all that are not applied, and some that are.
///
/// Invariant: contiguous, and the last is the log's last.
struct EntryCache {
  private struct Element {
    let batch: Batch
    /// Bytes of its segment up to and including it.
    let segmentByteCount: Int
    /// The first event of its segment.
    let segmentFirstSequence: EventSequence
  }

  private var elements: Deque<Element> = []
  private var byteCount = 0
  private let byteCountMax: Int

  init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

  /// The index of the oldest batch held, or nil when there is none.
  var first: LogIndex? { elements.first?.batch.header.index }

  /// The newest batch.
  var last: Batch? { elements.last?.batch }

  /// Bytes in the segment that the next batch would go on with.
  var segmentByteCount: Int { elements.last?.segmentByteCount ?? 0 }

  /// Events in the segment that the next batch would go on with.
  var segmentEventCount: Int {
    guard let last = elements.last else { return 0 }
    return Int(
      last.batch.header.sequenceAfter.rawValue - last.segmentFirstSequence.rawValue)
  }

  subscript(index: LogIndex) -> Batch? {
    guard let first, index >= first else { return nil }
    let offset = index.rawValue - first.rawValue
    return offset < UInt64(elements.count) ? elements[Int(offset)].batch : nil
  }

  /// Begins with a batch in the middle of a log: `segmentByteCount` bytes of its segment, itself
  /// included, and its segment's first event. Precondition: nothing is held.
  mutating func begin(
    with batch: Batch, segmentByteCount: Int, segmentFirstSequence: EventSequence
  ) {
    precondition(elements.isEmpty)
    elements.append(
      Element(
        batch: batch, segmentByteCount: segmentByteCount,
        segmentFirstSequence: segmentFirstSequence))
    byteCount = Self.cost(batch)
  }

  mutating func append(_ batch: Batch) {
    precondition(last.map { $0.header.index.next == batch.header.index } ?? true)
    let before = batch.header.startsSegment ? nil : elements.last
    elements.append(
      Element(
        batch: batch, segmentByteCount: (before?.segmentByteCount ?? 0) + batch.bytes.count,
        segmentFirstSequence: before?.segmentFirstSequence ?? batch.header.firstSequence))
    byteCount += Self.cost(batch)
  }

  mutating func truncate(from index: LogIndex) {
    while let last, last.header.index >= index {
      byteCount -= Self.cost(last)
      elements.removeLast()
    }
  }

  /// Lets go of the oldest batches over the limit, but of none after `applied`, and not of the
  /// batch at `applied` itself: its hash is what the next one must chain to.
  mutating func trim(applied: LogIndex) {
    while byteCount > byteCountMax, let oldest = elements.first?.batch,
      oldest.header.index < applied
    {
      byteCount -= Self.cost(oldest)
      elements.removeFirst()
    }
  }

  private static func cost(_ batch: Batch) -> Int {
    batch.bytes.count + batch.records.count + 256
  }
}

package import Bytes

/// Bytes of a segment's file that are not what was written, or that are not there; and what is
/// known of the batches that they held.
package struct DamagedStretch: Hashable, Sendable {
  /// What is known to come after the missing batches.
  package enum Following: Hashable, Sendable {
    /// A whole batch of the same segment.
    case batch(LogIndex)
    /// The segment's own whole footer, or what this process knows of the segment.
    case footer
    /// Another segment.
    case segment(SegmentID)
    /// Nothing: the log ends with the stretch.
    case end
  }

  /// The segment; where a file is missing, the first one that can be.
  package let segment: SegmentID
  /// Where in its file; empty where the bytes are not there.
  package let bytes: Range<UInt64>
  /// The batches that must be had from another node; nil where the whole ones tell all that was
  /// here: a file header or a footer.
  package let missing: ClosedRange<LogIndex>?
  /// The hash that the last missing batch must have, where what follows tells it.
  package let lastHash: Digest256?
  /// What follows.
  package let following: Following
  /// What is wrong with the bytes.
  package let reason: Damage
}

/// Batches of one file that are whole, and that follow each other.
struct WholeRun: Hashable, Sendable {
  let first: BatchHeader
  private(set) var last: BatchHeader
  /// Where they are in the file.
  private(set) var bytes: Range<Int>
  /// Where some of them begin, at least every 64 KiB; the first is the first batch.
  private(set) var marks: [Mark]
  /// Largest commit index that one of them carries.
  private(set) var commit: LogIndex
  /// Those that change the members.
  private(set) var memberChanges: [LogIndex]

  struct Mark: Hashable, Sendable {
    let index: LogIndex
    let offset: Int
  }

  init(_ header: BatchHeader, at offset: Int) {
    (first, last) = (header, header)
    bytes = offset..<offset + header.batchByteCount
    marks = [Mark(index: header.index, offset: offset)]
    commit = header.commit
    memberChanges = header.changesMembers ? [header.index] : []
  }

  /// Whether a batch comes right after this run, in the file and in the chain.
  func isContinued(by header: BatchHeader, at offset: Int) -> Bool {
    offset == bytes.upperBound && header.index == last.index.next
      && header.previousHash == last.hash
  }

  mutating func append(_ header: BatchHeader) {
    let offset = bytes.upperBound
    if let mark = marks.last, offset - mark.offset >= SegmentFormat.indexIntervalByteCount {
      marks.append(Mark(index: header.index, offset: offset))
    }
    last = header
    commit = max(commit, header.commit)
    if header.changesMembers { memberChanges.append(header.index) }
    bytes = bytes.lowerBound..<offset + header.batchByteCount
  }

  /// Where the batch at `index`, or one before it, begins. Precondition: the run holds it.
  func mark(before index: LogIndex) -> Int {
    var (low, high) = (0, marks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if marks[middle].index <= index { low = middle } else { high = middle }
    }
    return marks[low].offset
  }

  func holds(_ index: LogIndex) -> Bool { first.index <= index && index <= last.index }
}

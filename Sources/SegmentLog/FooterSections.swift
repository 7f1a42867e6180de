import Bytes
import Evidence
import HybridTime

/// The sections of a footer before its index (`Format.md`, "SPFT"): each a tag, a length and a
/// content.
struct FooterSections {
  /// Length of a section's tag and length.
  static let headByteCount = 8
  /// Length of the content of `SMAX`.
  static let maximaByteCount = 24
  /// Length of an entry of `STRM`.
  static let termByteCount = 16

  private(set) var sparseIndex: [SparseIndexEntry] = []
  private(set) var termRuns: [TermRun] = []
  /// Where the content of `SMAX` begins.
  private(set) var maxima = 0
  /// Where the content of `STRE` is.
  private var tree = 0..<0

  /// Walks the sections in `range`, and passes over those that this version does not know.
  init(_ frame: borrowing RawSpan, _ range: Range<Int>) throws(Damage) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      guard range.upperBound - offset >= Self.headByteCount else { throw .footerMismatch }
      let tag = frame.littleEndian(at: offset, as: UInt32.self)
      let length = Int(frame.littleEndian(at: offset + 4, as: UInt32.self))
      offset += Self.headByteCount
      guard length <= range.upperBound - offset else { throw .footerMismatch }
      try take(tag, frame, offset..<offset + length)
      offset += length
    }
    guard maxima > 0, !termRuns.isEmpty, !tree.isEmpty else { throw .footerMismatch }
  }

  private mutating func take(
    _ tag: UInt32, _ frame: borrowing RawSpan, _ content: Range<Int>
  ) throws(Damage) {
    switch tag {
    case FrameTag.sparseIndex:
      guard content.count.isMultiple(of: SparseIndexEntry.byteCount) else { throw .footerMismatch }
      sparseIndex.reserveCapacity(content.count / SparseIndexEntry.byteCount)
      for entry in stride(
        from: content.lowerBound, to: content.upperBound, by: SparseIndexEntry.byteCount)
      {
        sparseIndex.append(
          SparseIndexEntry(
            index: LogIndex(frame.littleEndian(at: entry)),
            firstSequence: EventSequence(frame.littleEndian(at: entry + 8)),
            correctedMin: frame.littleEndian(at: entry + 16),
            correctedMax: frame.littleEndian(at: entry + 24),
            offset: frame.littleEndian(at: entry + 32)))
      }
    case FrameTag.terms:
      guard content.count.isMultiple(of: Self.termByteCount) else { throw .footerMismatch }
      for entry in stride(
        from: content.lowerBound, to: content.upperBound, by: Self.termByteCount)
      {
        termRuns.append(
          TermRun(
            firstIndex: LogIndex(frame.littleEndian(at: entry)),
            term: Term(frame.littleEndian(at: entry + 8))))
      }
    case FrameTag.maxima:
      guard content.count == Self.maximaByteCount,
        frame.littleEndian(at: content.lowerBound + 20, as: UInt32.self) == 0
      else { throw .footerMismatch }
      maxima = content.lowerBound
    case FrameTag.tree:
      guard content.count >= Digest256.byteCount,
        content.count.isMultiple(of: Digest256.byteCount)
      else { throw .footerMismatch }
      tree = content
    default:
      break
    }
  }

  /// The tree's section, read for a segment of these events; nil where it is of others, or its root
  /// is not that of its frontier.
  func tree(of totals: SegmentTotals, in frame: borrowing RawSpan) -> SegmentTree? {
    guard totals.firstSequence > .zero else { return nil }
    let hashes = stride(
      from: tree.lowerBound, to: tree.upperBound, by: Digest256.byteCount
    ).map { Digest256(at: $0, in: frame) }
    guard
      let read = SegmentTree(
        from: totals.firstSequence.rawValue - 1, to: totals.lastSequence.rawValue,
        hashes: Array(hashes.dropFirst())),
      hashes.first == read.after.root
    else { return nil }
    return read
  }

  /// Length of the sections of a footer, but for those of the index.
  static func byteCount(_ footer: SegmentFooter) -> Int {
    4 * headByteCount + footer.sparseIndex.count * SparseIndexEntry.byteCount + maximaByteCount
      + footer.termRuns.count * termByteCount + treeByteCount(footer)
  }

  private static func treeByteCount(_ footer: SegmentFooter) -> Int {
    (1 + footer.evidence.tree.hashes.count) * Digest256.byteCount
  }

  static func encode(_ footer: SegmentFooter, into writer: inout ByteWriter) {
    head(FrameTag.sparseIndex, footer.sparseIndex.count * SparseIndexEntry.byteCount, &writer)
    for entry in footer.sparseIndex {
      writer.integer(entry.index.rawValue)
      writer.integer(entry.firstSequence.rawValue)
      writer.integer(entry.correctedMin)
      writer.integer(entry.correctedMax)
      writer.integer(entry.offset)
    }
    head(FrameTag.maxima, maximaByteCount, &writer)
    writer.integer(footer.totals.commit.rawValue)
    writer.integer(footer.totals.hybridMax.wallNanoseconds)
    writer.integer(footer.totals.hybridMax.logical)
    writer.integer(UInt32(0))
    head(FrameTag.terms, footer.termRuns.count * termByteCount, &writer)
    for run in footer.termRuns {
      writer.integer(run.firstIndex.rawValue)
      writer.integer(run.term.rawValue)
    }
    head(FrameTag.tree, treeByteCount(footer), &writer)
    let tree = footer.evidence.tree
    writer.digest(tree.after.root)
    for hash in tree.hashes { writer.digest(hash) }
  }

  static func head(_ tag: UInt32, _ byteCount: Int, _ writer: inout ByteWriter) {
    writer.integer(tag)
    writer.integer(UInt32(byteCount))
  }
}

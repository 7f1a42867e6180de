import Bytes
import HybridTime

/// The sections of a footer (`Format.md`, "SPFT"): each a tag, a length and a content.
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
    guard maxima > 0, !termRuns.isEmpty else { throw .footerMismatch }
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
            offset: frame.littleEndian(at: entry + 24)))
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
      guard content.count == Self.maximaByteCount else { throw .footerMismatch }
      maxima = content.lowerBound
    default:
      break
    }
  }

  static func encode(_ footer: SegmentFooter, into writer: inout ByteWriter) {
    head(FrameTag.sparseIndex, footer.sparseIndex.count * SparseIndexEntry.byteCount, &writer)
    for entry in footer.sparseIndex {
      writer.integer(entry.index.rawValue)
      writer.integer(entry.firstSequence.rawValue)
      writer.integer(entry.correctedMin)
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
  }

  private static func head(_ tag: UInt32, _ byteCount: Int, _ writer: inout ByteWriter) {
    writer.integer(tag)
    writer.integer(UInt32(byteCount))
  }
}

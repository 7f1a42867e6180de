package import Bytes
package import HybridTime

/// What a sealed segment ends with (`Format.md`, "SPFT"). The same on all nodes.
package struct SegmentFooter: Hashable, Sendable {
  /// Length without the sections: fixed fields, check and trailer.
  static let byteCountMin = fixedByteCount + Digest256.byteCount + trailerByteCount
  private static let fixedByteCount = 192
  /// Length of the trailer: the frame's length and the end's tag.
  static let trailerByteCount = 8

  /// What the batches add up to, as the footer tells it.
  package let totals: SegmentTotals
  /// What applying the batches gave.
  package let evidence: SegmentEvidence
  /// One entry every 64 KiB of file.
  package let sparseIndex: [SparseIndexEntry]
  /// Where the terms change: the first for the first batch. Ascending by index and by term.
  package let termRuns: [TermRun]

  /// The footer of a segment whose last batch has been counted.
  ///
  /// Precondition: the evidence is of as many events.
  init(_ summary: SegmentSummary, _ evidence: SegmentEvidence) {
    precondition(evidence.isOf(summary), "a seal of this segment")
    self.evidence = evidence
    totals = SegmentTotals(summary)
    sparseIndex = summary.sparseIndex
    termRuns = summary.termRuns
  }

  /// Whether the footer tells of exactly these batches.
  func matches(_ summary: SegmentSummary) -> Bool {
    totals == SegmentTotals(summary) && sparseIndex == summary.sparseIndex
      && termRuns == summary.termRuns
  }
}

/// The counts and ranges of a footer.
package struct SegmentTotals: Hashable, Sendable {
  /// First index.
  package let firstIndex: LogIndex
  /// Last index.
  package let lastIndex: LogIndex
  /// The sequence of the first event.
  package let firstSequence: EventSequence
  /// The sequence of the last event.
  package let lastSequence: EventSequence
  /// How many events.
  package let eventCount: UInt64
  /// How many batches.
  package let batchCount: UInt64
  /// Length of the records, uncompressed.
  package let recordsByteCount: UInt64
  /// The last batch's hash.
  package let lastHash: Digest256
  /// Least corrected time, nanoseconds since 1970.
  package let correctedMin: Int64
  /// Greatest corrected time, nanoseconds since 1970.
  package let correctedMax: Int64
  /// Largest commit index that a batch carries.
  package let commit: LogIndex
  /// Greatest hybrid time that a batch carries.
  package let hybridMax: HybridTimestamp

  init(_ summary: SegmentSummary) {
    firstIndex = summary.header.firstIndex
    lastIndex = summary.lastIndex
    firstSequence = summary.header.firstSequence
    lastSequence = summary.lastSequence
    eventCount = summary.eventCount
    batchCount = summary.batchCount
    recordsByteCount = summary.recordsByteCount
    lastHash = summary.lastHash
    correctedMin = summary.correctedMin
    correctedMax = summary.correctedMax
    commit = summary.commit
    hybridMax = summary.hybridMax
  }

  /// Whether some segment can have the range: the arithmetic on its ends never overflows.
  fileprivate var isPossible: Bool {
    firstIndex > .zero && firstIndex <= lastIndex && lastIndex.rawValue < .max
      && firstSequence > .zero && lastSequence.rawValue < .max
  }

  /// Reads the fixed fields of a checked footer, and its section of maxima at `maxima`.
  init(_ frame: borrowing RawSpan, maxima: Int) {
    firstIndex = LogIndex(frame.littleEndian(at: 16))
    lastIndex = LogIndex(frame.littleEndian(at: 24))
    firstSequence = EventSequence(frame.littleEndian(at: 32))
    lastSequence = EventSequence(frame.littleEndian(at: 40))
    eventCount = frame.littleEndian(at: 48)
    batchCount = frame.littleEndian(at: 56)
    recordsByteCount = frame.littleEndian(at: 64)
    lastHash = Digest256(at: 72, in: frame)
    correctedMin = frame.littleEndian(at: 168)
    correctedMax = frame.littleEndian(at: 176)
    commit = LogIndex(frame.littleEndian(at: maxima))
    hybridMax = HybridTimestamp(
      wallNanoseconds: frame.littleEndian(at: maxima + 8),
      logical: frame.littleEndian(at: maxima + 16))
  }
}

extension SegmentFooter {
  /// The frame's bytes.
  package var encoded: [UInt8] {
    let sectionsByteCount = FooterSections.byteCount(self)
    let byteCount = Self.byteCountMin + sectionsByteCount
    precondition(byteCount <= SegmentFormat.footerByteCountMax)
    var writer = ByteWriter(capacity: byteCount)
    writer.skippablePrefix(byteCount: byteCount, tag: FrameTag.footer)
    encodeFixed(sectionsByteCount: sectionsByteCount, into: &writer)
    FooterSections.encode(self, into: &writer)
    let check = Digest256Hasher.digest(writer.bytes.span.bytes.extracting(8..<writer.count))
    writer.digest(check)
    writer.integer(UInt32(byteCount))
    writer.integer(FrameTag.trailer)
    assert(writer.count == byteCount)
    return writer.bytes
  }

  private func encodeFixed(sectionsByteCount: Int, into writer: inout ByteWriter) {
    writer.integer(SegmentFormat.version)
    writer.integer(UInt16(0))
    writer.integer(totals.firstIndex.rawValue)
    writer.integer(totals.lastIndex.rawValue)
    writer.integer(totals.firstSequence.rawValue)
    writer.integer(totals.lastSequence.rawValue)
    writer.integer(totals.eventCount)
    writer.integer(totals.batchCount)
    writer.integer(totals.recordsByteCount)
    writer.digest(totals.lastHash)
    writer.digest(evidence.ledgerBefore)
    writer.digest(evidence.ledgerAfter)
    writer.integer(totals.correctedMin)
    writer.integer(totals.correctedMax)
    writer.integer(UInt32(sectionsByteCount))
    writer.integer(UInt32(0))
    assert(writer.count == Self.fixedByteCount)
  }

  /// Reads the footer that the file `bytes` ends with, or nil where it does not end with one that
  /// is whole.
  static func find(in bytes: borrowing RawSpan) -> (offset: Int, footer: SegmentFooter)? {
    guard let byteCount = announcedByteCount(bytes, fileByteCount: UInt64(bytes.byteCount))
    else { return nil }
    let offset = bytes.byteCount - byteCount
    guard let footer = try? decode(at: offset, in: bytes) else { return nil }
    return (offset, footer)
  }

  /// The length in the trailer at the end of `bytes`, the last ones of a file of
  /// `fileByteCount`, or nil where it cannot be one.
  static func announcedByteCount(
    _ bytes: borrowing RawSpan, fileByteCount: UInt64
  ) -> Int? {
    guard bytes.byteCount >= trailerByteCount,
      fileByteCount >= UInt64(SegmentHeader.byteCount + byteCountMin),
      bytes.littleEndian(at: bytes.byteCount - 4) == FrameTag.trailer
    else { return nil }
    let byteCount = Int(
      bytes.littleEndian(at: bytes.byteCount - trailerByteCount, as: UInt32.self))
    let room = fileByteCount - UInt64(SegmentHeader.byteCount)
    guard byteCount >= byteCountMin, byteCount <= SegmentFormat.footerByteCountMax,
      UInt64(byteCount) <= room
    else { return nil }
    return byteCount
  }

  /// Reads the footer at `offset`, which must be the last frame, and verifies it.
  static func decode(at offset: Int, in bytes: borrowing RawSpan) throws(Damage) -> SegmentFooter {
    let available = bytes.byteCount - offset
    guard available >= byteCountMin else { throw .truncated }
    let frame = bytes.extracting(offset..<bytes.byteCount)
    let length = 8 + Int(frame.littleEndian(at: 4, as: UInt32.self))
    guard frame.littleEndian(at: 0) == SegmentFormat.skippableMagic,
      frame.littleEndian(at: 8) == FrameTag.footer,
      (byteCountMin...SegmentFormat.footerByteCountMax).contains(length)
    else { throw .footer }
    guard length <= available else { throw .truncated }
    let checkOffset = length - trailerByteCount - Digest256.byteCount
    guard frame.littleEndian(at: length - 4) == FrameTag.trailer,
      frame.littleEndian(at: length - 8, as: UInt32.self) == UInt32(length),
      Digest256Hasher.digest(frame.extracting(8..<checkOffset))
        == Digest256(at: checkOffset, in: frame)
    else { throw .footer }
    guard length == available else { throw .afterFooter }
    return try SegmentFooter(checked: frame, sectionsEnd: checkOffset)
  }

  private init(checked frame: borrowing RawSpan, sectionsEnd: Int) throws(Damage) {
    let version = frame.littleEndian(at: 12, as: UInt16.self)
    guard version == SegmentFormat.version else { throw .unsupportedVersion(version) }
    guard frame.littleEndian(at: 14, as: UInt16.self) == 0,
      frame.littleEndian(at: 184, as: UInt32.self) == UInt32(sectionsEnd - Self.fixedByteCount),
      frame.littleEndian(at: 188, as: UInt32.self) == 0
    else { throw .footerMismatch }
    let sections = try FooterSections(frame, Self.fixedByteCount..<sectionsEnd)
    totals = SegmentTotals(frame, maxima: sections.maxima)
    guard totals.isPossible, let tree = sections.tree(of: totals, in: frame) else {
      throw .footerMismatch
    }
    evidence = SegmentEvidence(
      ledgerBefore: Digest256(at: 104, in: frame), ledgerAfter: Digest256(at: 136, in: frame),
      tree: tree)
    sparseIndex = sections.sparseIndex
    termRuns = sections.termRuns
  }
}

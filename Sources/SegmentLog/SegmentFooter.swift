package import Bytes
package import HybridTime

/// What a sealed segment ends with (`Format.md`, "SPFT"). The same on all nodes.
package struct SegmentFooter: Hashable, Sendable {
  /// Length with nothing in the sections: fixed fields, the heads of the index, check and trailer.
  static let byteCountMin = fixedByteCount + 2 * indexHeadByteCount + endByteCount
  static let fixedByteCount = 192
  /// Length of a section of the index before its body: tag, length, head.
  static let indexHeadByteCount = FooterSections.headByteCount + IndexHead.byteCount
  /// Length of check and trailer.
  static let endByteCount = Digest256.byteCount + trailerByteCount
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
  /// What vouches for the index by transaction id, and tells its length.
  let ids: IndexHead
  /// What vouches for the index by account name, and tells its length.
  let names: IndexHead

  /// The footer of a segment whose last batch has been counted.
  ///
  /// Precondition: the evidence is of as many events.
  init(_ summary: SegmentSummary, _ evidence: SegmentEvidence, _ index: SegmentIndex) {
    precondition(evidence.isOf(summary), "a seal of this segment")
    ids = index.ids.head
    names = index.names.head
    self.evidence = evidence
    totals = SegmentTotals(summary)
    sparseIndex = summary.sparseIndex
    termRuns = summary.termRuns
  }

  /// Whether the footer has the index that the segment's records give.
  package func hasIndex(_ index: SegmentIndex) -> Bool {
    ids == index.ids.head && names == index.names.head
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
  /// The frame's bytes; `index` is the one that this was made with.
  package func encoded(_ index: SegmentIndex) -> [UInt8] {
    precondition(hasIndex(index), "a footer's own index")
    let plainByteCount = FooterSections.byteCount(self)
    let indexByteCount = index.ids.body.count + index.names.body.count
    let byteCount = Self.byteCountMin + plainByteCount + indexByteCount
    precondition(byteCount <= SegmentFormat.footerByteCountMax)
    var writer = ByteWriter(capacity: byteCount)
    writer.skippablePrefix(byteCount: byteCount, tag: FrameTag.footer)
    encodeFixed(
      sectionsByteCount: byteCount - Self.fixedByteCount - Self.endByteCount,
      plainByteCount: plainByteCount, into: &writer)
    FooterSections.encode(self, into: &writer)
    // The check is over all but the index's bodies, whose heads vouch for them.
    var hasher = Digest256Hasher()
    var start = 8
    for (section, tag) in [(index.ids, FrameTag.transactions), (index.names, FrameTag.accounts)] {
      section.head.encode(tag, into: &writer)
      hasher.update(writer.bytes.span.bytes.extracting(start..<writer.count))
      writer.append(contentsOf: section.body)
      start = writer.count
    }
    writer.digest(hasher.finalize())
    writer.integer(UInt32(byteCount))
    writer.integer(FrameTag.trailer)
    assert(writer.count == byteCount)
    return writer.bytes
  }

  private func encodeFixed(
    sectionsByteCount: Int, plainByteCount: Int, into writer: inout ByteWriter
  ) {
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
    writer.integer(UInt32(plainByteCount))
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
    guard frame.littleEndian(at: length - 4) == FrameTag.trailer,
      frame.littleEndian(at: length - 8, as: UInt32.self) == UInt32(length),
      let cuts = FooterCuts(frame, byteCount: length)
    else { throw .footer }
    let footer = try SegmentFooter(
      frame.extracting(0..<cuts.ids.lowerBound),
      frame.extracting(cuts.ids.upperBound..<cuts.names.lowerBound),
      frame.extracting(cuts.names.upperBound..<length))
    guard Digest256Hasher.digest(frame.extracting(cuts.ids)) == footer.ids.digest,
      Digest256Hasher.digest(frame.extracting(cuts.names)) == footer.names.digest
    else { throw .footer }
    guard length == available else { throw .afterFooter }
    return footer
  }

  /// Reads and verifies a footer without the bodies of its index: what comes before the first of them,
  /// what stands between the two, and what follows the second.
  init(
    _ opening: borrowing RawSpan, _ middle: borrowing RawSpan, _ end: borrowing RawSpan
  ) throws(Damage) {
    var hasher = Digest256Hasher()
    hasher.update(opening.extracting(8..<opening.byteCount))
    hasher.update(middle)
    guard hasher.finalize() == Digest256(at: 0, in: end) else { throw .footer }
    let version = opening.littleEndian(at: 12, as: UInt16.self)
    guard version == SegmentFormat.version else { throw .unsupportedVersion(version) }
    let plainEnd = opening.byteCount - Self.indexHeadByteCount
    let sectionsByteCount = Int(opening.littleEndian(at: 184, as: UInt32.self))
    guard opening.littleEndian(at: 14, as: UInt16.self) == 0,
      sectionsByteCount + Self.fixedByteCount + Self.endByteCount
        == Int(end.littleEndian(at: Digest256.byteCount, as: UInt32.self)),
      opening.littleEndian(at: 188, as: UInt32.self) == UInt32(plainEnd - Self.fixedByteCount)
    else { throw .footerMismatch }
    ids = try IndexHead(at: plainEnd, in: opening, .ids)
    names = try IndexHead(at: 0, in: middle, .names)
    let sections = try FooterSections(opening, Self.fixedByteCount..<plainEnd)
    totals = SegmentTotals(opening, maxima: sections.maxima)
    guard totals.isPossible, let tree = sections.tree(of: totals, in: opening) else {
      throw .footerMismatch
    }
    evidence = SegmentEvidence(
      ledgerBefore: Digest256(at: 104, in: opening), ledgerAfter: Digest256(at: 136, in: opening),
      tree: tree)
    sparseIndex = sections.sparseIndex
    termRuns = sections.termRuns
  }
}

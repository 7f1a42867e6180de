import Bytes

extension StoredSegment {
  /// A sealed segment by the two ends of its file, without its batches; nil where header or footer
  /// is not whole, or does not tell of this segment.
  static func sealed(
    _ id: SegmentID, in file: some LogFile
  ) throws(FileError) -> StoredSegment? {
    let head = try file.read(at: 0, count: SegmentHeader.byteCount)
    guard let header = try? SegmentHeader.decode(head.span.bytes),
      header.firstIndex == id.firstIndex,
      let (footer, byteCount) = try footer(in: file), footer.tells(of: header, until: byteCount)
    else { return nil }
    return StoredSegment(
      summary: SegmentSummary(header: header, footer: footer, byteCount: byteCount),
      seal: footer.evidence)
  }

  /// The footer that a file ends with, and where it begins; nil where it is not whole.
  private static func footer(
    in file: some LogFile
  ) throws(FileError) -> (SegmentFooter, offset: UInt64)? {
    let size = try file.size()
    let trailer = try file.read(
      at: size - min(size, UInt64(SegmentFooter.trailerByteCount)),
      count: SegmentFooter.trailerByteCount)
    guard let byteCount = SegmentFooter.announcedByteCount(trailer.span.bytes, fileByteCount: size)
    else { return nil }
    let offset = size - UInt64(byteCount)
    let bytes = try file.read(at: offset, count: byteCount)
    guard let footer = try? SegmentFooter.decode(at: 0, in: bytes.span.bytes) else { return nil }
    return (footer, offset)
  }
}

extension SegmentFooter {
  /// Whether the footer can be of the segment with this header, whose batches end at `byteCount`.
  func tells(of header: SegmentHeader, until byteCount: UInt64) -> Bool {
    totals.firstIndex == header.firstIndex && totals.firstSequence == header.firstSequence
      && totals.lastIndex >= totals.firstIndex
      && totals.batchCount == totals.lastIndex.rawValue - totals.firstIndex.rawValue + 1
      && totals.eventCount == totals.lastSequence.rawValue &- totals.firstSequence.rawValue &+ 1
      && sparseIndex.first?.index == header.firstIndex
      && sparseIndex.first?.offset == UInt64(SegmentHeader.byteCount)
      && sparseIndex.last.map({ $0.offset < byteCount }) ?? false
      && termRuns.first?.firstIndex == header.firstIndex
  }
}

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
      let found = try FooterInFile(file), found.footer.tells(of: header, until: found.offset)
    else { return nil }
    return StoredSegment(
      summary: SegmentSummary(header: header, footer: found.footer, byteCount: found.offset),
      seal: found.footer.evidence)
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

import Bytes

/// A footer read from its file without the bodies of its index, which are as large as all the rest.
struct FooterInFile: Sendable {
  let footer: SegmentFooter
  /// Where the frame begins.
  let offset: UInt64

  /// Reads the footer that a file ends with; nil where it is not whole.
  init?(_ file: some LogFile) throws(FileError) {
    let size = try file.size()
    let endByteCount = min(size, UInt64(SegmentFooter.endByteCount))
    let end = try file.read(at: size - endByteCount, count: Int(endByteCount))
    guard let byteCount = SegmentFooter.announcedByteCount(end.span.bytes, fileByteCount: size)
    else { return nil }
    offset = size - UInt64(byteCount)
    let bodiesEnd = byteCount - SegmentFooter.endByteCount
    let fixed = try file.read(at: offset, count: SegmentFooter.fixedByteCount)
    guard fixed.count == SegmentFooter.fixedByteCount,
      fixed.span.bytes.littleEndian(at: 0) == SegmentFormat.skippableMagic,
      fixed.span.bytes.littleEndian(at: 4, as: UInt32.self)
        == UInt32(byteCount - SegmentFormat.framePrefixByteCount),
      fixed.span.bytes.littleEndian(at: 8) == FrameTag.footer
    else { return nil }
    let openingByteCount =
      FooterCuts.opening(fixed.span.bytes) + SegmentFooter.indexHeadByteCount
    guard openingByteCount <= bodiesEnd else { return nil }
    let opening = try file.read(at: offset, count: openingByteCount)
    guard let idsEnd = Self.bodyEnd(opening, at: openingByteCount, FrameTag.transactions),
      idsEnd <= bodiesEnd - SegmentFooter.indexHeadByteCount
    else { return nil }
    let middle = try file.read(
      at: offset + UInt64(idsEnd), count: SegmentFooter.indexHeadByteCount)
    let namesStart = idsEnd + SegmentFooter.indexHeadByteCount
    guard Self.bodyEnd(middle, at: namesStart, FrameTag.accounts) == bodiesEnd,
      let footer = try? SegmentFooter(opening.span.bytes, middle.span.bytes, end.span.bytes)
    else { return nil }
    self.footer = footer
  }

  /// Where a body ends that begins at `start`, by the section's head at the end of `bytes`.
  private static func bodyEnd(_ bytes: [UInt8], at start: Int, _ tag: UInt32) -> Int? {
    let head = bytes.count - SegmentFooter.indexHeadByteCount
    guard head >= 0, bytes.span.bytes.littleEndian(at: head) == tag else { return nil }
    let length =
      Int(bytes.span.bytes.littleEndian(at: head + 4, as: UInt32.self)) - IndexHead.byteCount
    return length >= 0 ? start + length : nil
  }
}

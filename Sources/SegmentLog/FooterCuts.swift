import Bytes

/// Where the bodies of the index stand in a footer's frame, by lengths that nothing vouches for yet.
struct FooterCuts {
  /// The body of the index by transaction id.
  let ids: Range<Int>
  /// The body of the index by account name.
  let names: Range<Int>

  /// Finds them in a frame of `byteCount` bytes, or nil where they cannot be.
  init?(_ frame: borrowing RawSpan, byteCount: Int) {
    let end = byteCount - SegmentFooter.endByteCount
    guard
      let ids = Self.body(
        at: Self.opening(frame), FrameTag.transactions, frame, end: end),
      let names = Self.body(at: ids.upperBound, FrameTag.accounts, frame, end: end),
      names.upperBound == end
    else { return nil }
    self.ids = ids
    self.names = names
  }

  /// Where the sections before the index end. Precondition: the fixed fields are there.
  static func opening(_ fixed: borrowing RawSpan) -> Int {
    SegmentFooter.fixedByteCount + Int(fixed.littleEndian(at: 188, as: UInt32.self))
  }

  private static func body(
    at offset: Int, _ tag: UInt32, _ frame: borrowing RawSpan, end: Int
  ) -> Range<Int>? {
    guard offset <= end - SegmentFooter.indexHeadByteCount,
      frame.littleEndian(at: offset) == tag
    else { return nil }
    let length = Int(frame.littleEndian(at: offset + 4, as: UInt32.self)) - IndexHead.byteCount
    let start = offset + SegmentFooter.indexHeadByteCount
    guard length >= 0, length <= end - start else { return nil }
    return start..<start + length
  }
}

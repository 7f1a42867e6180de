import Bytes

/// A segment as a copy of the log would have it.
package struct SegmentExtent: Hashable, Sendable {
  /// Which segment.
  package let id: SegmentID
  /// Bytes that are written whole: with its footer where it is sealed, up to its last batch where not.
  package let byteCount: UInt64
  /// Whether it is sealed.
  package let isSealed: Bool
}

extension LogReader {
  /// The segments that there are now, in order.
  package func extents() throws(LogError) -> [SegmentExtent] {
    try positions.places.map { place throws(LogError) in try extent(of: place) }
  }

  private func extent(of place: LogPositions.Place) throws(LogError) -> SegmentExtent {
    let file = try file(of: place)
    let size = try files { () throws(FileError) in try file.size() }
    guard size >= place.end + UInt64(SegmentFooter.byteCountMin) else {
      return SegmentExtent(id: place.segment, byteCount: place.end, isSealed: false)
    }
    let tail = try files { () throws(FileError) in try file.read(at: size - 4, count: 4) }
    let isSealed = tail.count == 4 && tail.span.bytes.littleEndian(at: 0) == FrameTag.trailer
    return SegmentExtent(
      id: place.segment, byteCount: isSealed ? size : place.end, isSealed: isSealed)
  }

  /// Bytes of a segment's file from `offset` on, at most `byteLimit`, and none of what is not written
  /// whole; nil where there is no such segment.
  ///
  /// HAZARD: what is not committed yet may be cut, and written anew, between two calls.
  package func bytes(
    of segment: SegmentID, from offset: UInt64, byteLimit: Int
  ) throws(LogError) -> [UInt8]? {
    guard let place = positions.places.first(where: { $0.segment == segment }) else { return nil }
    let end = try extent(of: place).byteCount
    guard offset < end else { return [] }
    let file = try file(of: place)
    let count = Int(min(end - offset, UInt64(byteLimit)))
    return try files { () throws(FileError) in try file.read(at: offset, count: count) }
  }
}

package import Bytes

/// What a segment file begins with (`Format.md`, "SPFH"). The same on all nodes.
package struct SegmentHeader: Hashable, Sendable {
  /// Length of the whole skippable frame in bytes.
  package static let byteCount = 96
  private static let checkedRange = 8..<88

  /// The cluster that the log belongs to.
  package let clusterID: ClusterID
  /// The index of the segment's first batch.
  package let firstIndex: LogIndex
  /// The sequence of the segment's first event.
  package let firstSequence: EventSequence
  /// The hash of the last batch before the segment.
  package let previousHash: Digest256

  init(
    clusterID: ClusterID, firstIndex: LogIndex, firstSequence: EventSequence,
    previousHash: Digest256
  ) {
    self.clusterID = clusterID
    self.firstIndex = firstIndex
    self.firstSequence = firstSequence
    self.previousHash = previousHash
  }

  /// The header of the segment that begins with a batch.
  init(clusterID: ClusterID, startingWith batch: BatchHeader) {
    self.init(
      clusterID: clusterID, firstIndex: batch.index, firstSequence: batch.firstSequence,
      previousHash: batch.previousHash)
  }

  /// The frame's bytes.
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.skippablePrefix(byteCount: Self.byteCount, tag: FrameTag.fileHeader)
    writer.integer(SegmentFormat.version)
    writer.integer(UInt16(0))
    writer.append(contentsOf: clusterID.bytes)
    writer.integer(firstIndex.rawValue)
    writer.integer(firstSequence.rawValue)
    writer.digest(previousHash)
    writer.integer(UInt64(0))
    let check = Digest256Hasher.digest(
      writer.bytes.span.bytes.extracting(Self.checkedRange)
    ).check
    writer.integer(check)
    return writer.bytes
  }

  /// Reads the header at the start of `bytes`, and verifies it.
  package static func decode(_ bytes: borrowing RawSpan) throws(Damage) -> SegmentHeader {
    guard bytes.byteCount >= byteCount else { throw .truncated }
    guard bytes.littleEndian(at: 0) == SegmentFormat.skippableMagic,
      bytes.littleEndian(at: 4, as: UInt32.self) == UInt32(byteCount - 8),
      bytes.littleEndian(at: 8) == FrameTag.fileHeader,
      Digest256Hasher.digest(bytes.extracting(checkedRange)).check
        == bytes.littleEndian(at: checkedRange.upperBound)
    else { throw .fileHeader }
    let version = bytes.littleEndian(at: 12, as: UInt16.self)
    guard version == SegmentFormat.version else { throw .unsupportedVersion(version) }
    guard bytes.littleEndian(at: 14, as: UInt16.self) == 0,
      bytes.littleEndian(at: 80, as: UInt64.self) == 0
    else { throw .fileHeader }
    let header = SegmentHeader(
      clusterID: ClusterID(at: 16, in: bytes),
      firstIndex: LogIndex(bytes.littleEndian(at: 32)),
      firstSequence: EventSequence(bytes.littleEndian(at: 40)),
      previousHash: Digest256(at: 48, in: bytes))
    // What no batch can have: the arithmetic on both never overflows.
    guard header.firstIndex > .zero, header.firstIndex.rawValue < .max,
      header.firstSequence > .zero
    else { throw .fileHeader }
    return header
  }
}

package import Bytes

/// The constants of the segment format, version 1 (`Format.md`).
package enum SegmentFormat {
  /// The version that every frame of ours carries.
  package static let version: UInt16 = 1
  /// The magic number of a skippable frame (LZ4 frame format 1.6.4, "Skippable Frames").
  package static let skippableMagic: UInt32 = 0x184D_2A50
  /// Magic number and size field in front of a skippable frame's content.
  package static let framePrefixByteCount = 8
  /// Most bytes of records, uncompressed, in one batch.
  package static let recordsByteCountMax = 1 << 20
  /// Most bytes that an LZ4 frame adds to records that do not compress: the header (19), the
  /// block's size and checksum (8), the end mark (4), and room.
  package static let frameOverheadByteCountMax = 64
  /// Most bytes of a batch's LZ4 frame.
  package static let frameByteCountMax = recordsByteCountMax + frameOverheadByteCountMax
  /// Most bytes of a batch, on the wire and on disk.
  package static let batchByteCountMax = BatchHeader.byteCount + frameByteCountMax
  /// How far apart the entries of a footer's sparse index are at least, bytes of file.
  package static let indexIntervalByteCount = 64 << 10
  /// Most events of a segment: its leader begins another one before. Older logs may have more.
  package static let segmentEventCountMax = 4 << 20
  /// Most bytes of a footer frame. A segment of ``segmentEventCountMax`` payments, each with names
  /// that no other has, needs four fifths of it.
  package static let footerByteCountMax = 64 << 20
}

/// The four ASCII letters that open the content of our skippable frames, as a little-endian word.
enum FrameTag {
  /// "SPFH": the head of a file.
  static let fileHeader: UInt32 = 0x4846_5053
  /// "SPBH": the head of a batch.
  static let batchHeader: UInt32 = 0x4842_5053
  /// "SPFT": the foot of a sealed file.
  static let footer: UInt32 = 0x5446_5053
  /// "SPFE": the last four bytes of a sealed file.
  static let trailer: UInt32 = 0x4546_5053
  /// "SIDX": the footer's sparse index.
  static let sparseIndex: UInt32 = 0x5844_4953
  /// "SMAX": the footer's greatest commit index and hybrid time.
  static let maxima: UInt32 = 0x5841_4d53
  /// "STRM": the footer's terms.
  static let terms: UInt32 = 0x4d52_5453
  /// "STRE": the footer's Merkle tree.
  static let tree: UInt32 = 0x4552_5453
  /// "STXN": the footer's index by transaction id.
  static let transactions: UInt32 = 0x4e58_5453
  /// "SACC": the footer's index by account name.
  static let accounts: UInt32 = 0x4343_4153
}

/// Which segment of a log: the index of its first batch, which is also its file's name.
package struct SegmentID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The index of the segment's first batch.
  package let firstIndex: LogIndex

  private static let suffix = ".lz4"

  /// The segment that begins with the batch at `firstIndex`.
  package init(_ firstIndex: LogIndex) { self.firstIndex = firstIndex }

  /// Reads a file name, or nil where it is not a segment's.
  package init?(fileName: String) {
    guard let index = IndexFileName.index(of: fileName, suffix: Self.suffix) else { return nil }
    firstIndex = index
  }

  /// Twenty digits, so that names sort as numbers, and `.lz4`.
  package var fileName: String { IndexFileName.text(firstIndex, suffix: Self.suffix) }

  /// The name of the file while it is written anew beside a damaged one.
  var unfinishedFileName: String { fileName + Self.unfinishedSuffix }

  private static let unfinishedSuffix = ".mend"

  /// Whether a file was being written anew.
  static func isUnfinished(fileName: String) -> Bool {
    fileName.hasSuffix(suffix + unfinishedSuffix)
  }

  /// The file name.
  package var description: String { fileName }

  /// Orders by first index.
  package static func < (left: Self, right: Self) -> Bool { left.firstIndex < right.firstIndex }
}

extension RawSpan {
  /// Loads a fixed-width little-endian integer. Precondition: it lies inside.
  @inline(__always)
  func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: T.Type = T.self
  ) -> T {
    T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension Digest256 {
  /// The first eight bytes: the check of a header.
  var check: UInt64 {
    withBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)) }
  }
}

extension ByteWriter {
  mutating func digest(_ digest: Digest256) {
    digest.withBytes { append(contentsOf: $0) }
  }

  /// Opens a skippable frame whose whole length is `byteCount`.
  mutating func skippablePrefix(byteCount: Int, tag: UInt32) {
    integer(SegmentFormat.skippableMagic)
    integer(UInt32(byteCount - SegmentFormat.framePrefixByteCount))
    integer(tag)
  }
}

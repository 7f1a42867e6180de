package import Bytes
package import SegmentLog

/// Why a snapshot is not used or not written. The node goes on without it: a snapshot only saves
/// the time of a replay.
package enum SnapshotProblem: Error, Hashable, Sendable {
  /// A file operation failed.
  case file(FileError)
  /// The file is shorter or longer than it says, or than any snapshot can be.
  case length(UInt64)
  /// The file does not begin or end as a snapshot does.
  case notASnapshot
  /// A version of the format that this build does not read.
  case unsupportedVersion(UInt16)
  /// The bytes are not those that were written: the digest of the block at this offset differs, or,
  /// at 0, the one over the header and all the blocks' digests.
  case digestMismatch(offset: UInt64)
  /// Another cluster's.
  case otherCluster
  /// The file's name tells another index than its header.
  case misnamed(found: LogIndex)
  /// The bytes are those that were written, and yet no snapshot.
  case malformed(DecodeError, offset: UInt64)
  /// The tables and the point are not of one moment.
  case otherLedger
  /// The log holds another batch where the snapshot was taken: they tell different histories.
  case otherHistory(at: LogIndex)
  /// A segment before the snapshot has lost its footer, which only a replay can write again.
  case segmentNotSealed(SegmentID)
  /// The log could not be read for a new snapshot.
  case log(String)
  /// Replaying the log gave another ledger than the node's own at this index. HAZARD: memory of this
  /// node has changed under it, or applying is not deterministic.
  case diverged(at: LogIndex)
}

/// The constants of the snapshot file, version 1 (<doc:Snapshots>).
enum SnapshotFormat {
  static let version: UInt16 = 1
  /// "SPSNAPSH" and "SPSNEND.", as little-endian words.
  static let magic: UInt64 = 0x4853_5041_4e53_5053
  static let endMagic: UInt64 = 0x2e44_4e45_4e53_5053
  static let headerByteCount = 64
  static let indexEntryByteCount = 8 + Digest256.byteCount
  static let trailerByteCount = 64
  /// Most bytes of a block.
  static let blockByteCountMax = 1 << 20
  /// Most blocks: a file of 256 GiB.
  static let blockCountMax: UInt64 = 1 << 18
  /// Most blocks of a recovery point: four million terms.
  static let pointBlockCountMax = 64
  /// Written bytes after which the file is synced: the log's own syncs wait behind no more.
  static let syncByteCount = 8 << 20

  /// What a block holds.
  enum BlockKind: UInt32 {
    /// A piece of the recovery point.
    case point = 1
    /// A piece of the ledger.
    case ledger = 2
  }

  /// An entry of the index.
  struct Block {
    let kind: BlockKind
    let offset: UInt64
    let byteCount: Int
    let digest: Digest256
  }

  /// The digest at the file's end: over the header, the index, and the trailer before it.
  static func digest(
    header: borrowing RawSpan, index: borrowing RawSpan, trailer: borrowing RawSpan
  ) -> Digest256 {
    var hasher = Digest256Hasher()
    hasher.update(header)
    hasher.update(index)
    hasher.update(trailer)
    return hasher.finalize()
  }
}

/// A snapshot's name and place: the index of the last batch applied.
package struct SnapshotID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The last batch applied.
  package let applied: LogIndex

  private static let suffix = ".snapshot"
  /// What a file that is being written is called after its name.
  static let partialSuffix = ".partial"

  /// The snapshot after the batch at `applied`.
  package init(_ applied: LogIndex) { self.applied = applied }

  /// Reads a file name, or nil where it is not a snapshot's.
  package init?(fileName: String) {
    guard let index = IndexFileName.index(of: fileName, suffix: Self.suffix) else { return nil }
    applied = index
  }

  /// Twenty digits, so that names sort as numbers, and `.snapshot`.
  package var fileName: String { IndexFileName.text(applied, suffix: Self.suffix) }

  /// The file name.
  package var description: String { fileName }

  /// Orders by index.
  package static func < (left: Self, right: Self) -> Bool { left.applied < right.applied }
}

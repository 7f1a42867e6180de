import Bytes
import Raft
import Replica
import SegmentLog

/// Writes one snapshot file, block by block.
struct SnapshotWriter<FileSystem: LogFileSystem>: ~Copyable {
  private let file: FileSystem.File
  private let header: [UInt8]
  private var index = ByteWriter()
  private var offset: UInt64
  private var blockCount: UInt64 = 0
  private var syncedOffset: UInt64 = 0

  init(
    _ file: FileSystem.File, clusterID: ClusterID, point: RecoveryPoint
  ) throws(SnapshotProblem) {
    self.file = file
    var writer = ByteWriter(capacity: SnapshotFormat.headerByteCount)
    writer.integer(SnapshotFormat.magic)
    writer.integer(SnapshotFormat.version)
    writer.integer(UInt16(0))
    writer.integer(UInt32(0))
    writer.append(contentsOf: clusterID.bytes)
    writer.integer(point.applied.index.rawValue)
    writer.integer(point.applied.term.rawValue)
    writer.integer(point.lastBatch.header.lastSequence.rawValue)
    writer.integer(UInt64(0))
    assert(writer.count == SnapshotFormat.headerByteCount)
    header = writer.bytes
    offset = UInt64(header.count)
    let bytes = writer.bytes
    try snapshotFiles { () throws(FileError) in try file.write(bytes.span.bytes, at: 0) }
  }

  /// Writes a block, and its digest into the index.
  mutating func append(
    _ kind: SnapshotFormat.BlockKind, _ bytes: borrowing RawSpan
  ) throws(SnapshotProblem) {
    precondition(bytes.byteCount > 0 && bytes.byteCount <= SnapshotFormat.blockByteCountMax)
    do throws(FileError) {
      try file.write(bytes, at: offset)
      offset += UInt64(bytes.byteCount)
      if offset - syncedOffset >= UInt64(SnapshotFormat.syncByteCount) {
        try file.sync()
        syncedOffset = offset
      }
    } catch {
      throw .file(error)
    }
    index.integer(kind.rawValue)
    index.integer(UInt32(bytes.byteCount))
    Digest256Hasher.digest(bytes).withBytes { index.append(contentsOf: $0) }
    blockCount += 1
  }

  /// Writes index and trailer, makes the file durable, and returns its length in bytes.
  consuming func finish() throws(SnapshotProblem) -> UInt64 {
    guard blockCount <= SnapshotFormat.blockCountMax else { throw .length(offset) }
    var trailer = ByteWriter(capacity: SnapshotFormat.trailerByteCount)
    trailer.integer(offset)
    trailer.integer(blockCount)
    trailer.integer(UInt64(0))
    trailer.integer(SnapshotFormat.endMagic)
    let digest = SnapshotFormat.digest(
      header: header.span.bytes, index: index.bytes.span.bytes, trailer: trailer.bytes.span.bytes)
    digest.withBytes { trailer.append(contentsOf: $0) }
    assert(trailer.count == SnapshotFormat.trailerByteCount)
    index.append(contentsOf: trailer.bytes)
    let end = index.bytes
    do throws(FileError) {
      try file.write(end.span.bytes, at: offset)
      try file.sync()
    } catch {
      throw .file(error)
    }
    return offset + UInt64(end.count)
  }
}

/// Runs a file operation, and wraps its error.
func snapshotFiles<T: ~Copyable>(
  _ body: () throws(FileError) -> T
) throws(SnapshotProblem) -> T {
  do {
    return try body()
  } catch {
    throw .file(error)
  }
}

package import Bytes
import Ledger
import Raft
package import Replica
import SegmentLog

/// Reads one snapshot file. Its frame (header, index, trailer) is verified when this is made, each
/// block before anything in it is used: nothing unverified is ever interpreted.
struct SnapshotReader<File: LogFile>: ~Copyable {
  private let file: File
  private let applied: LogIndex
  private let byteCount: UInt64
  private let blocks: [SnapshotFormat.Block]
  private var buffer = [UInt8](repeating: 0, count: SnapshotFormat.blockByteCountMax)

  init(_ file: File, clusterID: ClusterID, id: SnapshotID) throws(SnapshotProblem) {
    let byteCount = try snapshotFiles { () throws(FileError) in try file.size() }
    let header = try Self.bytes(of: file, at: 0, SnapshotFormat.headerByteCount)
    let index = try Self.verifiedIndex(file, byteCount: byteCount, header: header)
    // From here on, header and index are what was written.
    let version = UInt16(header[8]) | UInt16(header[9]) << 8
    guard version == SnapshotFormat.version else { throw .unsupportedVersion(version) }
    guard ClusterID(bytes: Array(header[16..<32])) == clusterID else { throw .otherCluster }
    let applied = LogIndex(Self.word(32, in: header.span.bytes))
    guard applied == id.applied else { throw .misnamed(found: applied) }
    let blocks = try Self.blocks(index, end: byteCount)
    self.file = file
    self.byteCount = byteCount
    self.applied = applied
    self.blocks = blocks
  }

  private static func bytes(
    of file: File, at offset: UInt64, _ count: Int
  ) throws(SnapshotProblem) -> [UInt8] {
    let bytes = try snapshotFiles { () throws(FileError) in
      try file.read(at: offset, count: count)
    }
    guard bytes.count == count else { throw .length(offset + UInt64(bytes.count)) }
    return bytes
  }

  /// The index, after its digest has vouched for it and for the header. Until then the trailer's
  /// lengths serve only to find it, inside the file and under the limit.
  private static func verifiedIndex(
    _ file: File, byteCount: UInt64, header: [UInt8]
  ) throws(SnapshotProblem) -> [UInt8] {
    let trailerByteCount = UInt64(SnapshotFormat.trailerByteCount)
    let frameByteCount = UInt64(header.count) + trailerByteCount
    guard byteCount >= frameByteCount else { throw .length(byteCount) }
    let trailer = try bytes(
      of: file, at: byteCount - trailerByteCount, SnapshotFormat.trailerByteCount)
    let span = trailer.span.bytes
    let indexOffset = word(0, in: span)
    let blockCount = word(8, in: span)
    guard word(0, in: header.span.bytes) == SnapshotFormat.magic,
      word(24, in: span) == SnapshotFormat.endMagic
    else { throw .notASnapshot }
    guard blockCount <= SnapshotFormat.blockCountMax, indexOffset >= UInt64(header.count),
      indexOffset <= byteCount,
      blockCount * UInt64(SnapshotFormat.indexEntryByteCount)
        == (byteCount - indexOffset).subtractingReportingOverflow(trailerByteCount).partialValue
    else { throw .length(byteCount) }
    let index = try bytes(
      of: file, at: indexOffset, Int(blockCount) * SnapshotFormat.indexEntryByteCount)
    let digest = SnapshotFormat.digest(
      header: header.span.bytes, index: index.span.bytes, trailer: span.extracting(0..<32))
    guard digest == Digest256(at: 32, in: span) else { throw .digestMismatch(offset: 0) }
    return index
  }

  private static func word(_ offset: Int, in bytes: borrowing RawSpan) -> UInt64 {
    UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The blocks that a verified index names: they must fill the file between header and index.
  private static func blocks(
    _ index: [UInt8], end: UInt64
  ) throws(SnapshotProblem) -> [SnapshotFormat.Block] {
    var blocks: [SnapshotFormat.Block] = []
    var offset = UInt64(SnapshotFormat.headerByteCount)
    let span = index.span.bytes
    for entry in stride(from: 0, to: index.count, by: SnapshotFormat.indexEntryByteCount) {
      let opening = word(entry, in: span)
      let byteCount = Int(opening >> 32)
      guard let kind = SnapshotFormat.BlockKind(rawValue: UInt32(truncatingIfNeeded: opening)),
        byteCount > 0, byteCount <= SnapshotFormat.blockByteCountMax
      else { throw .malformed(.invalidField("index", offset: entry), offset: offset) }
      blocks.append(
        SnapshotFormat.Block(
          kind: kind, offset: offset, byteCount: byteCount,
          digest: Digest256(at: entry + 8, in: span)))
      offset += UInt64(byteCount)
    }
    guard offset + UInt64(index.count + SnapshotFormat.trailerByteCount) == end else {
      throw .length(end)
    }
    return blocks
  }

  /// Reads and verifies a block into the buffer.
  private mutating func load(_ block: SnapshotFormat.Block) throws(SnapshotProblem) {
    let file = file
    var result: Result<Int, FileError> = .success(0)
    buffer.withUnsafeMutableBytes { bytes in
      let target = UnsafeMutableRawBufferPointer(rebasing: bytes[..<block.byteCount])
      result = Result { () throws(FileError) in try file.read(at: block.offset, into: target) }
    }
    let count = try snapshotFiles { () throws(FileError) in try result.get() }
    guard count == block.byteCount,
      Digest256Hasher.digest(buffer.span.bytes.extracting(0..<count)) == block.digest
    else { throw .digestMismatch(offset: block.offset) }
  }

  /// Point and ledger, checked against each other.
  consuming func read() throws(SnapshotProblem) -> LoadedSnapshot {
    let pointCount = blocks.prefix { $0.kind == .point }.count
    guard pointCount <= SnapshotFormat.pointBlockCountMax else { throw .length(byteCount) }
    var pointBytes: [UInt8] = []
    for block in blocks[..<pointCount] {
      try load(block)
      pointBytes.append(contentsOf: buffer[..<block.byteCount])
    }
    var opener = BatchOpener()
    let point: RecoveryPoint
    do throws(DecodeError) {
      point = try RecoveryPoint(pointBytes.span.bytes, opener: &opener)
    } catch {
      throw .malformed(error, offset: UInt64(SnapshotFormat.headerByteCount))
    }
    guard point.applied.index == applied else { throw .misnamed(found: point.applied.index) }
    let ledger = try readLedger(blocks[pointCount...])
    guard point.isOf(ledger) else { throw .otherLedger }
    return LoadedSnapshot(point: point, ledger: ledger)
  }

  private mutating func readLedger(
    _ blocks: ArraySlice<SnapshotFormat.Block>
  ) throws(SnapshotProblem) -> LedgerState {
    var loader = LedgerLoader(byteCount: byteCount)
    for block in blocks {
      guard block.kind == .ledger else {
        throw .malformed(.invalidField("index", offset: 0), offset: block.offset)
      }
      try load(block)
      do throws(DecodeError) {
        try loader.take(buffer.span.bytes.extracting(0..<block.byteCount))
      } catch {
        throw .malformed(error, offset: block.offset)
      }
    }
    do throws(DecodeError) { return try loader.finish() } catch {
      throw .malformed(error, offset: byteCount)
    }
  }
}

/// A snapshot that has been verified and read.
package struct LoadedSnapshot: ~Copyable {
  /// Where it was taken.
  let point: RecoveryPoint
  /// The ledger there.
  let ledger: LedgerState

  init(point: RecoveryPoint, ledger: consuming LedgerState) {
    self.point = point
    self.ledger = ledger
  }

  /// A recovery that goes on from here.
  package consuming func recovery(
    _ configuration: ReplicaConfiguration, knownCommitted: LogIndex
  ) -> ReplicaRecovery {
    ReplicaRecovery(
      configuration: configuration, knownCommitted: knownCommitted, point: point, ledger: ledger)
  }
}

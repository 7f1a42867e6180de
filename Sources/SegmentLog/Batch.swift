package import Bytes

/// Why bytes are not a batch, or fields do not make one.
package enum BatchError: Error, Hashable, Sendable {
  /// More records than ``SegmentFormat/recordsByteCountMax``.
  case recordsTooLarge(byteCount: Int)
  /// The bytes end before the batch does.
  case truncated(byteCount: Int, expected: Int)
  /// Bytes follow the batch.
  case trailingBytes(byteCount: Int)
  /// Another frame, or no frame, stands here.
  case notABatch
  /// A version of the format that this build does not read.
  case unsupportedVersion(UInt16)
  /// A field holds what no batch can hold.
  case invalidField(BatchField)
  /// The header's bytes are not those that were written.
  case checkMismatch
  /// The LZ4 frame does not decode to exactly the announced length.
  case invalidFrame
  /// The records or the header are not those that were hashed.
  case hashMismatch
}

/// A field of the batch header, as the format page names it.
package enum BatchField: Hashable, Sendable {
  /// `flags` has a bit that this version does not know.
  case flags
  /// A reserved field is not zero.
  case reserved
  /// `index` is 0, or the greatest number.
  case index
  /// `commit` is not below `index`.
  case commit
  /// `firstSequence` is 0, or leaves no room for the events.
  case firstSequence
  /// `count` and the length of the records contradict each other.
  case count
  /// The stamp's node, status, reference or bound.
  case stamp
  /// `correctedMin` is above `correctedMax`.
  case correctedRange
  /// `frameByteCount` is above the limit, or contradicts `count`.
  case frameByteCount
}

/// A batch of events, closed and hashed: what one Raft entry holds.
package final class Batch: Sendable {
  /// What stands before the records.
  package let header: BatchHeader
  /// Header frame and LZ4 frame, exactly as on the wire and on disk.
  package let bytes: [UInt8]
  /// The records, uncompressed.
  package let records: [UInt8]

  init(header: BatchHeader, bytes: [UInt8], records: [UInt8]) {
    assert(bytes.count == header.batchByteCount && records.count == header.recordsByteCount)
    self.header = header
    self.bytes = bytes
    self.records = records
  }

  /// The batch's place in the log.
  package var index: LogIndex { header.index }
  /// The term of the leader that closed it.
  package var term: Term { header.term }
}

/// Closes batches: one compression and one hash each.
package struct BatchBuilder: ~Copyable {
  private var compressor: FrameCompressor

  /// A builder that compresses at an LZ4 level: 0 is the fast default, negative is faster, 3 to 12
  /// are the high-compression ones.
  package init(compressionLevel: Int = 0) {
    compressor = FrameCompressor(level: compressionLevel)
  }

  /// Encodes, hashes and compresses a batch. Errors: fields or records outside their limits.
  package mutating func build(
    _ fields: BatchFields, records: [UInt8]
  ) throws(BatchError) -> Batch {
    try fields.validate(recordsByteCount: records.count)
    var writer = ByteWriter(capacity: BatchHeader.byteCount)
    BatchHeader.encodeHashed(fields, recordsByteCount: records.count, into: &writer)
    var hasher = Digest256Hasher()
    hasher.update(writer.bytes.span.bytes.extracting(BatchHeader.hashedRange))
    hasher.update(records.span.bytes)
    let frame = records.isEmpty ? nil : compressor.compress(records.span.bytes)
    let header = BatchHeader(
      fields: fields, recordsByteCount: records.count, hash: hasher.finalize(),
      frameByteCount: frame?.count ?? 0)
    header.encodeRest(into: &writer)
    assert(writer.count == BatchHeader.byteCount)
    if let frame {
      writer.bytes.reserveCapacity(BatchHeader.byteCount + frame.count)
      writer.append(contentsOf: frame)
    }
    return Batch(header: header, bytes: writer.bytes, records: records)
  }
}

/// Opens batches that came from a disk or a peer: limits, check and hash are verified.
///
/// Keeps its buffers, so opening into them allocates nothing.
package struct BatchOpener: ~Copyable {
  private var decompressor = FrameDecompressor()

  /// An opener with buffers of its own.
  package init() {}

  /// Opens bytes that hold exactly one batch.
  package mutating func open(_ bytes: [UInt8]) throws(BatchError) -> Batch {
    let header = try BatchHeader.decode(at: 0, in: bytes.span.bytes)
    guard bytes.count >= header.batchByteCount else {
      throw .truncated(byteCount: bytes.count, expected: header.batchByteCount)
    }
    guard bytes.count == header.batchByteCount else {
      throw .trailingBytes(byteCount: bytes.count - header.batchByteCount)
    }
    try decode(header, batch: bytes.span.bytes)
    var records: [UInt8] = []
    copyRecords(into: &records)
    return Batch(header: header, bytes: bytes, records: records)
  }

  /// Decodes and verifies the records of a batch whose header has been decoded from the start of
  /// `batch`, and puts them into `records` in place of what was there.
  package mutating func openRecords(
    _ header: BatchHeader, batch: borrowing RawSpan, into records: inout [UInt8]
  ) throws(BatchError) {
    try decode(header, batch: batch)
    copyRecords(into: &records)
  }

  /// Decodes and verifies, unless this process has verified it before; the records stay in the opener
  /// until the next call.
  mutating func decode(
    _ header: BatchHeader, batch: borrowing RawSpan, isVerified: Bool = false
  ) throws(BatchError) {
    guard batch.byteCount >= header.batchByteCount else {
      throw .truncated(byteCount: batch.byteCount, expected: header.batchByteCount)
    }
    let frame = batch.extracting(BatchHeader.byteCount..<header.batchByteCount)
    guard decompressor.decompress(frame, byteCount: header.recordsByteCount) else {
      throw .invalidFrame
    }
    if isVerified { return }
    var hasher = Digest256Hasher()
    hasher.update(batch.extracting(BatchHeader.hashedRange))
    hasher.update(UnsafeRawBufferPointer(decompressor.output))
    guard hasher.finalize() == header.hash else { throw .hashMismatch }
  }

  /// Copies what ``decode(_:batch:)`` left, without allocating when there is room.
  func copyRecords(into records: inout [UInt8]) {
    records.removeAll(keepingCapacity: true)
    records.append(contentsOf: decompressor.output)
  }

  /// Calls `body` with what ``decode(_:batch:)`` left.
  func withRecords<R, E: Error>(_ body: (borrowing RawSpan) throws(E) -> R) throws(E) -> R {
    try body(decompressor.output.bytes)
  }
}

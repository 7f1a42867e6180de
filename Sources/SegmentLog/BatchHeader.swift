package import Bytes
package import HybridTime

/// What the leader chooses when it closes a batch.
package struct BatchFields: Sendable, Hashable {
  /// Whether a new segment begins with this batch. The leader decides, so that boundaries are part
  /// of the log's content.
  package var startsSegment: Bool
  /// Whether the batch holds one event, and that says who takes part from here on: consensus must
  /// know without looking into records.
  package var changesMembers: Bool
  /// The batch's place in the log, from 1.
  package var index: LogIndex
  /// The term of the leader that closed it; 0 in a journal.
  package var term: Term
  /// The sequence of the first event; of the next one where the batch is empty.
  package var firstSequence: EventSequence
  /// How many events the records hold. At most `UInt32.max`.
  package var count: Int
  /// The leader's commit index when it closed the batch. Invariant: `commit < index`.
  package var commit: LogIndex
  /// When the leader closed the batch, by its clock.
  package var stamp: Stamp
  /// Least corrected time of the events, nanoseconds since 1970; the stamp's for an empty batch.
  package var correctedMin: Int64
  /// Greatest corrected time of the events, nanoseconds since 1970; the stamp's for an empty batch.
  package var correctedMax: Int64
  /// Greatest hybrid time of the events; the stamp's for an empty batch.
  package var hybridMax: HybridTimestamp
  /// The hash of the batch before; ``Digest256/zero`` before the first.
  package var previousHash: Digest256

  /// The fields of a batch.
  package init(
    startsSegment: Bool, changesMembers: Bool = false, index: LogIndex, term: Term,
    firstSequence: EventSequence, count: Int, commit: LogIndex, stamp: Stamp,
    correctedMin: Int64, correctedMax: Int64, hybridMax: HybridTimestamp,
    previousHash: Digest256
  ) {
    self.changesMembers = changesMembers
    self.startsSegment = startsSegment
    self.index = index
    self.term = term
    self.firstSequence = firstSequence
    self.count = count
    self.commit = commit
    self.stamp = stamp
    self.correctedMin = correctedMin
    self.correctedMax = correctedMax
    self.hybridMax = hybridMax
    self.previousHash = previousHash
  }
}

/// What stands before the records of a batch (`Format.md`, "SPBH").
package struct BatchHeader: Sendable, Hashable {
  /// Length of the whole skippable frame in bytes.
  package static let byteCount = 212
  /// The bytes under the chained hash, before the records: from the tag to the previous hash.
  static let hashedRange = 8..<168
  /// The bytes under the check.
  static let checkedRange = 8..<204
  private static let flagStartsSegment: UInt16 = 1
  private static let flagChangesMembers: UInt16 = 2

  /// What the leader chose.
  package let fields: BatchFields
  /// Length of the records, uncompressed. Invariant: zero exactly when `count` is.
  package let recordsByteCount: Int
  /// SHA-256 over ``hashedRange`` and the uncompressed records.
  package let hash: Digest256
  /// Length of the LZ4 frame that follows. Invariant: zero exactly when `count` is.
  package let frameByteCount: Int

  init(fields: BatchFields, recordsByteCount: Int, hash: Digest256, frameByteCount: Int) {
    self.fields = fields
    self.recordsByteCount = recordsByteCount
    self.hash = hash
    self.frameByteCount = frameByteCount
  }

  /// ``BatchFields/startsSegment``.
  package var startsSegment: Bool { fields.startsSegment }
  /// ``BatchFields/changesMembers``.
  package var changesMembers: Bool { fields.changesMembers }
  /// ``BatchFields/index``.
  package var index: LogIndex { fields.index }
  /// ``BatchFields/term``.
  package var term: Term { fields.term }
  /// ``BatchFields/firstSequence``.
  package var firstSequence: EventSequence { fields.firstSequence }
  /// ``BatchFields/count``.
  package var count: Int { fields.count }
  /// ``BatchFields/commit``.
  package var commit: LogIndex { fields.commit }
  /// ``BatchFields/stamp``.
  package var stamp: Stamp { fields.stamp }
  /// ``BatchFields/correctedMin``, nanoseconds since 1970.
  package var correctedMin: Int64 { fields.correctedMin }
  /// ``BatchFields/correctedMax``, nanoseconds since 1970.
  package var correctedMax: Int64 { fields.correctedMax }
  /// ``BatchFields/hybridMax``.
  package var hybridMax: HybridTimestamp { fields.hybridMax }
  /// ``BatchFields/previousHash``.
  package var previousHash: Digest256 { fields.previousHash }

  /// The sequence of the last event up to and including this batch.
  package var lastSequence: EventSequence {
    EventSequence(firstSequence.rawValue + UInt64(count) - 1)
  }

  /// Length of header frame and LZ4 frame together.
  package var batchByteCount: Int { Self.byteCount + frameByteCount }
}

extension BatchHeader {
  /// Writes everything up to and including the previous hash.
  static func encodeHashed(
    _ fields: BatchFields, recordsByteCount: Int, into writer: inout ByteWriter
  ) {
    writer.skippablePrefix(byteCount: byteCount, tag: FrameTag.batchHeader)
    writer.integer(SegmentFormat.version)
    writer.integer(
      (fields.startsSegment ? flagStartsSegment : 0)
        | (fields.changesMembers ? flagChangesMembers : 0))
    writer.integer(fields.index.rawValue)
    writer.integer(fields.term.rawValue)
    writer.integer(fields.firstSequence.rawValue)
    writer.integer(UInt32(fields.count))
    writer.integer(UInt32(recordsByteCount))
    writer.integer(fields.commit.rawValue)
    let reading = fields.stamp.reading
    writer.integer(fields.stamp.node.rawValue)
    writer.integer(reading.status.rawValue)
    writer.integer(reading.reference.rawValue)
    writer.integer(reading.epoch)
    writer.integer(reading.rawNanoseconds)
    writer.integer(reading.correctionNanoseconds)
    writer.integer(reading.boundNanoseconds)
    writer.integer(fields.stamp.hybrid.wallNanoseconds)
    writer.integer(fields.stamp.hybrid.logical)
    writer.integer(UInt32(0))
    writer.integer(fields.correctedMin)
    writer.integer(fields.correctedMax)
    writer.integer(fields.hybridMax.wallNanoseconds)
    writer.integer(fields.hybridMax.logical)
    writer.integer(UInt32(0))
    writer.digest(fields.previousHash)
  }

  /// Writes what follows the previous hash; `writer` holds only this header.
  func encodeRest(into writer: inout ByteWriter) {
    writer.digest(hash)
    writer.integer(UInt32(frameByteCount))
    let check = Digest256Hasher.digest(
      writer.bytes.span.bytes.extracting(Self.checkedRange)
    ).check
    writer.integer(check)
  }

  /// Reads a header at `offset` and verifies its check and its limits before anything in it is
  /// used.
  package static func decode(
    at offset: Int, in bytes: borrowing RawSpan
  ) throws(BatchError) -> BatchHeader {
    guard offset >= 0, bytes.byteCount - offset >= byteCount else {
      throw .truncated(byteCount: max(0, bytes.byteCount - offset), expected: byteCount)
    }
    let header = bytes.extracting(offset..<offset + byteCount)
    guard header.littleEndian(at: 0) == SegmentFormat.skippableMagic,
      header.littleEndian(at: 4, as: UInt32.self) == UInt32(byteCount - 8),
      header.littleEndian(at: 8) == FrameTag.batchHeader
    else { throw .notABatch }
    guard
      Digest256Hasher.digest(header.extracting(checkedRange)).check
        == header.littleEndian(at: checkedRange.upperBound)
    else { throw .checkMismatch }
    let version = header.littleEndian(at: 12, as: UInt16.self)
    guard version == SegmentFormat.version else { throw .unsupportedVersion(version) }
    return try decodeChecked(header)
  }

  private static func decodeChecked(
    _ header: borrowing RawSpan
  ) throws(BatchError) -> BatchHeader {
    let flags = header.littleEndian(at: 14, as: UInt16.self)
    guard flags & ~(flagStartsSegment | flagChangesMembers) == 0 else {
      throw .invalidField(.flags)
    }
    guard header.littleEndian(at: 100, as: UInt32.self) == 0,
      header.littleEndian(at: 132, as: UInt32.self) == 0
    else { throw .invalidField(.reserved) }
    let fields = BatchFields(
      startsSegment: flags & flagStartsSegment != 0,
      changesMembers: flags & flagChangesMembers != 0,
      index: LogIndex(header.littleEndian(at: 16)), term: Term(header.littleEndian(at: 24)),
      firstSequence: EventSequence(header.littleEndian(at: 32)),
      count: Int(header.littleEndian(at: 40, as: UInt32.self)),
      commit: LogIndex(header.littleEndian(at: 48)), stamp: try decodeStamp(header),
      correctedMin: header.littleEndian(at: 104), correctedMax: header.littleEndian(at: 112),
      hybridMax: HybridTimestamp(
        wallNanoseconds: header.littleEndian(at: 120), logical: header.littleEndian(at: 128)),
      previousHash: Digest256(at: 136, in: header))
    let result = BatchHeader(
      fields: fields, recordsByteCount: Int(header.littleEndian(at: 44, as: UInt32.self)),
      hash: Digest256(at: 168, in: header),
      frameByteCount: Int(header.littleEndian(at: 200, as: UInt32.self)))
    try fields.validate(recordsByteCount: result.recordsByteCount)
    guard (result.frameByteCount == 0) == (fields.count == 0),
      result.frameByteCount <= SegmentFormat.frameByteCountMax
    else { throw .invalidField(.frameByteCount) }
    return result
  }

  private static func decodeStamp(_ header: borrowing RawSpan) throws(BatchError) -> Stamp {
    let node = header.littleEndian(at: 56, as: UInt16.self)
    let bound = header.littleEndian(at: 80, as: Int64.self)
    guard let status = ClockStatus(rawValue: header.littleEndian(at: 58)),
      let reference = ClockReference(rawValue: header.littleEndian(at: 59)),
      node <= NodeID.countMax, bound >= 0
    else { throw .invalidField(.stamp) }
    return Stamp(
      reading: ClockReading(
        rawNanoseconds: header.littleEndian(at: 64),
        correctionNanoseconds: header.littleEndian(at: 72), boundNanoseconds: bound,
        epoch: header.littleEndian(at: 60), status: status, reference: reference),
      hybrid: HybridTimestamp(
        wallNanoseconds: header.littleEndian(at: 88), logical: header.littleEndian(at: 96)),
      node: NodeID(node))
  }
}

extension BatchFields {
  /// The limits and invariants that hold for every batch: asserted before writing, checked after
  /// reading.
  func validate(recordsByteCount: Int) throws(BatchError) {
    guard recordsByteCount <= SegmentFormat.recordsByteCountMax else {
      throw .recordsTooLarge(byteCount: recordsByteCount)
    }
    guard index.rawValue > 0, index.rawValue < .max else { throw .invalidField(.index) }
    guard commit < index else { throw .invalidField(.commit) }
    guard firstSequence.rawValue > 0,
      firstSequence.rawValue <= .max - UInt64(UInt32.max)
    else { throw .invalidField(.firstSequence) }
    // An event takes at least one byte.
    guard count >= 0, count <= Int(UInt32.max), (count == 0) == (recordsByteCount == 0),
      count <= recordsByteCount
    else { throw .invalidField(.count) }
    guard !changesMembers || count == 1 else { throw .invalidField(.count) }
    guard correctedMin <= correctedMax else { throw .invalidField(.correctedRange) }
    guard stamp.node.rawValue <= NodeID.countMax, stamp.reading.boundNanoseconds >= 0 else {
      throw .invalidField(.stamp)
    }
  }
}

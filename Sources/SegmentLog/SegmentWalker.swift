import Bytes

/// What is wrong in a segment, and where.
struct SegmentFault: Error {
  /// Where the frame begins that is not right.
  let offset: Int
  /// The index that is due there.
  let index: LogIndex
  let reason: Damage
}

/// What stands next in a segment.
enum SegmentItem {
  /// A batch that begins at `offset`, verified; its records are in the walker.
  case batch(BatchHeader, offset: Int)
  /// The footer, verified against all batches before it.
  case footer(SegmentFooter, offset: Int)
  /// The bytes end after a whole frame.
  case end
}

/// What is done with a batch's records on the way through a segment.
enum RecordReading {
  /// They are decoded and hashed.
  case verified
  /// They are decoded; this process has verified them before.
  case decoded
  /// Nothing; this process has verified them before.
  case skipped
}

/// Goes through a segment's frames from its file header on, and verifies every byte of them.
struct SegmentWalker: ~Copyable {
  /// The batches so far.
  private(set) var summary: SegmentSummary
  private var opener = BatchOpener()
  private let reading: RecordReading

  /// A walker after the batches of `summary`.
  init(after summary: SegmentSummary, reading: RecordReading = .verified) {
    self.summary = summary
    self.reading = reading
  }

  /// Where the next frame begins.
  var offset: Int { Int(summary.byteCount) }

  /// Verifies the next frame of `bytes`: all of the file, the same or longer at each call.
  mutating func next(in bytes: borrowing RawSpan) throws(SegmentFault) -> SegmentItem {
    let start = offset
    do throws(Damage) {
      guard start <= bytes.byteCount else { throw .truncated }
      if start == bytes.byteCount { return .end }
      guard bytes.byteCount - start >= 12 else { throw .truncated }
      if bytes.littleEndian(at: start + 8) == FrameTag.footer {
        return .footer(try footer(at: start, in: bytes), offset: start)
      }
      return .batch(try batch(at: start, in: bytes), offset: start)
    } catch {
      throw SegmentFault(offset: start, index: summary.lastIndex.next, reason: error)
    }
  }

  /// Copies the records of the last batch, without allocating when there is room.
  func copyRecords(into records: inout [UInt8]) { opener.copyRecords(into: &records) }

  /// Calls `body` with the records of the last batch.
  func withRecords<R, E: Error>(_ body: (borrowing RawSpan) throws(E) -> R) throws(E) -> R {
    try opener.withRecords(body)
  }

  private mutating func batch(
    at start: Int, in bytes: borrowing RawSpan
  ) throws(Damage) -> BatchHeader {
    let header: BatchHeader
    do {
      header = try BatchHeader.decode(at: start, in: bytes)
    } catch {
      throw Damage(error)
    }
    // The header is whole: what it says, no torn write can have made.
    try summary.check(header)
    let end = start + header.batchByteCount
    guard end <= bytes.byteCount else { throw .truncated }
    if reading != .skipped {
      do {
        try opener.decode(
          header, batch: bytes.extracting(start..<end), isVerified: reading == .decoded)
      } catch {
        throw Damage(error)
      }
    }
    summary.append(header)
    return header
  }

  private func footer(
    at start: Int, in bytes: borrowing RawSpan
  ) throws(Damage) -> SegmentFooter {
    let footer = try SegmentFooter.decode(at: start, in: bytes)
    guard footer.matches(summary) else { throw .footerMismatch }
    return footer
  }
}

/// Looks for a whole batch header after a fault: what shows that the fault is damage.
///
/// HAZARD: records could hold the bytes of such a header. Then a torn batch is called damaged, and
/// the node asks to be repaired; nothing is cut that should not be.
func laterBatch(
  after offset: Int, in bytes: borrowing RawSpan
) -> (offset: Int, header: BatchHeader)? {
  var position = offset + 1
  let last = bytes.byteCount - BatchHeader.byteCount
  while position <= last {
    if bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self) == 0x50,
      bytes.littleEndian(at: position) == SegmentFormat.skippableMagic,
      let header = try? BatchHeader.decode(at: position, in: bytes)
    {
      return (position, header)
    }
    position += 1
  }
  return nil
}

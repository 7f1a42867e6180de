package import Bytes

/// A sealed segment of a log that nobody has open here, for look-ups that read little of it.
package struct SegmentLookup<File: LogFile>: Sendable {
  /// Which segment.
  package let id: SegmentID
  private let file: File
  private let index: IndexInFile
  private var known: FooterInFile?

  /// How much is read at once while batches are searched, bytes.
  private static var stepByteCount: Int { 4 << 10 }

  /// Opens a segment's file; nil where it is not sealed. Errors: damage, the file's.
  package init?(_ id: SegmentID, _ file: File) throws(LogError) {
    let size = try files { () throws(FileError) in try file.size() }
    let tail = try files { () throws(FileError) in
      try file.read(at: size - min(size, 4), count: 4)
    }
    guard tail.count == 4, tail.span.bytes.littleEndian(at: 0) == FrameTag.trailer else {
      return nil
    }
    index = try IndexInFile(id, file)
    self.id = id
    self.file = file
  }

  /// The footer but for its index, read when it is first wanted.
  private mutating func footer() throws(LogError) -> FooterInFile {
    if let known { return known }
    let file = file
    guard let found = try files({ () throws(FileError) in try FooterInFile(file) }) else {
      throw IndexInFile.damaged(id, at: 0, .footer)
    }
    known = found
    return found
  }

  /// The stretches of events in which the segment may hold what is asked for, ascending.
  package func stretches(
    of subject: LookupSubject
  ) throws(LogError) -> [ClosedRange<EventSequence>] {
    try index.stretches(of: subject, in: file)
  }

  /// The events from which on to look for the first one with a corrected time of at least `time`; nil:
  /// there is none in the segment.
  package mutating func stretch(
    atOrAfter time: Int64
  ) throws(LogError) -> ClosedRange<EventSequence>? {
    let footer = try footer().footer
    let totals = footer.totals
    guard totals.correctedMax >= time, totals.firstSequence <= totals.lastSequence,
      let entry = footer.sparseIndex.first(where: { $0.correctedMax >= time }),
      entry.firstSequence <= totals.lastSequence
    else { return nil }
    return entry.firstSequence...totals.lastSequence
  }

  /// Calls `visit` with the batches that hold the events of `range`, in order, verified, until it says
  /// that it has seen enough.
  package mutating func visit(
    _ range: ClosedRange<EventSequence>, _ visit: (Batch) throws(LogError) -> Bool
  ) throws(LogError) {
    let found = try footer()
    let (sparseIndex, end) = (found.footer.sparseIndex, found.offset)
    var opener = BatchOpener()
    let place = partition(sparseIndex.count) { sparseIndex[$0].firstSequence <= range.lowerBound }
    guard place > 0 else { return }
    var window = ReadWindow(file: file, end: end, stepByteCount: Self.stepByteCount)
    var offset = sparseIndex[place - 1].offset
    while offset < end {
      let header: BatchHeader
      let head = try window.load(offset, count: BatchHeader.byteCount)
      do throws(BatchError) {
        header = try BatchHeader.decode(at: head.lowerBound, in: window.bytes.span.bytes)
      } catch {
        throw damaged(offset, error)
      }
      guard header.firstSequence <= range.upperBound else { return }
      if header.count > 0, header.lastSequence >= range.lowerBound {
        let place = try window.load(offset, count: header.batchByteCount)
        let batch: Batch
        do throws(BatchError) { batch = try opener.open(Array(window.bytes[place])) } catch {
          throw damaged(offset, error)
        }
        guard try visit(batch) else { return }
      }
      offset += UInt64(header.batchByteCount)
    }
  }

  private func damaged(_ offset: UInt64, _ error: BatchError) -> LogError {
    IndexInFile.damaged(id, at: offset, Damage(error))
  }
}

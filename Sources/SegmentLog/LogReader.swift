package import Bytes
import Synchronization

/// Reads batches beside the writer, on any thread.
///
/// Sees what the writer has written whole, durable or not. Uses positional reads only, for what it
/// reads may be cut meanwhile; then it looks again.
package final class LogReader<FS: LogFileSystem>: Sendable {
  /// Most files that are kept open.
  package static var openFileCountMax: Int { 32 }
  /// How much is read at once, bytes.
  static var readByteCount: Int { 256 << 10 }
  /// How much is read at once while headers are searched, bytes.
  static var searchByteCount: Int { 4 << 10 }
  /// How often a read is tried again because the writer has cut the log.
  private static var attemptCountMax: Int { 4 }

  private struct OpenFile {
    let serial: UInt64
    let file: FS.File
  }

  private let fileSystem: FS
  private let directory: String
  let positions: LogPositions
  /// Least recently used first.
  private let openFiles = Mutex<[OpenFile]>([])
  /// Of sealed segments, where their indexes are.
  let lookups = Mutex(LookupCache())

  /// A reader of the log in `directory`, whose writer keeps `positions`.
  package init(_ fileSystem: FS, directory: String, positions: LogPositions) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.positions = positions
  }

  /// The batches from `index` on, in order: verified, chained, and with their bytes up to
  /// `byteLimit` together, but at least one; none where the log ends before `index`.
  ///
  /// None of them is after `last`. Errors: ``LogError/beforeStart(_:first:)``, damage, files.
  package func batches(
    from index: LogIndex, byteLimit: Int, through last: LogIndex? = nil
  ) throws(LogError) -> [Batch] {
    var opener = BatchOpener()
    return try reading { () throws(LogError) in
      var run = BatchRun(next: index, byteLimit: byteLimit, last: last)
      while !run.isFull {
        let next = run.next
        guard case .place(let place) = try found(positions.lookup(next), index) else { break }
        try read(place, into: &run, &opener)
        guard run.isFull || run.next > next else {
          // Whole batches stand there, and none of them is the one that was written there.
          throw .damaged(
            segment: place.segment, offset: place.offset, index: next,
            reason: .outOfOrder(expected: next, found: next.previous), proof: .wholeFrame)
        }
      }
      return run.batches
    }
  }

  /// The index of the batch that holds an event, or nil where the log does not have it.
  package func index(containing sequence: EventSequence) throws(LogError) -> LogIndex? {
    guard sequence > .zero else { return nil }
    return try reading { () throws(LogError) in
      guard case .place(let place) = positions.lookup(sequence) else { return nil }
      var window = ReadWindow(
        file: try file(of: place), end: place.end, stepByteCount: Self.searchByteCount)
      var offset = place.offset
      while offset < place.end {
        let header = try header(at: offset, place, &window)
        if header.lastSequence >= sequence { return header.index }
        offset += UInt64(header.batchByteCount)
      }
      return nil
    }
  }

  private func found(
    _ lookup: LogPositions.Lookup, _ index: LogIndex
  ) throws(LogError) -> LogPositions.Lookup {
    if case .beforeStart(let first) = lookup { throw .beforeStart(index, first: first) }
    return lookup
  }

  /// Tries again while errors can come from a cut that happened meanwhile.
  func reading<T>(_ body: () throws(LogError) -> T) throws(LogError) -> T {
    var attempt = 1
    while true {
      let generation = positions.generation
      do {
        return try body()
      } catch {
        guard attempt < Self.attemptCountMax, positions.generation != generation else {
          throw error
        }
        attempt += 1
      }
    }
  }

  private func read(
    _ place: LogPositions.Place, into run: inout BatchRun, _ opener: inout BatchOpener
  ) throws(LogError) {
    var window = ReadWindow(
      file: try file(of: place), end: place.end, stepByteCount: Self.readByteCount)
    var offset = place.offset
    while offset < place.end, !run.isFull {
      let header = try header(at: offset, place, &window)
      if header.index >= run.next {
        guard run.takes(header) else {
          run.isFull = true
          return
        }
        try run.append(batch(header, at: offset, place, &window, &opener), place, offset)
      }
      offset += UInt64(header.batchByteCount)
    }
  }

  private func header(
    at offset: UInt64, _ place: LogPositions.Place, _ window: inout ReadWindow<FS.File>
  ) throws(LogError) -> BatchHeader {
    let range = try window.load(offset, count: BatchHeader.byteCount)
    do {
      return try BatchHeader.decode(at: range.lowerBound, in: window.bytes.span.bytes)
    } catch {
      throw damaged(place, offset, .zero, error)
    }
  }

  private func batch(
    _ header: BatchHeader, at offset: UInt64, _ place: LogPositions.Place,
    _ window: inout ReadWindow<FS.File>, _ opener: inout BatchOpener
  ) throws(LogError) -> Batch {
    let range = try window.load(offset, count: header.batchByteCount)
    do {
      return try opener.open(Array(window.bytes[range]))
    } catch {
      throw damaged(place, offset, header.index, error)
    }
  }

  private func damaged(
    _ place: LogPositions.Place, _ offset: UInt64, _ index: LogIndex, _ error: BatchError
  ) -> LogError {
    .damaged(
      segment: place.segment, offset: offset, index: index, reason: .batch(error),
      proof: .wholeFrame)
  }

  func file(of place: LogPositions.Place) throws(LogError) -> FS.File {
    let known = openFiles.withLock { files -> FS.File? in
      guard let found = files.firstIndex(where: { $0.serial == place.serial }) else { return nil }
      let entry = files.remove(at: found)
      files.append(entry)
      return entry.file
    }
    if let known { return known }
    let (fileSystem, path) = (fileSystem, directory + "/" + place.segment.fileName)
    let file = try files { () throws(FileError) in try fileSystem.open(path, .read) }
    openFiles.withLock { files in
      if files.count >= Self.openFileCountMax { files.removeFirst() }
      files.append(OpenFile(serial: place.serial, file: file))
    }
    return file
  }
}

/// The batches of one call, as they come in.
private struct BatchRun {
  var batches: [Batch] = []
  var byteCount = 0
  var next: LogIndex
  let byteLimit: Int
  let last: LogIndex?
  /// Whether nothing more goes in.
  var isFull: Bool

  init(next: LogIndex, byteLimit: Int, last: LogIndex?) {
    self.next = next
    self.byteLimit = byteLimit
    self.last = last
    isFull = last.map { next > $0 } ?? false
  }

  func takes(_ header: BatchHeader) -> Bool {
    batches.isEmpty || byteCount + header.batchByteCount <= byteLimit
  }

  mutating func append(
    _ batch: Batch, _ place: LogPositions.Place, _ offset: UInt64
  ) throws(LogError) {
    let isNext = batch.index == next
    let isChained = batches.last.map { $0.header.hash == batch.header.previousHash } ?? true
    guard isNext, isChained else {
      throw .damaged(
        segment: place.segment, offset: offset, index: next,
        reason: isNext ? .brokenChain : .outOfOrder(expected: next, found: batch.index),
        proof: .wholeFrame)
    }
    batches.append(batch)
    byteCount += batch.bytes.count
    next = next.next
    isFull = byteCount >= byteLimit || last.map { next > $0 } ?? false
  }
}

/// A piece of a file in memory that moves on with what is asked for.
struct ReadWindow<File: LogFile> {
  let file: File
  /// Where the segment's last batch ends.
  let end: UInt64
  /// How much is read at once.
  let stepByteCount: Int
  var start: UInt64 = 0
  var bytes: [UInt8] = []

  /// Makes `count` bytes at `offset` available, and returns where they are in `bytes`.
  mutating func load(_ offset: UInt64, count: Int) throws(LogError) -> Range<Int> {
    precondition(count <= SegmentFormat.batchByteCountMax)
    if offset < start || offset + UInt64(count) > start + UInt64(bytes.count) {
      let left = end > offset ? end - offset : 0
      let size = max(count, Int(min(left, UInt64(stepByteCount))))
      bytes = try files { () throws(FileError) in try file.read(at: offset, count: size) }
      start = offset
    }
    let place = Int(offset - start)
    return place..<min(place + count, bytes.count)
  }
}

import Bytes

extension SegmentStore {
  /// Whether the batches continue this log, before any of them is written.
  func requireFollowing(_ batches: [Batch]) throws(LogError) {
    var (index, term) = (lastIndex, lastTerm)
    var (sequence, hash) = (lastSequence, lastHash)
    for batch in batches {
      let header = batch.header
      guard header.index == index.next else {
        throw .outOfOrder(expected: index.next, found: header.index)
      }
      guard header.previousHash == hash, header.term >= term,
        header.firstSequence == EventSequence(sequence.rawValue + 1)
      else { throw .brokenChain(at: header.index) }
      if index == lastIndex, !header.startsSegment, let last = segments.last, last.seal != nil {
        throw .sealed(last.id)
      }
      (index, term) = (header.index, header.term)
      (sequence, hash) = (header.lastSequence, header.hash)
    }
  }

  mutating func enqueue(_ batch: Batch) throws(LogError) {
    if batch.header.startsSegment || segments.isEmpty {
      try flush()
      try syncWritten()
      try startSegment(with: batch)
    }
    if pendingByteCount + batch.bytes.count > Self.writeByteCountMax { try flush() }
    pending.append(batch)
  }

  private var pendingByteCount: Int {
    pending.reduce(writeBuffer.count) { $0 + $1.bytes.count }
  }

  private mutating func startSegment(with batch: Batch) throws(LogError) {
    let header = SegmentHeader(clusterID: clusterID, startingWith: batch.header)
    let id = SegmentID(header.firstIndex)
    let (fileSystem, path, room) = (fileSystem, path(id), preallocateByteCount)
    file = try files { () throws(FileError) in
      let file = try fileSystem.open(path, .create)
      if room > 0 { try file.preallocate(room) }
      return file
    }
    isDirectoryDirty = true
    segments.append(
      StoredSegment(summary: SegmentSummary(header: header, lastTerm: lastTerm), seal: nil))
    // The header goes out with the first batch, in one write.
    writeBuffer.append(contentsOf: header.encoded)
  }

  /// Writes what is pending in one piece, then lets readers see it.
  mutating func flush() throws(LogError) {
    guard let file, !pending.isEmpty, let last = segments.indices.last else { return }
    let start = segments[last].summary.byteCount - UInt64(writeBuffer.count)
    isFileDirty = true
    if pending.count == 1, writeBuffer.isEmpty {
      try Self.write(pending[0].bytes, to: file, at: start)
    } else {
      var bytes: [UInt8] = []
      swap(&bytes, &writeBuffer)
      for batch in pending { bytes.append(contentsOf: batch.bytes) }
      try Self.write(bytes, to: file, at: start)
      bytes.removeAll(keepingCapacity: true)
      swap(&bytes, &writeBuffer)
    }
    for batch in pending { publish(batch.header, in: last) }
    pending.removeAll(keepingCapacity: true)
  }

  private static func write(
    _ bytes: [UInt8], to file: FS.File, at offset: UInt64
  ) throws(LogError) {
    try files { () throws(FileError) in try file.write(bytes.span.bytes, at: offset) }
  }

  private mutating func publish(_ header: BatchHeader, in last: Int) {
    let offset = segments[last].summary.byteCount
    segments[last].summary.append(header)
    commit = max(commit, header.commit)
    if termRuns.last.map({ $0.term < header.term }) ?? true {
      termRuns.append(TermRun(firstIndex: header.index, term: header.term))
    }
    positions.append(header, in: segments[last].id, at: offset)
  }

  mutating func syncWritten() throws(LogError) {
    if isFileDirty, let file {
      try files { () throws(FileError) in try file.sync() }
      isFileDirty = false
    }
    if isDirectoryDirty {
      let (fileSystem, directory) = (fileSystem, directory)
      try files { () throws(FileError) in try fileSystem.syncDirectory(directory) }
      isDirectoryDirty = false
    }
  }
}

extension SegmentStore {
  /// Cuts from the end backwards, each step durable before the next, so that a crash on the way
  /// leaves a whole, longer log.
  mutating func cut(from index: LogIndex) throws(LogError) {
    let (fileSystem, directory) = (fileSystem, directory)
    let keeping = segments.last { $0.id.firstIndex < index }
    let kept = try keeping.map { segment throws(LogError) in
      try summary(of: segment, before: index)
    }
    // Readers that look from now on do not see what goes.
    positions.truncate(from: index, leaving: kept)
    while let last = segments.last, last.id.firstIndex >= index {
      file = nil
      let path = path(last.id)
      try files { () throws(FileError) in
        try fileSystem.remove(path)
        try fileSystem.syncDirectory(directory)
      }
      segments.removeLast()
      (isFileDirty, isDirectoryDirty) = (false, false)
    }
    termRuns.removeAll { $0.firstIndex >= index }
    guard let kept, let last = segments.indices.last else { return }
    segments[last].summary = kept
    (file, isFileDirty) = (nil, false)
    guard segments[last].seal == nil else { return }
    let path = path(kept.id)
    file = try files { () throws(FileError) in
      let file = try fileSystem.open(path, .update)
      if try file.size() > kept.byteCount { try file.truncate(to: kept.byteCount) }
      try file.sync()
      return file
    }
  }

  /// Counts a segment again up to the batch before `index`.
  private func summary(
    of segment: StoredSegment, before index: LogIndex
  ) throws(LogError) -> SegmentSummary {
    guard segment.summary.lastIndex >= index else { return segment.summary }
    let before = segments.last { $0.id < segment.id }
    // This process has verified these records, when it wrote or replayed them.
    return try walk(
      segment, through: index.previous, lastTerm: before?.summary.lastTerm ?? .zero,
      reading: .skipped
    ) { _, _ in true }
  }

  /// Goes through a segment's batches in its file again, up to and including the one at `last`, and
  /// returns what they add up to. A batch that is not there, or whose records `visit` says are not
  /// those of its header, is damage.
  func walk(
    _ segment: StoredSegment, through last: LogIndex, lastTerm: Term, reading: RecordReading,
    _ visit: (BatchHeader, borrowing SegmentWalker) -> Bool
  ) throws(LogError) -> SegmentSummary {
    let (fileSystem, path) = (fileSystem, path(segment.id))
    let bytes = try files { () throws(FileError) in try fileSystem.map(path) }
    defer { withExtendedLifetime(bytes) {} }
    var walker = SegmentWalker(
      after: SegmentSummary(header: segment.summary.header, lastTerm: lastTerm),
      reading: reading)
    while walker.summary.lastIndex < last {
      do throws(SegmentFault) {
        let start = walker.offset
        guard case .batch(let header, _) = try walker.next(in: bytes.pointer.bytes) else {
          throw SegmentFault(
            offset: start, index: walker.summary.lastIndex.next, reason: .truncated)
        }
        guard visit(header, walker) else {
          throw SegmentFault(offset: start, index: header.index, reason: .footerMismatch)
        }
      } catch {
        throw .damaged(
          segment: segment.id, offset: UInt64(error.offset), index: error.index,
          reason: error.reason, proof: .wholeFrame)
      }
    }
    return walker.summary
  }
}

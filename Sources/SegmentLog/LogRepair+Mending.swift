import Bytes

extension LogRepair {
  /// Takes the next missing batches, in order; they must be committed. Does all that can be done
  /// with them: call it without any for what needs none.
  ///
  /// Batches before the next missing one are passed over. Errors: ``LogError/outOfOrder(expected:found:)``
  /// for a later one, after which mending can go on; ``LogError/contradicted(_:)``, ``LogError/brokenChain(at:)``
  /// and errors of files, after which the log must be inspected again. Whatever it throws, no
  /// segment has taken its name but those that are whole and verified.
  package mutating func mend(_ batches: [Batch]) throws(LogError) {
    guard !hasFailed else { throw .failed }
    if let expected = nextMissing, let first = batches.first?.index, first > expected {
      throw .outOfOrder(expected: expected, found: first)
    }
    do throws(LogError) {
      try begin()
      var rest = batches[...]
      while let step = steps.first {
        guard try carryOut(step, &rest) else { return }
        steps.removeFirst()
      }
      try verifyEnd()
    } catch {
      hasFailed = true
      // What is left half written would only take room.
      try? fileSystem.removeUnfinished(directory)
      throw error
    }
  }

  /// Removes what a crash has left of an earlier try.
  private mutating func begin() throws(LogError) {
    guard !hasBegun, !steps.isEmpty else { return }
    hasBegun = true
    let (fileSystem, directory) = (fileSystem, directory)
    try files { () throws(FileError) in try fileSystem.removeUnfinished(directory) }
  }

  /// Whether the step is done.
  private mutating func carryOut(
    _ step: RepairStep, _ rest: inout ArraySlice<Batch>
  ) throws(LogError) -> Bool {
    switch step {
    case .keep(let first, let last):
      try require(first, after: chain)
      try verifyEnd()
      chain = ChainEnd(last)
    case .copy(let run, let id):
      try copy(run, of: id)
      try verifyEnd()
    case .fetch(let stretch):
      guard let missing = stretch.missing else { return true }
      return try take(missing, stretch.lastHash, &rest)
    case .close(let footer):
      try finish(footer: footer)
    case .remove(let id):
      let (fileSystem, directory, path) = (fileSystem, directory, path(id))
      try files { () throws(FileError) in
        try fileSystem.remove(path)
        try fileSystem.syncDirectory(directory)
      }
    }
    return true
  }

  /// Gives what has been written its name, and removes what comes after it.
  mutating func endLog(after last: LogIndex) throws(LogError) {
    try finish(footer: [])
    try verifyEnd()
    let (fileSystem, directory) = (fileSystem, directory)
    for id in try SegmentScanner(fileSystem, directory: directory).segments().reversed()
    where id.firstIndex > last {
      let path = path(id)
      try files { () throws(FileError) in
        try fileSystem.remove(path)
        try fileSystem.syncDirectory(directory)
      }
    }
  }

  private func require(_ header: BatchHeader, after chain: ChainEnd?) throws(LogError) {
    guard let chain else { return }
    guard header.index == chain.index.next, header.previousHash == chain.hash else {
      throw .contradicted(header.index)
    }
  }

  /// Takes the batches of one stretch as far as they have come, and says whether that is all.
  private mutating func take(
    _ missing: ClosedRange<LogIndex>, _ lastHash: Digest256?, _ rest: inout ArraySlice<Batch>
  ) throws(LogError) -> Bool {
    var next = max(missing.lowerBound, chain?.index.next ?? .zero)
    while next <= missing.upperBound {
      guard let batch = rest.popFirst() else { return false }
      if batch.index < next { continue }
      guard batch.index == next else {
        throw .outOfOrder(expected: next, found: batch.index)
      }
      if let chain, batch.header.previousHash != chain.hash { throw .contradicted(chain.index) }
      try put(batch.header, batch.bytes)
      next = next.next
    }
    if let lastHash {
      guard chain?.hash == lastHash else { throw .contradicted(missing.upperBound.next) }
      try verifyEnd()
    }
    return true
  }

  /// Writes whole batches of the damaged file to the new one.
  private mutating func copy(_ run: WholeRun, of id: SegmentID) throws(LogError) {
    try require(run.first, after: chain)
    let (fileSystem, path) = (fileSystem, path(id))
    let surviving = try files { () throws(FileError) in
      try SurvivingBytes(fileSystem.open(path, .read))
    }
    defer { withExtendedLifetime(surviving.bytes) {} }
    let pointer = surviving.bytes.pointer
    var opener = BatchOpener()
    var offset = run.bytes.lowerBound
    while offset < run.bytes.upperBound {
      let header: BatchHeader
      let batch: UnsafeRawBufferPointer
      do throws(BatchError) {
        header = try BatchHeader.decode(at: offset, in: pointer.bytes)
        batch = UnsafeRawBufferPointer(rebasing: pointer[offset..<offset + header.batchByteCount])
        try opener.decode(header, batch: batch.bytes)
      } catch {
        // It was whole when it was inspected.
        throw .damaged(
          segment: id, offset: UInt64(offset), index: chain?.index.next ?? run.first.index,
          reason: Damage(error), proof: .wholeFrame)
      }
      try put(header, batch)
      // The leader's bytes before it have their length: other bytes would move it.
      guard let end = output?.summary.byteCount, end == UInt64(offset + header.batchByteCount)
      else { throw .contradicted(header.index) }
      offset += header.batchByteCount
    }
  }

  /// Writes the next batch, and begins its segment if it starts one.
  private mutating func put(
    _ header: BatchHeader, _ bytes: some Collection<UInt8>
  ) throws(LogError) {
    if header.startsSegment || output == nil {
      try finish(footer: [])
      guard header.startsSegment || header.index == LogIndex(1) else {
        throw .brokenChain(at: header.index)
      }
      try start(with: header)
    }
    do throws(Damage) {
      try output?.summary.check(header)
    } catch {
      throw .brokenChain(at: header.index)
    }
    output?.summary.append(header)
    try output?.append(bytes)
    chain = ChainEnd(header)
  }

  private mutating func start(with header: BatchHeader) throws(LogError) {
    let head = SegmentHeader(clusterID: clusterID, startingWith: header)
    let (fileSystem, path) = (fileSystem, unfinishedPath(SegmentID(header.index)))
    let file = try files { () throws(FileError) in try fileSystem.open(path, .create) }
    output = SegmentOutput(
      file: file, summary: SegmentSummary(header: head, lastTerm: chain?.term ?? .zero),
      buffer: head.encoded)
  }

  /// Ends the segment that is being written, makes it durable, and lets it take its name once what
  /// follows vouches for its end.
  private mutating func finish(footer: [UInt8]) throws(LogError) {
    guard output != nil else { return }
    try output?.flush()
    guard let done = output else { return }
    output = nil
    let end = done.summary.byteCount
    // Readers know where its batches lie, and their bytes are the leader's.
    if let sealed, sealed.byteCount != end { throw .contradicted(done.summary.lastIndex) }
    let tail = try self.footer(of: done.summary, footer)
    try files { () throws(FileError) in
      if !tail.isEmpty { try done.file.write(tail.span.bytes, at: end) }
      try done.file.sync()
    }
    unverified.append(done.summary.id)
  }

  /// The footer of a segment that has been written again: the one that the file had, if it tells of
  /// these batches, or that of its writer. Without one, it is sealed when the log is opened.
  private func footer(
    of summary: SegmentSummary, _ bytes: [UInt8]
  ) throws(LogError) -> [UInt8] {
    if !bytes.isEmpty, let footer = try? SegmentFooter.decode(at: 0, in: bytes.span.bytes) {
      if footer.matches(summary) { return bytes }
      // The same batches at other places: they are not the bytes that the leader made.
      if footer.totals.lastHash == summary.lastHash { throw .contradicted(summary.lastIndex) }
    }
    guard let sealed else { return [] }
    let index = try index(of: summary, sealed.keys)
    return SegmentFooter(summary, sealed.evidence, index).encoded(index)
  }

  /// The index of a segment that has been written again, by its records.
  private func index(
    of summary: SegmentSummary, _ keys: RecordKeys
  ) throws(LogError) -> SegmentIndex {
    let (fileSystem, path) = (fileSystem, unfinishedPath(summary.id))
    let bytes = try files { () throws(FileError) in
      try SurvivingBytes(fileSystem.open(path, .read)).bytes
    }
    defer { withExtendedLifetime(bytes) {} }
    var walker = SegmentWalker(after: SegmentSummary(header: summary.header, lastTerm: .zero))
    var found = SegmentKeys(summary.header, keys)
    while walker.summary.lastIndex < summary.lastIndex {
      let start = walker.offset
      do throws(SegmentFault) {
        guard case .batch(let header, _) = try walker.next(in: bytes.pointer.bytes),
          walker.withRecords({ found.append($0, of: header) })
        else {
          throw SegmentFault(
            offset: start, index: walker.summary.lastIndex.next, reason: .truncated)
        }
      } catch {
        // It was just written.
        throw .damaged(
          segment: summary.id, offset: UInt64(error.offset), index: error.index,
          reason: error.reason, proof: .wholeFrame)
      }
    }
    return found.index(through: summary.lastSequence)
  }

  /// Gives the complete segments their names: what follows vouches for them.
  private mutating func verifyEnd() throws(LogError) {
    let (fileSystem, directory) = (fileSystem, directory)
    for id in unverified {
      let (from, to) = (unfinishedPath(id), path(id))
      try files { () throws(FileError) in
        try fileSystem.rename(from, to: to)
        try fileSystem.syncDirectory(directory)
      }
      sealed?.positions.replaced(id)
    }
    unverified.removeAll()
  }
}

extension LogFileSystem {
  /// Removes what a repair that did not come to its end has left.
  package func removeUnfinished(_ directory: String) throws(FileError) {
    for name in try list(directory) where SegmentID.isUnfinished(fileName: name) {
      try remove(directory + "/" + name)
    }
  }
}

import Bytes
package import Evidence

/// What recovery leaves for the store.
struct RecoveredLog: Sendable {
  var segments: [StoredSegment] = []
  var termRuns: [TermRun] = []
  var report = RecoveryReport()
}

/// The replay of a log's files. Nothing is changed on disk before all of it has passed.
struct Recovery<FS: LogFileSystem> {
  let fileSystem: FS
  let directory: String
  let clusterID: ClusterID
  let options: RecoveryOptions
  let positions: LogPositions
  private let memory = ReusedMemory()
  var log = RecoveredLog()

  mutating func run(visiting visit: (RecoveredItem) throws -> Void) throws(LogError) {
    let (fileSystem, directory) = (fileSystem, directory)
    let names = try files { () throws(FileError) in try fileSystem.list(directory) }
    let ids = names.compactMap { SegmentID(fileName: $0) }.sorted()
    for (place, id) in ids.enumerated() {
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      try recover(id, successor: successor, visiting: visit)
    }
    let last = log.segments.last?.summary.lastIndex ?? .zero
    guard last >= knownDurable else { throw .lost(last: last, knownDurable: knownDurable) }
    try carryOutCuts()
  }

  /// Up to here nothing is torn: what a snapshot stands for was durable when it was applied.
  private var knownDurable: LogIndex {
    max(options.knownDurable, options.trustedThrough?.index ?? .zero)
  }

  private mutating func recover(
    _ id: SegmentID, successor: SegmentID?, visiting visit: (RecoveredItem) throws -> Void
  ) throws(LogError) {
    let previous = log.segments.last?.summary
    if let expected = previous?.lastIndex.next ?? (options.mayBeginLater ? nil : LogIndex(1)),
      id.firstIndex != expected
    {
      throw .missingSegment(expected: expected, found: id)
    }
    let (fileSystem, path, memory) = (fileSystem, directory + "/" + id.fileName, memory)
    if let sealed = try trusted(id, path) { return try keep(sealed, after: previous) }
    let surviving = try files { () throws(FileError) in
      try SurvivingBytes(fileSystem.open(path, .read), into: memory)
    }
    let bytes = surviving.bytes
    defer { withExtendedLifetime(bytes) {} }
    let footer = SegmentFooter.find(in: bytes.pointer.bytes)?.footer
    let judge = FaultJudge(
      segment: id, successor: successor, knownDurable: knownDurable, isSealed: footer != nil,
      unreadable: surviving.unreadable)
    let header: SegmentHeader
    do throws(Damage) {
      header = try Self.header(of: id, in: bytes.pointer.bytes)
    } catch {
      let fault = SegmentFault(offset: 0, index: id.firstIndex, reason: error)
      try judge.requireTorn(fault, after: nil, in: bytes.pointer.bytes)
      cut(fault, id, at: 0, of: bytes.byteCount, kind: .segment)
      return
    }
    guard header.clusterID == clusterID else { throw .wrongCluster(segment: id) }
    try requireContinuing(header, previous)
    if let footer {
      do { try visit(.sealed(id, footer.evidence.tree)) } catch {
        throw .stopped(at: id.firstIndex, error)
      }
    }
    try replay(
      bytes, SegmentSummary(header: header, lastTerm: previous?.lastTerm ?? .zero), judge, visit)
  }

  private static func header(
    of id: SegmentID, in bytes: borrowing RawSpan
  ) throws(Damage) -> SegmentHeader {
    let header = try SegmentHeader.decode(bytes)
    guard header.firstIndex == id.firstIndex else {
      throw .misnamed(found: header.firstIndex)
    }
    return header
  }

  private func requireContinuing(
    _ header: SegmentHeader, _ previous: SegmentSummary?
  ) throws(LogError) {
    var hash = previous?.lastHash ?? (header.firstIndex == LogIndex(1) ? .zero : nil)
    if let point = options.trustedThrough, point.index.next == header.firstIndex {
      hash = hash ?? point.hash
    }
    let sequence = previous?.lastSequence.rawValue ?? header.firstSequence.rawValue &- 1
    guard hash == nil || header.previousHash == hash,
      header.firstSequence.rawValue == sequence &+ 1
    else { throw .brokenSegmentChain(SegmentID(header.firstIndex)) }
  }

  /// Replays a segment's batches to the visitor, one at a time.
  private mutating func replay(
    _ bytes: MappedBytes, _ start: SegmentSummary, _ judge: FaultJudge,
    _ visit: (RecoveredItem) throws -> Void
  ) throws(LogError) {
    var walker = SegmentWalker(after: start)
    var seal: SegmentEvidence?
    walking: while true {
      let item: SegmentItem
      do {
        item = try walker.next(in: bytes.pointer.bytes)
      } catch {
        try judge.requireTorn(error, after: walker.summary, in: bytes.pointer.bytes)
        cut(
          error, start.id, at: error.offset, of: bytes.byteCount,
          kind: walker.summary.batchCount == 0
            ? .segment : judge.isSucceeded(walker.summary) ? .footer : .batches)
        break walking
      }
      switch item {
      case .batch(let header, let offset):
        if try isWanted(header) {
          try hand(header, at: offset, in: bytes.pointer.bytes, walker, to: visit)
        }
        positions.append(header, in: start.id, at: UInt64(offset))
      case .footer(let footer, _):
        seal = footer.evidence
        break walking
      case .end:
        break walking
      }
    }
    try keep(walker.summary, seal, fileByteCount: bytes.byteCount)
  }

  private mutating func keep(
    _ summary: SegmentSummary, _ seal: SegmentEvidence?, fileByteCount: Int
  ) throws(LogError) {
    guard summary.batchCount > 0 else {
      // A file header, and nothing else: the batch that it was written for never came.
      if log.report.cuts.last?.segment != summary.id {
        let fault = SegmentFault(
          offset: Int(summary.byteCount), index: summary.lastIndex.next, reason: .truncated)
        cut(fault, summary.id, at: 0, of: fileByteCount, kind: .segment)
      }
      return
    }
    store(summary, seal)
  }

  /// Whether a batch goes to the visitor: it is not part of what a snapshot stands for, or lies in
  /// the segment that the snapshot was taken in.
  private func isWanted(_ header: BatchHeader) throws(LogError) -> Bool {
    guard let point = options.trustedThrough, header.index <= point.index else { return true }
    guard header.index < point.index || header.hash == point.hash else {
      throw .otherHistory(at: point.index)
    }
    return options.visitedFrom.map { header.index >= $0 } ?? false
  }

  private func hand(
    _ header: BatchHeader, at offset: Int, in bytes: borrowing RawSpan,
    _ walker: borrowing SegmentWalker, to visit: (RecoveredItem) throws -> Void
  ) throws(LogError) {
    var records: [UInt8] = []
    walker.copyRecords(into: &records)
    let batch = Batch(
      header: header,
      bytes: bytes.extracting(offset..<offset + header.batchByteCount)
        .withUnsafeBytes { [UInt8]($0) },
      records: records)
    do {
      try visit(.batch(batch))
    } catch {
      throw .stopped(at: header.index, error)
    }
  }

  private mutating func cut(
    _ fault: SegmentFault, _ id: SegmentID, at offset: Int, of byteCount: Int,
    kind: RecoveryCut.Kind
  ) {
    let start = kind == .segment ? 0 : offset
    log.report.cuts.append(
      RecoveryCut(
        segment: id, offset: UInt64(start), byteCount: UInt64(byteCount - start), kind: kind,
        reason: fault.reason))
  }

  private func carryOutCuts() throws(LogError) {
    let (fileSystem, directory) = (fileSystem, directory)
    for cut in log.report.cuts {
      let path = directory + "/" + cut.segment.fileName
      try files { () throws(FileError) in
        switch cut.kind {
        case .segment:
          try fileSystem.remove(path)
        case .batches, .footer:
          let file = try fileSystem.open(path, .update)
          try file.truncate(to: cut.offset)
          try file.sync()
        }
      }
    }
  }
}

extension Recovery {
  /// A sealed segment that ends where the snapshot does or before, by its header and footer; nil
  /// where it must be read.
  private func trusted(_ id: SegmentID, _ path: String) throws(LogError) -> StoredSegment? {
    guard let point = options.trustedThrough, id.firstIndex <= point.index else { return nil }
    let fileSystem = fileSystem
    let segment = try files { () throws(FileError) -> StoredSegment? in
      do throws(FileError) {
        return try StoredSegment.sealed(id, in: fileSystem.open(path, .read))
      } catch {
        guard error.isUnreadable else { throw error }
        return nil
      }
    }
    guard let segment, segment.summary.lastIndex <= point.index else { return nil }
    let summary = segment.summary
    guard summary.header.clusterID == clusterID else { throw .wrongCluster(segment: id) }
    guard summary.lastIndex < point.index || summary.lastHash == point.hash else {
      throw .otherHistory(at: point.index)
    }
    return segment
  }

  private mutating func keep(
    _ segment: StoredSegment, after previous: SegmentSummary?
  ) throws(LogError) {
    try requireContinuing(segment.summary.header, previous)
    positions.append(segment.summary)
    log.report.trustedCount += 1
    store(segment.summary, segment.seal)
  }

  private mutating func store(_ summary: SegmentSummary, _ seal: SegmentEvidence?) {
    for run in summary.termRuns where log.termRuns.last.map({ $0.term < run.term }) ?? true {
      log.termRuns.append(run)
    }
    log.report.segmentCount += 1
    log.report.sealedCount += seal == nil ? 0 : 1
    log.report.batchCount += summary.batchCount
    log.report.eventCount += summary.eventCount
    log.report.recordsByteCount += summary.recordsByteCount
    log.report.fileByteCount += summary.byteCount
    log.report.commit = max(log.report.commit, summary.commit)
    log.report.hybridMax = max(log.report.hybridMax, summary.hybridMax)
    var segment = StoredSegment(summary: summary, seal: seal)
    if seal != nil {
      segment.summary.sparseIndex = []
      positions.sealed(segment.id)
    }
    log.segments.append(segment)
  }
}

/// What opening a log finds, in order.
package enum RecoveredItem {
  /// A sealed segment begins, of which at least one batch will follow unless a snapshot stands for
  /// them; what it adds to the tree, as its footer says.
  case sealed(SegmentID, SegmentTree)
  /// The next batch.
  case batch(Batch)
}

extension SegmentStore {
  /// Opens a log, replays every batch in order to the visitor, and cuts what is torn at its end.
  ///
  /// One segment is read at a time, into memory of its size. Nothing is changed on disk where this throws. What was found
  /// is durable when this returns, for it may have been in memory only when the process ended.
  package static func open(
    _ fileSystem: FS, directory: String, clusterID: ClusterID,
    recovery options: RecoveryOptions = RecoveryOptions(), visiting visit: (Batch) throws -> Void
  ) throws(LogError) -> SegmentStore {
    try openItemwise(
      fileSystem, directory: directory, clusterID: clusterID, recovery: options
    ) { item in
      if case .batch(let batch) = item { try visit(batch) }
    }
  }

  /// As ``open(_:directory:clusterID:recovery:visiting:)``, and tells what sealed segments say before
  /// their batches. `positions` are empty, and filled on the way: so the visitor can read what came
  /// before.
  package static func openItemwise(
    _ fileSystem: FS, directory: String, clusterID: ClusterID, recovery options: RecoveryOptions,
    positions: LogPositions = LogPositions(), visiting visit: (RecoveredItem) throws -> Void
  ) throws(LogError) -> SegmentStore {
    try files { () throws(FileError) in try fileSystem.createDirectory(directory) }
    var recovery = Recovery(
      fileSystem: fileSystem, directory: directory, clusterID: clusterID, options: options,
      positions: positions)
    try recovery.run(visiting: visit)
    let last = recovery.log.segments.last
    let file = try files { () throws(FileError) -> FS.File? in
      var file: FS.File?
      if let last {
        let opened = try fileSystem.open(
          directory + "/" + last.id.fileName, last.seal == nil ? .update : .read)
        try opened.sync()
        file = last.seal == nil ? opened : nil
      }
      try fileSystem.removeUnfinished(directory)
      try fileSystem.syncDirectory(directory)
      return file
    }
    return SegmentStore(
      fileSystem: fileSystem, directory: directory, clusterID: clusterID,
      preallocateByteCount: options.preallocateByteCount, positions: recovery.positions,
      recovered: recovery.log, file: file, keys: options.keys)
  }
}

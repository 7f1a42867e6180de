package import Bytes

extension LogRepair {
  /// Reads all of a log, and tells what of it is damaged. Changes nothing on disk.
  ///
  /// `options` are those that the log is to be opened with. Batches of `distrusting` count as
  /// damaged, with those next to them in their file, though they are whole: committed ones
  /// contradict them. Errors: files; another cluster's or a newer version's segments.
  package static func inspect(
    _ fileSystem: FS, directory: String, clusterID: ClusterID,
    recovery options: RecoveryOptions = RecoveryOptions(), distrusting: Set<LogIndex> = []
  ) throws(LogError) -> LogRepair {
    let ids = try SegmentScanner(fileSystem, directory: directory).segments()
    let knownDurable = max(options.knownDurable, options.trustedThrough?.index ?? .zero)
    var segments: [SegmentInspection] = []
    let memory = ReusedMemory()
    for (place, id) in ids.enumerated() {
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      var segment = try inspect(
        id, fileSystem, directory, clusterID,
        lastIndexMax: successor?.firstIndex.previous ?? LogIndex(.max),
        FaultJudge(
          segment: id, successor: successor, knownDurable: knownDurable, isSealed: false), memory)
      // The order does not matter: a run that is gone holds no index.
      for index in distrusting { segment.distrust(index) }
      segments.append(segment)
    }
    let first = options.mayBeginLater ? ids.first?.firstIndex ?? LogIndex(1) : LogIndex(1)
    let chain = first == LogIndex(1) ? ChainEnd.start : nil
    dropContradictions(&segments, after: chain, before: nil)
    let plan = RepairPlan(segments, from: first, knownDurable: knownDurable)
    return LogRepair(
      fileSystem, directory: directory, clusterID: clusterID, segments: segments, plan: plan,
      after: chain, knownDurable: knownDurable)
  }

  private static func inspect(
    _ id: SegmentID, _ fileSystem: FS, _ directory: String, _ clusterID: ClusterID,
    lastIndexMax: LogIndex, _ judge: FaultJudge, _ memory: ReusedMemory = ReusedMemory(),
    readsDisk: Bool = false
  ) throws(LogError) -> SegmentInspection {
    let bytes = try files { () throws(FileError) in
      let file = try fileSystem.open(directory + "/" + id.fileName, .read)
      // What memory still holds would hide what the disk has lost; and what is only checked is not
      // to take the place of what is in use.
      if readsDisk { file.dropCache() }
      defer { if readsDisk { file.dropCache() } }
      return try SurvivingBytes(file, into: memory)
    }
    return try SegmentInspection(
      id, bytes, clusterID: clusterID, lastIndexMax: lastIndexMax, judge: judge)
  }

  /// Of neighbours that are whole but do not chain, both are taken for damaged: one of them is of
  /// another history, and nothing here tells which.
  private static func dropContradictions(
    _ segments: inout [SegmentInspection], after start: ChainEnd?, before end: ChainEnd?
  ) {
    var doubtful: [(segment: Int, run: WholeRun)] = []
    var previous: (segment: Int, run: WholeRun)?
    var chain = start
    for (place, segment) in segments.enumerated() {
      for run in segment.runs {
        if let before = chain, before.index.next == run.first.index,
          before.hash != run.first.previousHash
        {
          if let previous { doubtful.append(previous) }
          doubtful.append((place, run))
        }
        previous = (place, run)
        chain = ChainEnd(run.last)
      }
    }
    if let end, let previous, previous.run.last.index == end.index,
      previous.run.last.hash != end.hash
    {
      doubtful.append(previous)
    }
    for entry in doubtful { segments[entry.segment].drop(entry.run) }
    // A file header without a batch: nothing but the batches before can contradict it.
    if let last = segments.indices.last, segments[last].runs.isEmpty, doubtful.isEmpty, let chain,
      let header = segments[last].header, header.firstIndex == chain.index.next,
      header.previousHash != chain.hash || header.firstSequence != chain.sequence.next
    {
      segments[last].distrust(header.firstIndex)
    }
  }
}

/// What a sealed segment must be, as its writer knows: enough to check and to mend it beside the
/// writer, on any thread.
package struct SealedSegment: Sendable {
  /// Which segment.
  package let id: SegmentID
  /// How many bytes its batches take, with the file header.
  package let byteCount: UInt64
  let before: ChainEnd?
  let last: ChainEnd
  let evidence: SegmentEvidence
  let positions: LogPositions
  let clusterID: ClusterID
  /// How its records are read.
  let keys: RecordKeys

  /// Its last batch.
  package var lastIndex: LogIndex { last.index }

  /// Somebody else has put another file in its place: readers open it again.
  package func fileWasReplaced() { positions.replaced(id) }
}

extension SegmentStore {
  /// The first sealed segment that begins after a batch, to be checked from time to time with
  /// ``LogRepair/inspect(_:directory:sealed:distrusting:)``: bytes rot on disk unseen. Nil: there is
  /// none.
  package func sealedSegment(after index: LogIndex) -> SealedSegment? {
    let place = partition(segments.count) { segments[$0].id.firstIndex <= index }
    for place in place..<segments.count {
      if let sealed = sealedSegment(at: place) { return sealed }
    }
    return nil
  }

  /// A segment that begins at a batch, if it is sealed.
  package func sealedSegment(_ id: SegmentID) -> SealedSegment? {
    let place = partition(segments.count) { segments[$0].id < id }
    guard place < segments.count, segments[place].id == id else { return nil }
    return sealedSegment(at: place)
  }

  private func sealedSegment(at place: Int) -> SealedSegment? {
    let segment = segments[place]
    return segment.seal.map { seal in
      SealedSegment(
        id: segment.id, byteCount: segment.summary.byteCount,
        before: place > 0
          ? ChainEnd(segments[place - 1].summary)
          : segment.id.firstIndex == LogIndex(1) ? .start : nil,
        last: ChainEnd(segment.summary), evidence: seal, positions: positions,
        clusterID: clusterID, keys: keys)
    }
  }
}

extension LogRepair {
  /// Reads one sealed segment of a log that is open, and tells what of it is damaged; changes
  /// nothing on disk. What is found can be mended while the log stays open: its writer never
  /// touches a sealed segment, and readers get the new file.
  package static func inspect(
    _ fileSystem: FS, directory: String, sealed: SealedSegment, distrusting: Set<LogIndex> = []
  ) throws(LogError) -> LogRepair {
    var segments: [SegmentInspection] = []
    do throws(LogError) {
      segments = [
        try inspect(
          sealed.id, fileSystem, directory, sealed.clusterID, lastIndexMax: sealed.last.index,
          FaultJudge(
            segment: sealed.id, successor: nil, knownDurable: sealed.last.index, isSealed: true),
          readsDisk: true)
      ]
    } catch {
      guard case .file(let problem) = error, problem.isMissing else { throw error }
      segments = [SegmentInspection(missing: sealed.id, lastIndexMax: sealed.last.index)]
    }
    for index in distrusting { segments[0].distrust(index) }
    dropContradictions(&segments, after: sealed.before, before: sealed.last)
    var repair = LogRepair(
      fileSystem, directory: directory, clusterID: sealed.clusterID, segments: segments,
      plan: RepairPlan(sealed: segments[0], last: sealed.last), after: sealed.before,
      knownDurable: sealed.last.index)
    repair.sealed = sealed
    return repair
  }
}

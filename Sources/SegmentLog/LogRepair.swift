package import Bytes

/// Finds what of a log is damaged, and makes it whole again with batches of other nodes.
///
/// The way: ``inspect(_:directory:clusterID:recovery:distrusting:)``; get the batches of
/// ``stretches`` from nodes that have them committed; ``mend(_:)`` them in the order of the log
/// until ``isWhole``; then open the log as always. Meanwhile ``batch(at:)`` gives what is whole here
/// to other nodes, which may have lost something else.
///
/// A segment is not mended in place: it is written anew beside the damaged file, from the whole
/// batches of that and those that come in, and takes its name when it is complete, verified up to
/// what follows, and durable. So a crash at any time leaves the damaged file or the whole one, and
/// readers keep what they have open.
package struct LogRepair<FS: LogFileSystem>: ~Copyable, Sendable {
  /// What files that are being written are named by: the segment's name and this.
  static var unfinishedSuffix: String { ".mend" }

  let fileSystem: FS
  let directory: String
  let clusterID: ClusterID
  private let runs: [LocatedRun]
  private let knownDurable: LogIndex
  /// The last batch that a sealed segment holds: nothing up to it is cut.
  private let lastSealed: LogIndex
  /// What is damaged, in the order of the log; as it was found, also while it is mended.
  package let stretches: [DamagedStretch]
  /// Whether the log may have ended later than can be seen, with batches that this node
  /// acknowledged: it must abstain until consensus has brought its log beyond them.
  /// See ``HardState/isTailSuspect``.
  package let isTailSuspect: Bool
  /// What is left to do, in the order of the log.
  var steps: [RepairStep]
  /// The batch before the next step; nil where the log begins later than at 1.
  var chain: ChainEnd?
  /// The segment that is being written.
  var output: RepairOutput<FS>?
  /// Complete segments whose end is not verified yet.
  var unverified: [SegmentID] = []
  /// Whether mending has begun.
  var hasBegun = false
  /// Whether an error has ended it.
  var hasFailed = false
  /// The digests of the sealed segment that is repaired beside its writer, and where readers look.
  var sealed: (digests: LedgerDigests, positions: LogPositions)?

  /// A run, and where it is.
  struct LocatedRun: Sendable {
    let segment: SegmentID
    let run: WholeRun
  }

  init(
    _ fileSystem: FS, directory: String, clusterID: ClusterID, segments: [SegmentInspection],
    plan: RepairPlan, after chain: ChainEnd?, knownDurable: LogIndex
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.clusterID = clusterID
    self.chain = chain
    self.knownDurable = knownDurable
    runs = segments.flatMap { segment in
      segment.runs.map { LocatedRun(segment: segment.id, run: $0) }
    }
    lastSealed =
      segments.last { $0.footer != nil && $0.footerFault == nil }?
      .footer?.totals.lastIndex ?? .zero
    stretches = plan.stretches
    steps = plan.stretches.isEmpty ? [] : plan.steps
    isTailSuspect = plan.isTailSuspect
  }

  /// Whether nothing is left to mend.
  package var isWhole: Bool { steps.isEmpty && !hasFailed }

  /// The batch that ``mend(_:)`` takes next; nil where it needs none.
  package var nextMissing: LogIndex? {
    for step in steps {
      guard case .fetch(let stretch) = step, let missing = stretch.missing else { continue }
      return max(missing.lowerBound, chain?.index.next ?? .zero)
    }
    return nil
  }

  /// The batch at `index` if it is whole here, verified; or nil.
  ///
  /// Before mending: what is mended is served again once the log is open.
  package func batch(at index: LogIndex) throws(LogError) -> Batch? {
    let place = runs.firstIndex { $0.run.holds(index) }
    guard let place else { return nil }
    let (fileSystem, path) = (fileSystem, path(runs[place].segment))
    let file = try files { () throws(FileError) in try fileSystem.open(path, .read) }
    var opener = BatchOpener()
    var offset = UInt64(runs[place].run.mark(before: index))
    while offset < UInt64(runs[place].run.bytes.upperBound) {
      let start = offset
      let head = try files { () throws(FileError) in
        try file.read(at: start, count: BatchHeader.byteCount)
      }
      guard let header = try? BatchHeader.decode(at: 0, in: head.span.bytes),
        header.index <= index
      else { return nil }
      offset += UInt64(header.batchByteCount)
      guard header.index == index else { continue }
      let bytes = try files { () throws(FileError) in
        try file.read(at: start, count: header.batchByteCount)
      }
      return try? opener.open(bytes)
    }
    return nil
  }

  func path(_ id: SegmentID) -> String { directory + "/" + id.fileName }

  func unfinishedPath(_ id: SegmentID) -> String { path(id) + Self.unfinishedSuffix }
}

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
    lastIndexMax: LogIndex, _ judge: FaultJudge, _ memory: ReusedMemory = ReusedMemory()
  ) throws(LogError) -> SegmentInspection {
    let bytes = try files { () throws(FileError) in
      try SurvivingBytes(fileSystem.open(directory + "/" + id.fileName, .read), into: memory)
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

  /// Cuts the log where a damaged stretch begins, and everything after it. To be called only when
  /// the cluster has committed another batch at `index`, or is known not to have committed one; the
  /// node must then abstain as with a suspect tail. Inspect again, or open the log.
  ///
  /// Errors: ``LogError/notCuttable(from:)`` where no stretch begins there, where it is known to be
  /// committed, or lies before the end of a sealed segment.
  package consuming func cut(from index: LogIndex) throws(LogError) {
    guard !hasBegun, index > knownDurable, index > lastSealed,
      let stretch = stretches.first(where: { $0.missing?.lowerBound == index })
    else { throw .notCuttable(from: index) }
    let ids = try SegmentScanner(fileSystem, directory: directory).segments()
    let (fileSystem, directory) = (fileSystem, directory)
    for id in ids.reversed() where id.firstIndex >= index {
      let path = path(id)
      try files { () throws(FileError) in
        try fileSystem.remove(path)
        try fileSystem.syncDirectory(directory)
      }
    }
    guard stretch.segment.firstIndex < index else { return }
    let path = path(stretch.segment)
    try files { () throws(FileError) in
      let file = try fileSystem.open(path, .update)
      try file.truncate(to: stretch.bytes.lowerBound)
      try file.sync()
    }
  }
}

/// What a sealed segment must be, as its writer knows: enough to check and to mend it beside the
/// writer, on any thread.
package struct SealedSegment: Sendable {
  /// Which segment.
  package let id: SegmentID
  let before: ChainEnd?
  let last: ChainEnd
  let digests: LedgerDigests
  let positions: LogPositions
  let clusterID: ClusterID
}

extension SegmentStore {
  /// The sealed segments, in order, to be checked from time to time with
  /// ``LogRepair/inspect(_:directory:sealed:distrusting:)``: bytes rot on disk unseen.
  package var sealedSegments: [SealedSegment] {
    segments.indices.compactMap { place in
      let segment = segments[place]
      return segment.seal.map { seal in
        SealedSegment(
          id: segment.id,
          before: place > 0
            ? ChainEnd(segments[place - 1].summary)
            : segment.id.firstIndex == LogIndex(1) ? .start : nil,
          last: ChainEnd(segment.summary), digests: seal, positions: positions,
          clusterID: clusterID)
      }
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
    let names = try files { () throws(FileError) in try fileSystem.list(directory) }
    var segments: [SegmentInspection] = []
    if names.contains(sealed.id.fileName) {
      segments = [
        try inspect(
          sealed.id, fileSystem, directory, sealed.clusterID, lastIndexMax: sealed.last.index,
          FaultJudge(
            segment: sealed.id, successor: nil, knownDurable: sealed.last.index, isSealed: true))
      ]
    } else {
      segments = [SegmentInspection(missing: sealed.id, lastIndexMax: sealed.last.index)]
    }
    for index in distrusting { segments[0].distrust(index) }
    dropContradictions(&segments, after: sealed.before, before: sealed.last)
    var repair = LogRepair(
      fileSystem, directory: directory, clusterID: sealed.clusterID, segments: segments,
      plan: RepairPlan(sealed: segments[0], last: sealed.last), after: sealed.before,
      knownDurable: sealed.last.index)
    repair.sealed = (sealed.digests, sealed.positions)
    return repair
  }
}

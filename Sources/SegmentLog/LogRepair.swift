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
/// readers keep what they have open. One repair of a log at a time.
package struct LogRepair<FS: LogFileSystem>: ~Copyable, Sendable {
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
  var output: SegmentOutput<FS>?
  /// Complete segments whose end is not verified yet.
  var unverified: [SegmentID] = []
  /// Whether mending has begun.
  var hasBegun = false
  /// Whether an error has ended it.
  var hasFailed = false
  /// The sealed segment that is repaired beside its writer.
  var sealed: SealedSegment?

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
    vouchedCommit = segments.reduce(.zero) { known, segment in
      let footer = segment.footerFault == nil ? segment.footer?.totals.commit : nil
      return max(known, footer ?? .zero, segment.runs.map(\.commit).max() ?? .zero)
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

  /// Up to where whole batches, and footers, say that the log was committed.
  package let vouchedCommit: LogIndex

  /// The whole batches that change the members, in order.
  package var memberChanges: [LogIndex] { runs.flatMap(\.run.memberChanges) }

  /// Ends the log after what is whole and what has been mended, and removes all that follows: for a
  /// batch that no node has and none can have committed. After it ``isWhole``.
  ///
  /// Errors: ``LogError/notCuttable(from:)`` where what would go is known to be committed, or lies
  /// before the end of a sealed segment; then nothing has changed.
  package mutating func endBeforeMissing() throws(LogError) {
    guard let index = nextMissing, let chain, chain.index.next == index, index > knownDurable,
      index > vouchedCommit, index > lastSealed
    else { throw .notCuttable(from: nextMissing ?? .zero) }
    do throws(LogError) {
      try endLog(after: chain.index)
    } catch {
      hasFailed = true
      throw error
    }
    steps = []
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

  func unfinishedPath(_ id: SegmentID) -> String { directory + "/" + id.unfinishedFileName }
}

package import Bytes

/// A run of batches of one term.
package struct TermRun: Hashable, Sendable {
  /// The first batch of the run.
  package let firstIndex: LogIndex
  /// Its term.
  package let term: Term
}

/// A segment that is to be sealed.
package struct SegmentRange: Hashable, Sendable {
  /// Which segment.
  package let id: SegmentID
  /// Its last batch.
  package let lastIndex: LogIndex
  /// The ledger's digest before it, where the footer of the segment before tells it.
  package let ledgerBefore: Digest256?
  /// The ledger's digest after it, where the footer of the segment after tells it.
  package let ledgerAfter: Digest256?
}

/// A segment as the store keeps it.
struct StoredSegment: Sendable {
  var summary: SegmentSummary
  /// What the footer vouches for, once it stands and is durable.
  var seal: SegmentEvidence?

  var id: SegmentID { summary.id }
}

/// The single writer of a log.
///
/// It lives on one thread; readers beside it use ``LogReader`` over ``positions``. An error that
/// leaves the files in doubt ends it: nothing is tried again (Rebello et al., "Can applications
/// recover from fsync failures?", ATC '20).
package struct SegmentStore<FS: LogFileSystem>: ~Copyable {
  let fileSystem: FS
  let directory: String
  let clusterID: ClusterID
  /// How many bytes are reserved for a new segment, or 0.
  let preallocateByteCount: UInt64
  /// Where everything written is. Shared with readers.
  package let positions: LogPositions
  /// What opening found and did.
  package let recoveryReport: RecoveryReport
  /// How the records are read, where a segment's index must be made from its file.
  let keys: RecordKeys
  /// Ascending and contiguous. Invariant: each has at least one batch.
  var segments: [StoredSegment]
  /// The last segment's file; nil where there is none, or where it is sealed.
  var file: FS.File?
  /// Whether `file` has bytes that are not known to be durable.
  var isFileDirty = false
  /// Whether the directory has entries that are not known to be durable.
  var isDirectoryDirty = false
  /// Whether an earlier error has left the files in doubt.
  var hasFailed = false
  /// Ascending by index and by term.
  package internal(set) var termRuns: [TermRun]
  /// Largest commit index that a batch ever carried here.
  package internal(set) var commit: LogIndex
  /// Batches that go out with the next write.
  var pending: [Batch] = []
  var writeBuffer: [UInt8] = []

  /// Most bytes that are gathered for one write.
  static var writeByteCountMax: Int { 4 << 20 }

  init(
    fileSystem: FS, directory: String, clusterID: ClusterID, preallocateByteCount: UInt64,
    positions: LogPositions, recovered: consuming RecoveredLog, file: FS.File?, keys: RecordKeys
  ) {
    self.keys = keys
    self.fileSystem = fileSystem
    self.directory = directory
    self.clusterID = clusterID
    self.preallocateByteCount = preallocateByteCount
    self.positions = positions
    self.file = file
    segments = recovered.segments
    termRuns = recovered.termRuns
    commit = recovered.report.commit
    recoveryReport = recovered.report
  }

  /// Index of the first batch; 0 while the log is empty.
  package var firstIndex: LogIndex { segments.first?.id.firstIndex ?? .zero }
  /// Index of the last batch; 0 while the log is empty.
  package var lastIndex: LogIndex { segments.last?.summary.lastIndex ?? .zero }
  /// Term of the last batch; 0 while the log is empty.
  package var lastTerm: Term { segments.last?.summary.lastTerm ?? .zero }
  /// Hash of the last batch; zeros while the log is empty.
  package var lastHash: Digest256 { segments.last?.summary.lastHash ?? .zero }
  /// Sequence of the last event; 0 while there is none.
  package var lastSequence: EventSequence { segments.last?.summary.lastSequence ?? .zero }
  /// Length of the last segment up to its last batch, bytes; 0 while there is none.
  package var currentSegmentByteCount: UInt64 { segments.last?.summary.byteCount ?? 0 }

  /// The segments that have a successor and no footer: to be sealed once the first batch of their
  /// successor has been applied. One that a snapshot stands for, and whose footer was damaged, is
  /// sealed with the digests that its neighbours tell.
  package var unsealedSegments: [SegmentRange] {
    segments.indices.dropLast().filter { segments[$0].seal == nil }.map { place in
      SegmentRange(
        id: segments[place].id, lastIndex: segments[place].summary.lastIndex,
        ledgerBefore: place > 0 ? segments[place - 1].seal?.ledgerAfter : nil,
        ledgerAfter: segments[place + 1].seal?.ledgerBefore)
    }
  }

  /// The term of a batch, or nil where the log does not have it.
  package func term(at index: LogIndex) -> Term? {
    guard index >= firstIndex, index <= lastIndex, index > .zero else { return nil }
    return termRuns.last { $0.firstIndex <= index }?.term
  }

  /// Writes batches that follow the last one; nothing is durable before ``sync()``.
  ///
  /// A segment that ends on the way is synced first, so that a later file never vouches for bytes
  /// that were lost.
  package mutating func append(_ batches: [Batch]) throws(LogError) {
    try requireUsable()
    try requireFollowing(batches)
    do {
      for batch in batches { try enqueue(batch) }
      try flush()
    } catch {
      hasFailed = hasFailed || error.isFatal
      throw error
    }
  }

  /// Makes everything written durable. An error is final.
  package mutating func sync() throws(LogError) {
    try requireUsable()
    do {
      try syncWritten()
    } catch {
      hasFailed = true
      throw error
    }
  }

  /// Removes the batches from `index` on, and makes that durable.
  ///
  /// Errors: ``LogError/sealed(_:)`` where one of them lies in a sealed segment,
  /// ``LogError/beforeStart(_:first:)``; then nothing has changed. A hard state that calls one of
  /// them durable must have been lowered before.
  package mutating func truncate(from index: LogIndex) throws(LogError) {
    try requireUsable()
    guard index <= lastIndex, let first = segments.first else { return }
    guard index >= first.id.firstIndex, index > .zero else {
      throw .beforeStart(index, first: first.id.firstIndex)
    }
    for segment in segments where segment.seal != nil && segment.summary.lastIndex >= index {
      throw .sealed(segment.id)
    }
    do {
      try cut(from: index)
    } catch {
      hasFailed = true
      throw error
    }
  }

  func requireUsable() throws(LogError) {
    guard !hasFailed else { throw .failed }
  }

  func path(_ id: SegmentID) -> String { directory + "/" + id.fileName }
}

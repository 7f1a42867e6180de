import Bytes
import Ledger
import Raft
import Replica
import SegmentLog

/// A log that has been opened, and the replica rebuilt from it.
struct OpenedLog<FileSystem: LogFileSystem>: ~Copyable {
  let store: SegmentStore<FileSystem>
  let recovery: ReplicaRecovery
  /// Snapshots that could not be used, and why.
  let notes: [SnapshotNote]
}

/// What opening a log begins with.
struct RecoveryStart<FileSystem: LogFileSystem> {
  let files: FileSystem
  let logDirectory: String
  let configuration: ReplicaConfiguration
  /// What the hard state vouches for.
  let knownDurable: LogIndex
  let ledgerSeed: UInt64

  /// Opens the log from the newest snapshot that can be read and that the log bears out, or from
  /// its start.
  func open(
    _ snapshots: SnapshotDirectory<FileSystem>
  ) throws(LogError) -> OpenedLog<FileSystem> {
    var notes: [SnapshotNote] = []
    var limit = LogIndex(.max)
    while let snapshot = snapshots.newest(through: limit, { notes.append($0) }) {
      let point = snapshot.point
      let positions = LogPositions()
      do throws(LogError) {
        return try open(
          snapshot.recovery(asking(positions), knownCommitted: knownDurable), from: point,
          positions,
          notes)
      } catch {
        guard let problem = Self.unfitness(error) else { throw error }
        notes.append(SnapshotNote(id: SnapshotID(point.applied.index), problem: problem))
        limit = point.applied.index.previous
      }
    }
    let positions = LogPositions()
    let recovery = ReplicaRecovery(
      configuration: asking(positions), knownCommitted: knownDurable,
      ledger: LedgerState(seed: ledgerSeed, canary: configuration.ledgerCanary))
    return try open(recovery, from: nil, positions, notes)
  }

  /// The configuration of a replica that asks this log for old transactions.
  private func asking(_ positions: LogPositions) -> ReplicaConfiguration {
    var configuration = configuration
    configuration.past = SegmentHistory(
      LogReader(files, directory: logDirectory, positions: positions))
    return configuration
  }

  private func open(
    _ beginning: consuming ReplicaRecovery, from point: RecoveryPoint?, _ positions: LogPositions,
    _ notes: [SnapshotNote]
  ) throws(LogError) -> OpenedLog<FileSystem> {
    var recovery = beginning
    let options = RecoveryOptions(
      knownDurable: knownDurable,
      trustedThrough: point.map {
        LogPoint(index: $0.applied.index, hash: $0.lastBatch.header.hash)
      },
      visitedFrom: point?.segmentFirst, keys: .payments)
    var store = try SegmentStore.openItemwise(
      files, directory: logDirectory, clusterID: configuration.cluster, recovery: options,
      positions: positions,
      visiting: { item in
        switch item {
        case .sealed(let id, let tree): recovery.enter(id, tree)
        case .batch(let batch): try recovery.restore(batch)
        }
      })
    for segment in store.unsealedSegments where segment.id.firstIndex < point?.segmentFirst ?? .zero
    {
      // Its digests are in no snapshot: its neighbours' footers tell them, or only a replay can.
      guard let before = segment.ledgerBefore, let after = segment.ledgerAfter else {
        throw .notSealable(segment.id)
      }
      try store.seal(segment: segment.id.firstIndex, ledgerBefore: before, ledgerAfter: after)
    }
    // Those that are sealed already are compared: the ledger must have come to what its footer says.
    for seal in recovery.seals {
      try store.seal(segment: seal.segment, seal.evidence)
    }
    return OpenedLog(store: store, recovery: recovery, notes: notes)
  }

  /// What an error says against the snapshot that the opening began from, or nil where the log
  /// cannot be opened in any case.
  private static func unfitness(_ error: LogError) -> SnapshotProblem? {
    if case .otherHistory(let index) = error { return .otherHistory(at: index) }
    if case .notSealable(let segment) = error { return .segmentNotSealed(segment) }
    if case .sealMismatch = error { return .otherLedger }
    guard case .stopped(_, let reason as RestoreError) = error else { return nil }
    switch reason {
    case .otherHistory(let index): return .otherHistory(at: index)
    case .ledger(.pastUnreadable(let segment)): return .segmentNotSealed(SegmentID(segment))
    case .ledger: return .otherLedger
    }
  }
}

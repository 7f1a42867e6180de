package import Bytes
package import Raft
package import Replica
package import SegmentLog

/// One item of a node's storage queue, in the order the replica asked for it.
package enum StorageWork: Sendable {
  /// Change the log or the hard state.
  case command(StorageCommand)
  /// Send this when everything before it is durable.
  case release(PeerMessage, to: NodeID)
}

/// What a group of storage work came to.
package struct StorageReport: Sendable {
  /// The last batch that is durable now, when the group wrote any.
  package var persisted: EntryID?
  /// Messages that may leave now, in order.
  package var released: [(message: PeerMessage, to: NodeID)] = []
  /// Segments that are sealed now, in order.
  package var sealed: [SegmentSeal] = []

  /// Nothing was done.
  package init() {}
}

/// Carries out a node's storage work: writes a group, then makes all of it durable at once
/// (group commit), then reports.
///
/// An error from here is the end of the process: after a failed `fsync` the page cache may hold
/// what the disk does not ("Can applications recover from fsync failures?", ATC '20).
package struct StorageWorker<FileSystem: LogFileSystem>: ~Copyable {
  private var store: SegmentStore<FileSystem>
  private var hardState: HardStateFile<FileSystem>

  /// A worker over an opened log and its hard state.
  package init(
    store: consuming SegmentStore<FileSystem>, hardState: consuming HardStateFile<FileSystem>
  ) {
    self.store = store
    self.hardState = hardState
  }

  /// A sealed segment to be checked, or nil where there is none such.
  package func sealedSegment(_ target: ScrubTarget) -> SealedSegment? {
    switch target {
    case .after(let index): store.sealedSegment(after: index)
    case .segment(let id): store.sealedSegment(id)
    }
  }

  /// Carries out a group of work. Synchronous: returns when it is durable.
  package mutating func perform(_ group: [StorageWork]) throws(LogError) -> StorageReport {
    var report = StorageReport()
    var isDirty = false
    for work in group {
      switch work {
      case .release(let message, let peer): report.released.append((message, peer))
      case .command(.append(let batches)):
        try store.append(batches)
        isDirty = true
        if let last = batches.last {
          report.persisted = EntryID(index: last.index, term: last.term)
        }
      case .command(.truncate(let index)):
        try store.truncate(from: index)
        isDirty = true
        if let persisted = report.persisted, persisted.index >= index { report.persisted = nil }
      case .command(.hardState(let state, let commit, let isTailSuspect)):
        // Batches written before must be durable before the term under which later ones count.
        if isDirty {
          try store.sync()
          isDirty = false
        }
        try hardState.write(
          SegmentLog.HardState(
            term: state.term, vote: state.vote, knownDurable: commit,
            isTailSuspect: isTailSuspect, store: hardState.state.store))
      case .command(.indexInterval(let byteCount)):
        store.positions.setInterval(UInt64(byteCount))
      case .command(.seal(var seal)):
        try store.seal(segment: seal.segment, seal.evidence, keys: seal.keys)
        seal.keys = nil
        report.sealed.append(seal)
      }
    }
    if isDirty { try store.sync() }
    return report
  }
}

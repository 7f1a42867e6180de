package import Bytes
import Ledger
import Raft
package import Replica
package import SegmentLog

/// An order for a snapshot.
package struct SnapshotOrder: Hashable, Sendable {
  /// The last batch that goes into it: applied and durable on this node.
  package let through: LogIndex
  /// The node's own ledger digest after that batch.
  package let ledgerDigest: Digest256

  /// An order for the ledger after `through`, which had `ledgerDigest` in the running node.
  package init(through: LogIndex, ledgerDigest: Digest256) {
    self.through = through
    self.ledgerDigest = ledgerDigest
  }
}

/// What came of an order.
package struct SnapshotReport: Sendable {
  /// The snapshot, or nil where there was nothing to write.
  package let written: WrittenSnapshot?
  /// Older snapshots that could not be used on the way.
  package let notes: [SnapshotNote]
}

/// Makes snapshots from the log and the snapshot before, beside the running node: the node itself
/// only says up to where (decision 0001-snapshots-from-the-log).
package struct SnapshotBuilder<FileSystem: LogFileSystem>: Sendable {
  /// Bytes of batches that are read at once.
  private static var readByteCount: Int { 4 << 20 }

  private let directory: SnapshotDirectory<FileSystem>
  private let reader: LogReader<FileSystem>
  private let configuration: ReplicaConfiguration
  private let met: @Sendable (LogError) -> Void

  /// A builder over a node's snapshots and a reader of its log; what goes wrong with the log goes to
  /// `met`, too.
  package init(
    _ directory: SnapshotDirectory<FileSystem>, reader: LogReader<FileSystem>,
    configuration: ReplicaConfiguration, met: @escaping @Sendable (LogError) -> Void = { _ in }
  ) {
    self.directory = directory
    self.reader = reader
    self.met = met
    // Nothing here is sent to followers.
    var configuration = configuration
    configuration.cacheByteCountMax = 0
    configuration.collectsKeys = false
    configuration.past = SegmentHistory(reader)
    self.configuration = configuration
  }

  /// Replays the log after the newest usable snapshot, compares the ledger with the node's own, and
  /// writes the new snapshot. Takes the ledger's memory a second time while it runs. `seed` places
  /// things in the tables of a ledger that begins empty.
  package func build(
    _ order: SnapshotOrder, seed: UInt64
  ) throws(SnapshotProblem) -> SnapshotReport {
    var notes: [SnapshotNote] = []
    let snapshot = directory.newest(through: order.through) { notes.append($0) }
    var recovery = begin(snapshot, order, seed)
    do {
      try replay(into: &recovery, through: order.through)
    } catch .otherHistory(let index) where recovery.began != nil {
      // The log is the truth: what contradicts it is passed over, and the log read from its start.
      notes.append(
        SnapshotNote(id: SnapshotID(index), problem: .otherHistory(at: index)))
      recovery = begin(nil, order, seed)
      try replay(into: &recovery, through: order.through)
    }
    guard recovery.applied.index == order.through, recovery.ledgerDigest == order.ledgerDigest
    else { throw .diverged(at: order.through) }
    // The snapshot there has just been read, and is what would be written.
    let isThere = recovery.began?.index == order.through
    recovery.gatherLedger()
    return SnapshotReport(written: isThere ? nil : try directory.write(recovery), notes: notes)
  }

  private func begin(
    _ snapshot: consuming LoadedSnapshot?, _ order: SnapshotOrder, _ seed: UInt64
  ) -> ReplicaRecovery {
    if let snapshot {
      return snapshot.recovery(configuration, knownCommitted: order.through)
    }
    return ReplicaRecovery(
      configuration: configuration, knownCommitted: order.through, ledger: LedgerState(seed: seed))
  }

  private func replay(
    into recovery: inout ReplicaRecovery, through last: LogIndex
  ) throws(SnapshotProblem) {
    // The snapshot's own last batch first: the log must hold the very same.
    var next = max(recovery.applied.index, LogIndex(1))
    while next <= last {
      let batches: [Batch]
      do throws(LogError) {
        batches = try reader.batches(from: next, byteLimit: Self.readByteCount, through: last)
      } catch {
        met(error)
        throw .log(error.sentence)
      }
      guard let end = batches.last else { return }
      for batch in batches {
        do throws(RestoreError) { try recovery.restore(batch) } catch {
          switch error {
          case .otherHistory(let index): throw .otherHistory(at: index)
          case .ledger(.pastUnreadable(let segment)):
            throw .log("\(SegmentID(segment).fileName) cannot be searched")
          case .ledger: throw .diverged(at: batch.index)
          }
        }
      }
      next = end.index.next
    }
  }
}

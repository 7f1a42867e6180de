package import Bytes
import Raft
package import Replica
package import SegmentLog

/// A snapshot that was passed over, and why: for the operator.
package struct SnapshotNote: Hashable, Sendable {
  /// Which.
  package let id: SnapshotID
  /// Why.
  package let problem: SnapshotProblem
}

/// A snapshot that was written.
package struct WrittenSnapshot: Hashable, Sendable {
  /// Which.
  package let id: SnapshotID
  /// Length in bytes.
  package let byteCount: UInt64
  /// The last event in it.
  package let lastSequence: EventSequence

  /// A written snapshot from its parts.
  package init(id: SnapshotID, byteCount: UInt64, lastSequence: EventSequence) {
    self.id = id
    self.byteCount = byteCount
    self.lastSequence = lastSequence
  }
}

/// The snapshots of a node: `snapshots/` in its data directory.
package struct SnapshotDirectory<FileSystem: LogFileSystem>: Sendable {
  /// How many snapshots are kept: if the newest is damaged, there is one more.
  package static var keptCount: Int { 2 }

  private let files: FileSystem
  private let path: String
  private let clusterID: ClusterID

  /// The snapshots in the data directory `dataDirectory`.
  package init(_ files: FileSystem, dataDirectory: String, clusterID: ClusterID) {
    self.files = files
    path = dataDirectory + "/snapshots"
    self.clusterID = clusterID
  }

  /// What is there, newest first; nothing where there is no directory or it cannot be listed.
  package func ids() -> [SnapshotID] {
    let names = (try? files.list(path)) ?? []
    return names.compactMap { SnapshotID(fileName: $0) }.sorted().reversed()
  }

  /// Reads a snapshot, all of it, verified.
  package func load(_ id: SnapshotID) throws(SnapshotProblem) -> LoadedSnapshot {
    let (files, name) = (files, path + "/" + id.fileName)
    let file = try snapshotFiles { () throws(FileError) in try files.open(name, .read) }
    return try SnapshotReader(file, clusterID: clusterID, id: id).read()
  }

  /// Writes what a recovery has come to, under its name only when it is durable and in place of
  /// one that has the name, and removes all but the newest. Nil where the log is empty.
  ///
  /// Precondition: everything restored has been applied. After an error the file is removed: what
  /// failed to sync is never tried again.
  package func write(
    _ recovery: borrowing ReplicaRecovery
  ) throws(SnapshotProblem) -> WrittenSnapshot? {
    guard let point = recovery.point else { return nil }
    let id = SnapshotID(point.applied.index)
    let name = path + "/" + id.fileName
    let partial = name + SnapshotID.partialSuffix
    try removeLeftovers()
    do throws(SnapshotProblem) {
      let byteCount = try writeFile(partial, recovery, point)
      try snapshotFiles { () throws(FileError) in
        try files.rename(partial, to: name)
        try files.syncDirectory(path)
      }
      try removeOld()
      return WrittenSnapshot(
        id: id, byteCount: byteCount, lastSequence: point.lastBatch.header.lastSequence)
    } catch {
      try? files.remove(partial)
      throw error
    }
  }

  private func writeFile(
    _ partial: String, _ recovery: borrowing ReplicaRecovery, _ point: RecoveryPoint
  ) throws(SnapshotProblem) -> UInt64 {
    let file = try snapshotFiles { () throws(FileError) in try files.open(partial, .create) }
    var writer = try SnapshotWriter<FileSystem>(file, clusterID: clusterID, point: point)
    var bytes = ByteWriter()
    point.encode(into: &bytes)
    let limit = SnapshotFormat.blockByteCountMax
    guard bytes.count <= limit * SnapshotFormat.pointBlockCountMax else {
      throw .length(UInt64(bytes.count))
    }
    let pointBytes = bytes.bytes
    for start in stride(from: 0, to: pointBytes.count, by: limit) {
      let end = min(start + limit, pointBytes.count)
      try writer.append(.point, pointBytes.span.bytes.extracting(start..<end))
    }
    try recovery.writeLedger { piece throws(SnapshotProblem) in
      try writer.append(.ledger, piece)
    }
    return try writer.finish()
  }

  /// Makes the directory, and removes what a crash left half written.
  package func removeLeftovers() throws(SnapshotProblem) {
    try snapshotFiles { () throws(FileError) in
      try files.createDirectory(path)
      for name in try files.list(path) where name.hasSuffix(SnapshotID.partialSuffix) {
        try files.remove(path + "/" + name)
      }
    }
  }

  private func removeOld() throws(SnapshotProblem) {
    let old = ids().dropFirst(Self.keptCount)
    guard !old.isEmpty else { return }
    try snapshotFiles { () throws(FileError) in
      for id in old { try files.remove(path + "/" + id.fileName) }
      try files.syncDirectory(path)
    }
  }

  /// The newest snapshot that can be read and was taken at `limit` or before, and notes on those
  /// that were passed over.
  package func newest(
    through limit: LogIndex = LogIndex(.max), _ note: (SnapshotNote) -> Void
  ) -> LoadedSnapshot? {
    for id in ids() where id.applied <= limit {
      do throws(SnapshotProblem) { return try load(id) } catch {
        note(SnapshotNote(id: id, problem: error))
      }
    }
    return nil
  }
}

import Bytes
import Glibc
import HostFiles
import SegmentLog
import Testing

@Suite struct HostFilesTests {
  /// Runs `body` with a directory of its own, and removes it.
  private func inDirectory(_ name: String, _ body: (String) throws -> Void) throws {
    let path = "/tmp/segment-log-\(getpid())-\(name)"
    let system = PosixFileSystem()
    defer {
      for name in (try? system.list(path + "/deep")) ?? [] {
        try? system.remove(path + "/deep/" + name)
      }
      rmdir(path + "/deep")
      rmdir(path)
    }
    try system.createDirectory(path + "/deep")
    try body(path + "/deep")
  }

  @Test func `a log on the host's disk is recovered, read and scanned`() throws {
    try inDirectory("log") { place in
      let system = PosixFileSystem()
      var leader = SampleLeader()
      let batches = leader.batches(20, every: 6)
      do {
        var store = try SegmentStore.open(system, directory: place, clusterID: cluster) { _ in }
        try store.append(batches)
        try store.sync()
        try store.sealAll()
        try store.truncate(from: LogIndex(20))
        try store.append([batches[19]])
        try store.sync()
      }
      var found: [Batch] = []
      let store = try SegmentStore.open(system, directory: place, clusterID: cluster) {
        found.append($0)
      }
      #expect(found.map(\.bytes) == batches.map(\.bytes))
      let reader = LogReader(system, directory: place, positions: store.positions)
      #expect(try reader.batches(from: LogIndex(3), byteLimit: .max).count == 18)
      var hard = try HardStateFile(
        system, directory: place, clusterID: cluster, logIsEmpty: true)
      try hard.write(HardState(term: Term(3), vote: NodeID(2), knownDurable: LogIndex(20)))
      let again = try HardStateFile(
        system, directory: place, clusterID: cluster, logIsEmpty: false)
      let vote = again.state.vote
      #expect(vote == NodeID(2))
    }
  }

  @Test func `errors tell the operation, the path and the number`() throws {
    try inDirectory("errors") { place in
      let system = PosixFileSystem()
      let path = place + "/none"
      #expect(throws: FileError(operation: .open, path: path, errno: ENOENT)) {
        _ = try system.open(path, .read)
      }
      _ = try system.open(path, .create)
      #expect(throws: FileError(operation: .open, path: path, errno: EEXIST)) {
        _ = try system.open(path, .create)
      }
      #expect(try system.map(path).byteCount == 0)
      try system.rename(path, to: place + "/some")
      #expect(try system.list(place) == ["some"])
    }
  }

  @Test func `a second daemon does not get the directory`() throws {
    try inDirectory("lock") { place in
      do {
        let lock = try DirectoryLock(place)
        do throws(FileError) {
          _ = try DirectoryLock(place)
          Issue.record("both have it")
        } catch {
          #expect(DirectoryLock.isTaken(error))
        }
        withExtendedLifetime(lock) {}
      }
      _ = try DirectoryLock(place)
    }
  }
}

import Bytes
import SegmentLog
import Testing

/// Sealed segments are checked and mended while the log is open.
@Suite struct ScrubTests {
  private func scrub(_ system: MemoryFileSystem, _ segment: SealedSegment) throws -> MemoryRepair {
    try MemoryRepair.inspect(system, directory: directory, sealed: segment)
  }

  @Test func `a whole log has nothing to mend`() throws {
    let log = try SampleLog.ten()
    let store = try MemoryStore.open(log.system, directory: directory, clusterID: cluster) { _ in }
    #expect(store.sealedSegments.map(\.id.firstIndex.rawValue) == [1, 5])
    for (id, isSealed) in [(1, true), (5, true), (9, false), (2, false), (20, false)] {
      let found = store.sealedSegment(SegmentID(LogIndex(UInt64(id))))
      #expect((found != nil) == isSealed)
    }
    for segment in store.sealedSegments {
      let repair = try scrub(log.system, segment)
      let (stretches, isWhole) = (repair.stretches, repair.isWhole)
      #expect(stretches.isEmpty && isWhole)
    }
  }

  @Test func `every byte of a sealed segment is checked and mended beside its writer`() throws {
    let log = try SampleLog.ten()
    let system = log.system.copy()
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    let segment = try #require(store.sealedSegments.last)
    let path = system.path(5)
    let bytes = try #require(system.bytes(path))
    for frame in log.frames(of: 5) {
      for position in frame.bytes {
        var changed = bytes
        changed[position] ^= 0x81
        system.put(path, changed)
        var repair = try scrub(system, segment)
        let stretches = repair.stretches
        #expect(stretches.count == 1 && stretches.first?.missing == frame.index.map { $0...$0 })
        try repair.mend(frame.index.map { [log.batches[Int($0.rawValue) - 1]] } ?? [])
        #expect(system.bytes(path) == bytes, "byte \(position)")
      }
    }
    var leader = SampleLeader(after: log.batches[9])
    try store.append([leader.batch(Array("and on".utf8))])
    try store.sync()
    #expect(try system.recover().batches.count == 11)
  }

  @Test func `a sealed file that is gone, short, or another one is mended`() throws {
    let log = try SampleLog.ten()
    var leader = SampleLeader()
    let stranger = try SampleLog(
      (1...10).map { leader.batch([UInt8($0)], starts: $0 == 5 || $0 == 9) })
    let bytes = try #require(log.system.bytes(log.system.path(5)))
    let files: [[UInt8]?] = [
      nil, [], Array(bytes[..<40]), Array(bytes[..<700]), Array(bytes.dropLast()), bytes + [0],
      stranger.system.bytes(stranger.system.path(5)), log.system.bytes(log.system.path(1)),
    ]
    for (number, file) in files.enumerated() {
      let system = log.system.copy()
      let store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
      let segment = try #require(store.sealedSegments.last)
      if let file { system.put(system.path(5), file) } else { try system.remove(system.path(5)) }
      var repair = try scrub(system, segment)
      try repair.mend([])
      while let next = repair.nextMissing {
        try repair.mend([log.batches[Int(next.rawValue) - 1]])
      }
      log.expectSame(system, "file \(number)")
    }
  }

  @Test func `a reader is not held up by a batch that was meant for another place`() throws {
    let log = try SampleLog.ten()
    let system = log.system.copy()
    let store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    let reader = LogReader(system, directory: directory, positions: store.positions)
    // The last batch of a segment is whole, and is the first one.
    let frames = log.frames(of: 5).filter { $0.index != nil }
    let (first, last) = (try #require(frames.first), try #require(frames.last))
    var bytes = try #require(system.bytes(system.path(5)))
    bytes.replaceSubrange(last.bytes, with: bytes[first.bytes])
    system.put(system.path(5), bytes)
    let index = try #require(last.index)
    for from in [index, index.previous, LogIndex(1)] {
      guard case .damaged = logError({ _ = try reader.batches(from: from, byteLimit: .max) })
      else {
        Issue.record("a batch in the wrong place was given from \(from.rawValue)")
        return
      }
    }
  }

  @Test func `a reader finds the mended segment`() throws {
    let log = try SampleLog.ten()
    let system = log.system.copy()
    let store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    let reader = LogReader(system, directory: directory, positions: store.positions)
    #expect(try reader.batches(from: LogIndex(1), byteLimit: .max).count == 10)
    // In place, so that the file which the reader has open rots.
    let file = try system.open(system.path(5), .update)
    try file.write([0, 0, 0].span.bytes, at: UInt64(log.frames(of: 5)[2].bytes.lowerBound + 220))
    guard case .damaged = logError({ _ = try reader.batches(from: LogIndex(1), byteLimit: .max) })
    else {
      Issue.record("a rotten batch was given")
      return
    }
    var repair = try scrub(system, try #require(store.sealedSegments.last))
    try repair.mend([log.batches[5]])
    #expect(
      try reader.batches(from: LogIndex(1), byteLimit: .max).map(\.bytes)
        == log.batches.map(\.bytes))
  }
}

import Bytes
import SegmentLog
import Testing

@Suite struct StoreTests {
  @Test func `two nodes that append in other portions have the same files`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(30, every: 7)
    let one = try MemoryFileSystem.log(batches, sealing: true)
    let two = MemoryFileSystem()
    var store = try MemoryStore.open(two, directory: directory, clusterID: cluster) { _ in }
    for start in stride(from: 0, to: 30, by: 4) {
      try store.append(Array(batches[start..<min(start + 4, 30)]))
      if start.isMultiple(of: 8) { try store.sync() }
      try store.sealAll()
    }
    #expect(one.paths == two.paths && one.paths.count == 5)
    for path in one.paths { #expect(one.bytes(path) == two.bytes(path), "\(path)") }
    // Sealing again changes nothing; with another ledger it is refused.
    try store.seal(
      segment: LogIndex(1), ledgerBefore: sampleDigest(LogIndex(1)),
      ledgerAfter: sampleDigest(LogIndex(8)))
    #expect(one.bytes(one.path(1)) == two.bytes(two.path(1)))
    guard
      case .sealMismatch = logError({
        try store.seal(segment: LogIndex(1), ledgerBefore: .zero, ledgerAfter: .zero)
      })
    else {
      Issue.record("a second seal with other digests")
      return
    }
    #expect(try two.recover().report.sealedCount == 4)
  }

  @Test func `a footer has an entry every 64 KiB of file`() throws {
    var random = SeededGenerator(seed: 9)
    var leader = SampleLeader()
    var batches = (0..<40).map { _ in
      leader.batch((0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
    batches.append(leader.batch([1], starts: true))
    let system = try MemoryFileSystem.log(batches, sealing: true)
    let scanner = SegmentScanner(system, directory: directory)
    let segment = try #require(
      try scanner.open(SegmentID(LogIndex(1)), successor: SegmentID(LogIndex(41))))
    let entries = try #require(segment.footer).sparseIndex
    #expect(entries.map(\.index.rawValue) == [1, 5, 9, 13, 17, 21, 25, 29, 33, 37])
    #expect(entries.first?.offset == 96)
    for (earlier, later) in zip(entries, entries.dropFirst()) {
      #expect(later.offset - earlier.offset >= UInt64(SegmentFormat.indexIntervalByteCount))
    }
  }

  @Test func `a log cut at any index goes on from there`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(12, every: 5)
    for index in 1...13 {
      let system = try MemoryFileSystem.log(batches)
      var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
      try store.truncate(from: LogIndex(UInt64(index)))
      let kept = Array(batches[..<(index - 1)])
      #expect(store.lastIndex == LogIndex(UInt64(index - 1)))
      #expect(store.lastHash == kept.last?.header.hash ?? .zero)
      var other = SampleLeader(after: kept.last)
      other.term = Term(2)
      let added = other.batches(6, every: 2)
      try store.append(added)
      try store.sync()
      #expect(store.lastTerm == Term(2))
      #expect(store.term(at: LogIndex(UInt64(index))) == Term(2))
      if index > 1 { #expect(store.term(at: LogIndex(UInt64(index - 1))) == Term(1)) }
      try store.sealAll()
      let again = try system.recover()
      #expect(again.batches.map(\.bytes) == (kept + added).map(\.bytes), "index \(index)")
      let fresh = try MemoryFileSystem.log(kept + added, sealing: true)
      #expect(system.paths == fresh.paths, "index \(index)")
      for path in fresh.paths { #expect(system.bytes(path) == fresh.bytes(path), "\(path)") }
    }
  }

  @Test func `a sealed segment is not cut`() throws {
    var leader = SampleLeader()
    let system = try MemoryFileSystem.log(leader.batches(10, every: 4), sealing: true)
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    guard case .sealed(let id) = logError({ try store.truncate(from: LogIndex(8)) }) else {
      Issue.record("cutting a sealed segment")
      return
    }
    #expect(id == SegmentID(LogIndex(5)) && store.lastIndex == LogIndex(10))
    try store.truncate(from: LogIndex(9))
    #expect(store.lastIndex == LogIndex(8))
    var same = SampleLeader(after: try system.recover().batches.last)
    guard case .sealed = logError({ try store.append([same.batch([1])]) }) else {
      Issue.record("adding to a sealed segment")
      return
    }
    same = SampleLeader(after: try system.recover().batches.last)
    try store.append([same.batch([1], starts: true)])
  }

  @Test func `only the next batch of the same history is appended`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(3)
    let system = try MemoryFileSystem.log([batches[0]])
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    guard case .outOfOrder = logError({ try store.append([batches[2]]) }) else {
      Issue.record("a gap")
      return
    }
    var stranger = SampleLeader()
    _ = stranger.batch([9])
    guard case .brokenChain = logError({ try store.append([stranger.batch([9])]) }) else {
      Issue.record("another history")
      return
    }
    try store.append(Array(batches[1...]))
    #expect(store.lastIndex == LogIndex(3) && store.commit == LogIndex(2))
  }

  @Test func `a sync that fails ends the store`() throws {  // ATC '20
    var leader = SampleLeader()
    let system = MemoryFileSystem()
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    try store.append(leader.batches(2))
    system.fail(after: 0)
    guard case .file(let error) = logError({ try store.sync() }) else {
      Issue.record("an error of the disk")
      return
    }
    #expect(error.operation == .sync)
    system.fail(after: nil)
    guard case .failed = logError({ try store.sync() }) else {
      Issue.record("a second try")
      return
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func `a cut in a file that has become short under its writer ends, and is damage`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(5)
    let system = MemoryFileSystem()
    var store = try MemoryStore.open(
      system, directory: directory, clusterID: cluster
    ) { _ in }
    try store.append(batches)
    try store.sync()
    let path = system.path(1)
    let bytes = try #require(system.bytes(path))
    let tail = batches[2...].reduce(0) { $0 + $1.bytes.count }
    system.put(path, Array(bytes.dropLast(tail)))
    guard
      case .damaged(_, _, LogIndex(3), .truncated, _) = logError({
        try store.truncate(from: LogIndex(5))
      })
    else {
      Issue.record("batches that are gone are counted")
      return
    }
  }
}

import Bytes
import SegmentLog
import Testing

/// Damaged is not absent (Alagappan et al., FAST '18).
@Suite struct RepairTests {
  private let durable = RecoveryOptions(knownDurable: LogIndex(10))

  private func sealed(_ system: MemoryFileSystem) throws {
    var store = try MemoryStore.open(
      system, directory: directory, clusterID: cluster, recovery: durable
    ) { _ in }
    try store.sealAll()
  }

  @Test func `one wrong byte anywhere is found in its frame and mended`() throws {
    let log = try SampleLog.ten()
    for first in log.firsts {
      let bytes = try #require(log.system.bytes(log.system.path(first)))
      for frame in log.frames(of: first) {
        for position in frame.bytes {
          let damaged = log.system.copy()
          var changed = bytes
          changed[position] ^= UInt8(position % 255) + 1
          damaged.put(damaged.path(first), changed)
          var repair = try inspected(damaged, knownDurable: 10)
          let (stretches, isTailSuspect) = (repair.stretches, repair.isTailSuspect)
          #expect(stretches.count == 1, "segment \(first) byte \(position)")
          #expect(stretches.first?.segment.firstIndex == LogIndex(first))
          #expect(
            stretches.first?.bytes
              == UInt64(frame.bytes.lowerBound)..<UInt64(frame.bytes.upperBound),
            "segment \(first) byte \(position)")
          #expect(stretches.first?.missing == frame.index.map { $0...$0 })
          #expect(isTailSuspect == (frame.index == LogIndex(10)))
          #expect(damaged.bytes(damaged.path(first)) == changed, "finding changes nothing")
          try repair.mend(frame.index.map { [log.batches[Int($0.rawValue) - 1]] } ?? [])
          try sealed(damaged)
          log.expectSame(damaged, "segment \(first) byte \(position)")
        }
      }
    }
  }

  @Test func `a file cut at any length is filled again`() throws {
    let log = try SampleLog.ten()
    for first in log.firsts {
      let bytes = try #require(log.system.bytes(log.system.path(first)))
      let frames = log.frames(of: first)
      for length in stride(from: 0, to: bytes.count, by: 3) {
        let damaged = log.system.copy()
        damaged.put(damaged.path(first), Array(bytes[..<length]))
        let gone = frames.filter { $0.bytes.upperBound > length }.compactMap(\.index)
        let repair = try inspected(damaged, knownDurable: 10)
        let (stretches, isTailSuspect) = (repair.stretches, repair.isTailSuspect)
        let missing = stretches.compactMap(\.missing)
        #expect(missing == (gone.isEmpty ? [] : [gone[0]...gone[gone.count - 1]]))
        #expect(isTailSuspect == (first == 9 && !gone.isEmpty))
        #expect(try log.mend(damaged, durable).fetched == gone)
        log.expectSame(damaged, "segment \(first) length \(length)")
      }
    }
  }

  @Test func `missing files are made again`() throws {
    let log = try SampleLog.ten()
    for gone in [[1], [5], [9], [1, 5], [5, 9], [1, 9], [1, 5, 9]] as [[UInt64]] {
      for sealing in [true, false] {
        let log = try SampleLog(log.batches, sealing: sealing)
        let damaged = log.system.copy()
        for first in gone { try damaged.remove(damaged.path(first)) }
        let error = logError { _ = try damaged.recover(durable) }
        #expect(error?.mayBeMended == true, "\(gone): \(String(describing: error))")
        let isTailSuspect = try inspected(damaged, knownDurable: 10).isTailSuspect
        #expect(isTailSuspect == gone.contains(9))
        let fetched = try log.mend(damaged, durable).fetched
        #expect(fetched == gone.flatMap { log.batches(of: $0).map(\.index) })
        let whole = try SampleLog(log.batches)
        whole.expectSame(damaged, "\(gone), sealed: \(sealing)")
      }
    }
  }

  @Test func `what follows tells the hash of what is missing`() throws {
    let log = try SampleLog.ten()
    func stretch(_ first: UInt64, _ frame: Int) throws -> DamagedStretch {
      let damaged = log.system.copy()
      var bytes = try #require(damaged.bytes(damaged.path(first)))
      bytes[log.frames(of: first)[frame].bytes.lowerBound + 220] ^= 1
      damaged.put(damaged.path(first), bytes)
      let stretches = try inspected(damaged, knownDurable: 10).stretches
      return try #require(stretches.first)
    }
    let middle = try stretch(1, 2)
    #expect(middle.following == .batch(LogIndex(3)))
    #expect(middle.lastHash == log.batches[1].header.hash)
    let last = try stretch(1, 4)
    #expect(last.following == .footer && last.lastHash == log.batches[3].header.hash)
    let end = try stretch(9, 2)
    #expect(end.following == .end && end.lastHash == nil)
    var stranger = SampleLeader(after: log.batches[0])
    let other = stranger.batch(Array("another history".utf8))
    let damaged = log.system.copy()
    var bytes = try #require(damaged.bytes(damaged.path(1)))
    bytes[log.frames(of: 1)[2].bytes.lowerBound + 220] ^= 1
    damaged.put(damaged.path(1), bytes)
    var repair = try inspected(damaged)
    guard case .contradicted(let index) = logError({ try repair.mend([other]) }) else {
      Issue.record("a batch of another history")
      return
    }
    #expect(index == LogIndex(3))
    #expect(damaged.bytes(damaged.path(1)) == bytes, "nothing of it may stay")
    var again = try inspected(damaged)
    guard case .outOfOrder = logError({ try again.mend([log.batches[4]]) }) else {
      Issue.record("a batch that is not the next one")
      return
    }
    try again.mend([log.batches[0], log.batches[1]])
    let isWhole = again.isWhole
    #expect(isWhole)
  }

  @Test func `a tail that was durable is suspect, a torn one is not`() throws {
    let log = try SampleLog.ten()
    let path = log.system.path(9)
    let bytes = try #require(log.system.bytes(path))
    let start = log.frames(of: 9)[2].bytes.lowerBound
    let table: [(String, [UInt8], UInt64, suspect: Bool, missing: ClosedRange<UInt64>?)] = [
      ("cut between batches", Array(bytes[..<start]), 9, false, nil),
      ("cut between batches, durable", Array(bytes[..<start]), 10, true, 10...10),
      ("cut in a batch", Array(bytes[..<(start + 50)]), 9, false, nil),
      ("cut in a batch, durable", Array(bytes[..<(start + 50)]), 10, true, 10...10),
      ("no batch", Array(bytes[..<96]), 8, false, nil),
      ("no batch, durable", Array(bytes[..<96]), 9, true, 9...9),
      ("nothing", [], 8, false, nil),
      ("nothing, durable", [], 10, true, 9...10),
    ]
    for (name, bytes, knownDurable, suspect, missing) in table {
      let damaged = log.system.copy()
      damaged.put(path, bytes)
      let repair = try inspected(damaged, knownDurable: knownDurable)
      let (isTailSuspect, stretches) = (repair.isTailSuspect, repair.stretches)
      #expect(isTailSuspect == suspect, "\(name)")
      #expect(
        stretches.compactMap(\.missing)
          == (missing.map { [LogIndex($0.lowerBound)...LogIndex($0.upperBound)] } ?? []), "\(name)")
      let options = RecoveryOptions(knownDurable: LogIndex(knownDurable))
      let last = try log.mend(damaged, options).last
      #expect(last >= options.knownDurable, "\(name)")
    }
  }

  /// Ten batches as ``SampleLog/ten()``, of which no whole one says that the last two are committed.
  private func uncommitted() throws -> SampleLog {
    var leader = SampleLeader()
    var batches = leader.batches(8, every: 4)
    leader.commit = LogIndex(8)
    batches.append(leader.batch(Array("sent".utf8), starts: true))
    batches.append(leader.batch(Array("in one write".utf8)))
    return try SampleLog(batches)
  }

  @Test func `the log ends before a batch that was never committed`() throws {
    let log = try uncommitted()
    // A crash kept the last batch of a write, and lost the one before it.
    let damaged = log.system.copy()
    var bytes = try #require(damaged.bytes(damaged.path(9)))
    bytes[log.frames(of: 9)[1].bytes.lowerBound + 220] ^= 1
    damaged.put(damaged.path(9), bytes)
    guard case .damaged = logError({ _ = try damaged.recover() }) else {
      Issue.record("a whole batch follows")
      return
    }
    try endBeforeMissing(damaged, knownDurable: 8)
    #expect(damaged.bytes(damaged.path(9)) == nil)
    #expect(try damaged.recover().batches.map(\.bytes) == log.batches[..<8].map(\.bytes))
    // In the middle of a file.
    let other = log.system.copy()
    bytes = try #require(other.bytes(other.path(9)))
    bytes[bytes.count - 9] ^= 1
    var leader = SampleLeader(after: log.batches[9])
    leader.commit = LogIndex(9)
    other.put(other.path(9), bytes + leader.batch(Array("after".utf8)).bytes)
    try endBeforeMissing(other, knownDurable: 9)
    #expect(try other.recover().batches.map(\.bytes) == log.batches[..<9].map(\.bytes))
  }

  @Test func `the log does not end before what may have been committed`() throws {
    let log = try uncommitted()
    for (first, frame, log, knownDurable, why) in [
      (9, 1, log, 9, "it was known durable"),
      (9, 1, try SampleLog.ten(), 8, "a later batch says that it is committed"),
      (5, 1, log, 0, "it lies in a sealed segment"),
    ] as [(UInt64, Int, SampleLog, UInt64, String)] {
      let damaged = log.system.copy()
      var bytes = try #require(damaged.bytes(damaged.path(first)))
      bytes[log.frames(of: first)[frame].bytes.lowerBound + 220] ^= 1
      damaged.put(damaged.path(first), bytes)
      let error = logError { try endBeforeMissing(damaged, knownDurable: knownDurable) }
      guard case .notCuttable = error else {
        Issue.record("cut, though \(why)")
        continue
      }
      #expect(damaged.bytes(damaged.path(first)) == bytes, "\(why)")
    }
    guard case .notCuttable = logError({ try endBeforeMissing(log.system, knownDurable: 0) }) else {
      Issue.record("nothing is missing")
      return
    }
  }

  private func endBeforeMissing(_ system: MemoryFileSystem, knownDurable: UInt64) throws {
    var repair = try inspected(system, knownDurable: knownDurable)
    try repair.mend([])
    try repair.endBeforeMissing()
    let isWhole = repair.isWhole
    #expect(isWhole)
  }

  @Test func `sectors that cannot be read are damage`() throws {
    var random = SeededGenerator(seed: 5)
    var leader = SampleLeader()
    let batches = (0..<12).map { number in
      leader.batch(
        (0..<5_000).map { _ in UInt8.random(in: 0...255, using: &random) }, starts: number == 6)
    }
    let log = try SampleLog(batches)
    for (first, range, gone) in [(1, 8_192..<8_193, [2, 3]), (7, 12_288..<20_480, [9, 10])]
      as [(UInt64, Range<Int>, [UInt64])]
    {
      let damaged = log.system.copy()
      damaged.spoil(damaged.path(first), range)
      let stretches = try inspected(damaged).stretches
      #expect(stretches.compactMap(\.missing) == [LogIndex(gone[0])...LogIndex(gone.last ?? 0)])
      let repair = try inspected(damaged)
      for batch in batches {
        let isGone = gone.contains(batch.index.rawValue)
        let found = try repair.batch(at: batch.index)
        #expect(found?.bytes == (isGone ? nil : batch.bytes))
      }
      #expect(try log.mend(damaged, RecoveryOptions()).fetched.map(\.rawValue) == gone)
      log.expectSame(damaged, "segment \(first)")
    }
    // At the tail, nothing but the disk's error tells that it is no torn write.
    let tail = log.system.copy()
    tail.spoil(tail.path(7), 30_000..<30_001)
    let isTailSuspect = try inspected(tail).isTailSuspect
    #expect(isTailSuspect)
    guard case .damaged(_, _, let index, _, .unreadable) = logError({ _ = try tail.recover() })
    else {
      Issue.record("an unreadable tail was cut")
      return
    }
    #expect(index == LogIndex(12))
  }
}

import Bytes
import SegmentLog
import Testing

/// Repair under many faults at once, and under crashes.
@Suite struct RepairFaultTests {
  private static let seedCount: UInt64 = 200

  /// Six segments of four batches of up to 1,500 bytes that do not compress.
  private static let log: SampleLog? = {
    var random = SeededGenerator(seed: 77)
    var leader = SampleLeader()
    let batches = (0..<24).map { number in
      leader.term = Term(UInt64(number / 5 + 1))
      return leader.batch(
        (0..<Int.random(in: 0...1_500, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }, starts: number > 0 && number.isMultiple(of: 4))
    }
    return try? SampleLog(batches)
  }()

  private let options = RecoveryOptions(knownDurable: LogIndex(24))

  /// One thing that disks do.
  private func damage(_ system: MemoryFileSystem, _ random: inout SeededGenerator) throws {
    guard let path = system.paths.randomElement(using: &random) else { return }
    var bytes = try #require(system.bytes(path))
    let start = Int.random(in: 0...max(0, bytes.count - 1), using: &random)
    let end = min(bytes.count, start + Int.random(in: 1...2_000, using: &random))
    switch Int.random(in: 0..<8, using: &random) {
    case 0:
      for place in start..<end { bytes[place] = 0 }
    case 1:
      for place in start..<end { bytes[place] = UInt8.random(in: 0...255, using: &random) }
    case 2, 3:
      if start < end { bytes[start] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
    case 4:
      bytes.removeLast(bytes.count - start)
    case 5:
      return try system.remove(path)
    case 6:
      // A write that went to the wrong place.
      let other = try #require(system.paths.randomElement(using: &random).flatMap(system.bytes))
      guard !other.isEmpty else { return }
      let from = Int.random(in: 0..<other.count, using: &random)
      let piece = other[from..<min(other.count, from + end - start)]
      bytes.replaceSubrange(start..<min(bytes.count, start + piece.count), with: piece)
    default:
      bytes += (0..<100).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    system.put(path, bytes)
  }

  @Test func `many faults at once are mended`() throws {
    let log = try #require(Self.log)
    for seed in 0..<Self.seedCount {
      var random = SeededGenerator(seed: seed)
      let damaged = log.system.copy()
      for _ in 0..<Int.random(in: 1...5, using: &random) { try damage(damaged, &random) }
      let before = damaged.copy()
      let repair = try inspected(damaged, knownDurable: 24)
      for path in before.paths { #expect(damaged.bytes(path) == before.bytes(path)) }
      for batch in log.batches {
        let found = try repair.batch(at: batch.index)
        #expect(found == nil || found?.bytes == batch.bytes, "seed \(seed)")
      }
      do {
        _ = try log.mend(damaged, options)
      } catch {
        Issue.record("seed \(seed): \(error)")
        continue
      }
      log.expectSame(damaged, "seed \(seed)")
    }
  }

  @Test func `three nodes that have lost different batches heal each other`() throws {
    let log = try #require(Self.log)
    for seed in 0..<40 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let nodes = (0..<3).map { _ in log.system.copy() }
      // Each batch is lost on two nodes at most.
      for batch in log.batches where Int.random(in: 0..<3, using: &random) > 0 {
        let first = try #require(log.firsts.last { $0 <= batch.index.rawValue })
        let frame = try #require(log.frames(of: first).first { $0.index == batch.index })
        let spared = Int.random(in: 0..<3, using: &random)
        for node in 0..<3 where node != spared && Bool.random(using: &random) {
          var bytes = try #require(nodes[node].bytes(nodes[node].path(first)))
          bytes[Int.random(in: frame.bytes, using: &random)] ^= 0x5a
          nodes[node].put(nodes[node].path(first), bytes)
        }
      }
      for node in 0..<3 {
        var repair = try inspected(nodes[node], knownDurable: 24)
        // The others are damaged too, and closed, or mended already.
        let peers = [
          try inspected(nodes[(node + 1) % 3], knownDurable: 24).batches(log),
          try inspected(nodes[(node + 2) % 3], knownDurable: 24).batches(log),
        ]
        try repair.mend([])
        while let next = repair.nextMissing {
          let place = Int(next.rawValue) - 1
          try repair.mend([try #require(peers[0][place] ?? peers[1][place], "seed \(seed)")])
        }
      }
      for node in nodes { log.expectSame(node, "seed \(seed)") }
    }
  }

  @Test(arguments: [false, true])
  func `a crash at any operation of a repair leaves one that can be done again`(
    inSectors: Bool
  ) throws {
    let log = try #require(Self.log)
    for seed in 0..<6 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let start = log.system.copy()
      for _ in 0..<4 { try damage(start, &random) }
      var operation = 0
      var isDone = false
      while !isDone {
        let damaged = start.copy()
        damaged.fail(after: operation)
        do {
          _ = try log.mend(damaged, options)
          isDone = true
        } catch LogError.file {}
        damaged.fail(after: nil)
        let crashed = damaged.crashed(inSectors ? .sectors : .prefix, using: &random)
        _ = try log.mend(crashed, options)
        log.expectSame(crashed, "seed \(seed), operation \(operation)")
        operation += 1
      }
      #expect(operation > 5)
    }
  }
}

extension LogRepair {
  /// What is whole of a log.
  fileprivate func batches(_ log: SampleLog) throws -> [Batch?] {
    try log.batches.map { try batch(at: $0.index) }
  }
}

/// Files and batches of another history: whole, but not what was written here.
@Suite struct RepairHistoryTests {
  private let options = RecoveryOptions(knownDurable: LogIndex(10))

  /// The same log up to `index`, and another one after it.
  private func other(_ log: SampleLog, from index: Int) throws -> SampleLog {
    var leader = SampleLeader(after: index > 1 ? log.batches[index - 2] : nil)
    var batches = Array(log.batches[..<(index - 1)])
    for number in index...10 {
      batches.append(
        leader.batch(Array("other \(number)".utf8), starts: number == 5 || number == 9))
    }
    return try SampleLog(batches)
  }

  @Test func `a file of another history is replaced`() throws {
    let log = try SampleLog.ten()
    for first in log.firsts {
      for index in 1...10 {
        let stranger = try other(log, from: index)
        let damaged = log.system.copy()
        damaged.put(damaged.path(first), try #require(stranger.system.bytes(damaged.path(first))))
        if first == 9, index >= 9 {
          // The log's end, whole and chained: only the other nodes can tell.
          let stretches = try inspected(damaged, knownDurable: 10).stretches
          #expect(stretches.isEmpty)
          continue
        }
        _ = try log.mend(damaged, options)
        log.expectSame(damaged, "segment \(first) from \(index)")
      }
    }
  }

  @Test func `a file with the bytes of another segment is replaced`() throws {
    let log = try SampleLog.ten()
    for first in log.firsts {
      for source in log.firsts where source != first {
        let damaged = log.system.copy()
        damaged.put(damaged.path(first), try #require(damaged.bytes(damaged.path(source))))
        _ = try log.mend(damaged, options)
        log.expectSame(damaged, "\(source) in place of \(first)")
      }
    }
  }

  @Test func `a batch of another history inside a file is replaced`() throws {
    let log = try SampleLog.ten()
    for index in 2...10 {
      // As long as the true one, so that all that follows stands where it should.
      var leader = SampleLeader(after: log.batches[index - 2])
      var records = log.batches[index - 1].records
      records[records.count - 3] ^= 1
      let header = log.batches[index - 1].header
      let stranger = leader.batch(
        records, count: Int(header.count), starts: header.startsSegment, isFramed: true)
      let first = try #require(log.firsts.last { $0 <= UInt64(index) })
      let frame = try #require(
        log.frames(of: first).first { $0.index == LogIndex(UInt64(index)) })
      try #require(stranger.bytes.count == frame.bytes.count)
      let damaged = log.system.copy()
      var bytes = try #require(damaged.bytes(damaged.path(first)))
      bytes.replaceSubrange(frame.bytes, with: stranger.bytes)
      damaged.put(damaged.path(first), bytes)
      // The last one has no successor that contradicts it.
      let isLast = index == 10
      let stretches = try inspected(damaged, knownDurable: 10).stretches
      #expect(stretches.isEmpty == isLast, "batch \(index)")
      guard !isLast else { continue }
      _ = try log.mend(damaged, options)
      log.expectSame(damaged, "batch \(index)")
    }
  }

  @Test func `a file header is doubted with the batch that says the same of the one before`() throws
  {
    // All of it may be of another history, and batch 4 that is committed does not fit.
    let log = try SampleLog.ten()
    let frame = try #require(log.frames(of: 1).first { $0.index == LogIndex(4) })
    let damaged = log.system.copy()
    var bytes = try #require(damaged.bytes(damaged.path(1)))
    bytes[frame.bytes.lowerBound + 20] ^= 1
    damaged.put(damaged.path(1), bytes)
    for distrusted in [[], [LogIndex(5)]] {
      let stretches = try inspected(damaged, knownDurable: 3, distrusting: Set(distrusted))
        .stretches
      let stretch = try #require(stretches.first { $0.missing?.contains(LogIndex(4)) == true })
      #expect((stretch.lastHash == nil) == !distrusted.isEmpty)
    }
  }
}

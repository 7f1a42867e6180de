import Bytes
import HostFiles
import SegmentLog
import Synchronization
import Testing

private final class Flag: Sendable {
  let isRaised = Mutex(false)
}

@Suite struct ReaderTests {
  @Test func `every index and every sequence is found`() throws {
    var random = SeededGenerator(seed: 11)
    var leader = SampleLeader()
    let batches = (0..<120).map { number in
      let records = (0..<Int.random(in: 0...3_000, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      return leader.batch(
        records, count: min(records.count, Int.random(in: 1...5, using: &random)),
        starts: number % 50 == 49)
    }
    let system = try MemoryFileSystem.log(batches)
    let store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    let reader = LogReader(system, directory: directory, positions: store.positions)
    for batch in batches {
      let found = try reader.batches(from: batch.index, byteLimit: 1)
      #expect(found.map(\.bytes) == [batch.bytes])
      guard batch.header.count > 0 else { continue }
      for sequence in [batch.header.firstSequence, batch.header.lastSequence] {
        #expect(try reader.index(containing: sequence) == batch.index)
      }
    }
    #expect(try reader.batches(from: LogIndex(1), byteLimit: .max).count == 120)
    #expect(
      try reader.batches(from: LogIndex(40), byteLimit: .max, through: LogIndex(60)).count == 21)
    #expect(try reader.batches(from: LogIndex(121), byteLimit: .max).isEmpty)
    #expect(try reader.index(containing: EventSequence(store.lastSequence.rawValue + 1)) == nil)
    guard
      case .beforeStart = logError({ _ = try reader.batches(from: .zero, byteLimit: 1) })
    else {
      Issue.record("an index before the log")
      return
    }
    let limit = batches[0].bytes.count + batches[1].bytes.count
    #expect(try reader.batches(from: LogIndex(1), byteLimit: limit).count == 2)
    #expect(try reader.batches(from: LogIndex(1), byteLimit: limit - 1).count == 1)
  }

  @Test func `a reader beside a writer that appends and cuts sees one history`() async throws {
    let system = MemoryFileSystem()
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    let reader = LogReader(system, directory: directory, positions: store.positions)
    let flag = Flag()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<2 {
        group.addTask {
          var count = 0
          var isLast = false
          while !isLast {
            isLast = flag.isRaised.withLock { $0 }
            let batches = try reader.batches(from: LogIndex(1), byteLimit: .max)
            for (earlier, later) in zip(batches, batches.dropFirst()) {
              #expect(earlier.header.hash == later.header.previousHash)
            }
            count = batches.count
            await Task.yield()
          }
          return count
        }
      }
      var random = SeededGenerator(seed: 3)
      var log: [Batch] = []
      var term = Term(1)
      for _ in 0..<150 {
        if log.count > 5, Int.random(in: 0..<5, using: &random) == 0 {
          let kept = Int.random(in: 2..<log.count, using: &random)
          try store.truncate(from: LogIndex(UInt64(kept + 1)))
          log.removeLast(log.count - kept)
          term = term.next
        }
        var leader = SampleLeader(after: log.last)
        leader.term = term
        let added = leader.batches(Int.random(in: 1...4, using: &random), every: 3)
        try store.append(added)
        log += added
        await Task.yield()
      }
      flag.isRaised.withLock { $0 = true }
      for try await count in group { #expect(count == log.count) }
    }
  }
}

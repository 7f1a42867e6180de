import Bytes
import SegmentLog
import Testing

/// What a log must and may hold after a crash.
private struct Expectation {
  /// What was written, durable or not, with what was being written.
  var written: [Batch] = []
  /// How many of them have been reported durable.
  var syncedCount = 0
}

@Suite struct CrashTests {
  private static let seedCount: UInt64 = 60

  private let noise: [UInt8] = {
    var random = SeededGenerator(seed: 1)
    return (0..<4_096).map { _ in UInt8.random(in: 0...255, using: &random) }
  }()

  /// `count` bytes that do not compress.
  private func noise(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
    let start = Int.random(in: 0...noise.count - count, using: &random)
    return Array(noise[start..<start + count])
  }

  @Test(arguments: [false, true])
  func `everything synced is there after any crash`(inSectors: Bool) throws {
    var repairCount = 0
    for seed in 0..<Self.seedCount {
      try run(seed: seed, tear: inSectors ? .sectors : .prefix, &repairCount)
    }
    #expect((repairCount > 0) == inSectors)
  }

  private func mend(_ system: MemoryFileSystem, with batches: [Batch]) throws {
    var repair = try inspected(system)
    try repair.mend([])
    while let next = repair.nextMissing {
      try repair.mend([try #require(batches.first { $0.index == next })])
    }
  }

  private func run(
    seed: UInt64, tear: MemoryFileSystem.Tear, _ repairCount: inout Int
  ) throws {
    var random = SeededGenerator(seed: seed)
    var system = MemoryFileSystem()
    var expectation = Expectation()
    var term = Term(1)
    for _ in 0..<4 {
      try work(on: system, &expectation, term, &random)
      term = term.next
      system = system.crashed(tear, using: &random)
      var found: [Batch] = []
      var error = logError { found = try system.recover().batches }
      if case .damaged(_, _, let index, _, .laterBatch) = error, case .sectors = tear {
        // A later sector of the same write can have survived: then nothing is cut, and a peer helps.
        #expect(index.rawValue > UInt64(expectation.syncedCount), "seed \(seed)")
        try mend(system, with: expectation.written)
        error = logError { found = try system.recover().batches }
        repairCount += 1
      }
      #expect(error == nil, "seed \(seed): \(String(describing: error))")
      #expect(found.count >= expectation.syncedCount, "seed \(seed): something synced is lost")
      #expect(
        found.map(\.bytes) == expectation.written.prefix(found.count).map(\.bytes),
        "seed \(seed): something was made up")
      guard error == nil else { return }
      expectation = Expectation(written: found, syncedCount: found.count)
    }
  }

  /// Runs a store until its disk fails, or for a while.
  private func work(
    on system: MemoryFileSystem, _ expectation: inout Expectation, _ term: Term,
    _ random: inout SeededGenerator
  ) throws {
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    // Sealed ones are committed, and so is what makes them be sealed.
    var committed = expectation.syncedCount
    system.fail(after: Int.random(in: 0..<60, using: &random))
    do throws(LogError) {
      for _ in 0..<20 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
          var leader = SampleLeader(after: expectation.written.last)
          leader.term = term
          let added = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            leader.batch(
              noise(Int.random(in: 0...1_500, using: &random), &random),
              starts: Int.random(in: 0..<5, using: &random) == 0)
          }
          expectation.written += added
          try store.append(added)
        case 5..<8:
          try store.sync()
          expectation.syncedCount = expectation.written.count
          let uncommitted = Int.random(in: 0...2, using: &random)
          committed = max(committed, expectation.syncedCount - uncommitted)
        case 8:
          for segment in store.unsealedSegments where segment.lastIndex.rawValue < committed {
            try store.seal(
              segment: segment.id.firstIndex, ledgerBefore: sampleDigest(segment.id.firstIndex),
              ledgerAfter: sampleDigest(segment.lastIndex.next))
          }
        default:
          let sealed = store.unsealedSegments.first?.id.firstIndex ?? store.firstIndex
          let floor = max(committed, Int(sealed.rawValue), 1)
          guard floor + 1 < expectation.written.count else { continue }
          let kept = Int.random(in: floor + 1..<expectation.written.count, using: &random)
          expectation.syncedCount = min(expectation.syncedCount, kept)
          try store.truncate(from: LogIndex(UInt64(kept + 1)))
          expectation.written.removeLast(expectation.written.count - kept)
        }
      }
    } catch {
      guard case .file = error else { throw error }
    }
    system.fail(after: nil)
  }
}

import Bytes
import HostFiles
import SegmentLog
import Testing

/// What a store tells of its log, to compare two.
private struct StoreState: Equatable {
  let first, last: LogIndex
  let lastHash: Digest256
  let lastTerm: Term
  let lastSequence: EventSequence
  let commit: LogIndex
  let termRuns: [TermRun]
  let unsealed: [SegmentRange]
  let byteCount: UInt64
  let positions: [SegmentID]

  init(_ store: borrowing MemoryStore) {
    first = store.firstIndex
    last = store.lastIndex
    lastHash = store.lastHash
    lastTerm = store.lastTerm
    lastSequence = store.lastSequence
    commit = store.commit
    termRuns = store.termRuns
    unsealed = store.unsealedSegments
    byteCount = store.currentSegmentByteCount
    positions = store.positions.segments
  }
}

/// A log can be opened from a snapshot on without reading what the snapshot stands for.
@Suite struct TrustedTests {
  /// Segments of four batches; a term every three.
  private static let batches: [Batch] = {
    var leader = SampleLeader()
    return (0..<22).map { number in
      leader.term = Term(UInt64(number / 3 + 1))
      return leader.batch(
        Array("record \(number)\n".utf8), starts: number > 0 && number.isMultiple(of: 4))
    }
  }()

  private func point(_ index: Int) -> LogPoint {
    LogPoint(index: LogIndex(UInt64(index)), hash: Self.batches[index - 1].header.hash)
  }

  private func opened(
    _ system: MemoryFileSystem, from index: Int?
  ) throws -> (StoreState, RecoveryReport, visited: [LogIndex]) {
    var visited: [LogIndex] = []
    let store = try MemoryStore.open(
      system, directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(trustedThrough: index.map(point))
    ) { visited.append($0.index) }
    return (StoreState(store), store.recoveryReport, visited)
  }

  @Test func `a log opened from a snapshot on is the same log`() throws {
    for sealing in [true, false] {
      let system = try MemoryFileSystem.log(Self.batches, sealing: sealing)
      let (whole, all, _) = try opened(system, from: nil)
      for index in 1...22 {
        let (state, report, visited) = try opened(system, from: index)
        #expect(state == whole, "from \(index)")
        #expect(visited.map(\.rawValue) == Array(UInt64(index + 1)..<23), "from \(index)")
        #expect(report.trustedCount == (sealing ? min(index / 4, 5) : 0), "from \(index)")
        #expect(report.batchCount == all.batchCount && report.eventCount == all.eventCount)
        #expect(report.recordsByteCount == all.recordsByteCount)
        #expect(report.fileByteCount == all.fileByteCount)
        #expect(report.commit == all.commit && report.hybridMax == all.hybridMax)
        #expect(report.sealedCount == all.sealedCount && report.segmentCount == all.segmentCount)
      }
    }
  }

  @Test func `every batch of a log opened by its footers is found`() throws {
    let system = try MemoryFileSystem.log(Self.batches, sealing: true)
    let store = try MemoryStore.open(
      system, directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(trustedThrough: point(20))
    ) { _ in }
    let reader = LogReader(system, directory: directory, positions: store.positions)
    for batch in Self.batches {
      #expect(try reader.batches(from: batch.index, byteLimit: 1).map(\.bytes) == [batch.bytes])
      #expect(try reader.index(containing: batch.header.firstSequence) == batch.index)
    }
    #expect(try reader.batches(from: LogIndex(1), byteLimit: .max).count == 22)
  }

  @Test func `the batches of a trusted segment are not read`() throws {
    let system = try MemoryFileSystem.log(Self.batches, sealing: true)
    var bytes = try #require(system.bytes(system.path(5)))
    bytes[150] ^= 1
    system.put(system.path(5), bytes)
    #expect(try opened(system, from: 8).1.trustedCount == 2)
    guard case .damaged = logError({ _ = try opened(system, from: 7) }) else {
      Issue.record("a segment that is read")
      return
    }
  }

  @Test func `a snapshot of another log is refused`() throws {
    let system = try MemoryFileSystem.log(Self.batches, sealing: true)
    for index in [4, 6, 8, 22] {
      let stranger = LogPoint(index: LogIndex(UInt64(index)), hash: .zero)
      let error = logError {
        _ = try system.recover(RecoveryOptions(trustedThrough: stranger))
      }
      guard case .otherHistory(let found) = error, found == stranger.index else {
        Issue.record("\(index): \(String(describing: error))")
        continue
      }
    }
    let ahead = LogPoint(index: LogIndex(23), hash: .zero)
    guard
      case .lost = logError({ _ = try system.recover(RecoveryOptions(trustedThrough: ahead)) })
    else {
      Issue.record("a snapshot ahead of the log")
      return
    }
  }

  @Test func `a damaged footer before the snapshot is written again from its neighbours`() throws {
    let whole = try MemoryFileSystem.log(Self.batches, sealing: true)
    let bytes = try #require(whole.bytes(whole.path(5)))
    let data = 96 + Self.batches[4..<8].reduce(0) { $0 + $1.bytes.count }
    // Without payments, the bodies of its index are 16 bytes each, and read when they are wanted.
    let bodies = [bytes.count - 136..<bytes.count - 120, bytes.count - 56..<bytes.count - 40]
    for position in data..<bytes.count where !bodies.contains(where: { $0.contains(position) }) {
      let system = try MemoryFileSystem.log(Self.batches, sealing: true)
      var changed = bytes
      changed[position] ^= 0x20
      system.put(system.path(5), changed)
      var store = try MemoryStore.open(
        system, directory: directory, clusterID: cluster,
        recovery: RecoveryOptions(trustedThrough: point(18))
      ) { #expect($0.index > LogIndex(18)) }
      let unsealed = try #require(store.unsealedSegments.first)
      #expect(unsealed.id.firstIndex == LogIndex(5))
      try store.seal(
        segment: LogIndex(5), ledgerBefore: try #require(unsealed.ledgerBefore),
        ledgerAfter: try #require(unsealed.ledgerAfter))
      #expect(system.bytes(system.path(5)) == bytes, "byte \(position)")
    }
  }

  @Test func `a log that ends before its snapshot is mended up to it`() throws {
    let system = try MemoryFileSystem.log(Self.batches, sealing: true)
    try system.remove(system.path(21))
    try system.remove(system.path(13))
    let options = RecoveryOptions(trustedThrough: point(22))
    #expect(logError { _ = try system.recover(options) }?.mayBeMended == true)
    var repair = try MemoryRepair.inspect(
      system, directory: directory, clusterID: cluster, recovery: options)
    let isTailSuspect = repair.isTailSuspect
    #expect(isTailSuspect)
    try repair.mend(Self.batches)
    let isWhole = repair.isWhole
    #expect(isWhole)
    #expect(try opened(system, from: 22).0.last == LogIndex(22))
    #expect(try opened(system, from: nil).visited.count == 22)
  }

  @Test func `an end of a sealed file that cannot be read is damage`() throws {
    let system = try MemoryFileSystem.log(Self.batches, sealing: true)
    let size = try #require(system.bytes(system.path(5))).count
    system.spoil(system.path(5), size - 100..<size)
    guard case .damaged(let segment, _, _, _, _) = logError({ _ = try opened(system, from: 22) })
    else {
      Issue.record("zeros in one piece of the file are its last batch, too")
      return
    }
    #expect(segment == SegmentID(LogIndex(5)))
  }
}

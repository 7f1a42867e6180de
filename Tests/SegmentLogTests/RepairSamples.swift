import Bytes
import SegmentLog
import Testing

typealias MemoryRepair = LogRepair<MemoryFileSystem>

/// A log, its files as they should be, and where each frame is.
struct SampleLog {
  let batches: [Batch]
  let system: MemoryFileSystem
  let firsts: [UInt64]

  init(_ batches: [Batch], sealing: Bool = true) throws {
    self.batches = batches
    system = try MemoryFileSystem.log(batches, sealing: sealing)
    firsts = batches.filter(\.header.startsSegment).map(\.index.rawValue)
  }

  /// Three segments of four, four and two batches; the first two sealed.
  static func ten() throws -> SampleLog {
    var leader = SampleLeader()
    return try SampleLog(leader.batches(10, every: 4))
  }

  /// A batch that stands in the file of the segment `first`.
  func batches(of first: UInt64) -> ArraySlice<Batch> {
    let end = firsts.first { $0 > first }.map { Int($0) - 1 } ?? batches.count
    return batches[Int(first - 1)..<end]
  }

  /// The frames of a file: where each is, and which batch it is, if any.
  func frames(of first: UInt64) -> [(bytes: Range<Int>, index: LogIndex?)] {
    var frames: [(bytes: Range<Int>, index: LogIndex?)] = [(0..<96, nil)]
    for batch in batches(of: first) {
      let start = frames[frames.count - 1].bytes.upperBound
      frames.append((start..<start + batch.bytes.count, batch.index))
    }
    let (end, size) = (
      frames[frames.count - 1].bytes.upperBound, system.bytes(system.path(first))?.count ?? 0
    )
    if end < size { frames.append((end..<size, nil)) }
    return frames
  }

  /// Mends a log with these batches, as a node does with those of its peers, and opens it; gives
  /// the batches that were needed.
  func mend(
    _ damaged: MemoryFileSystem, _ options: RecoveryOptions
  ) throws -> (fetched: [LogIndex], last: LogIndex) {
    let fetched = try fetch(damaged, options)
    var store = try MemoryStore.open(
      damaged, directory: directory, clusterID: cluster, recovery: options
    ) { _ in }
    try store.sealAll()
    return (fetched, store.lastIndex)
  }

  private func fetch(
    _ damaged: MemoryFileSystem, _ options: RecoveryOptions
  ) throws -> [LogIndex] {
    var distrusting: Set<LogIndex> = []
    for _ in 0...batches.count {
      do {
        return try fetch(damaged, options, distrusting)
      } catch LogError.contradicted(let index) {
        try #require(distrusting.insert(index).inserted, "no progress at \(index.rawValue)")
      }
    }
    return []
  }

  private func fetch(
    _ damaged: MemoryFileSystem, _ options: RecoveryOptions, _ distrusting: Set<LogIndex>
  ) throws -> [LogIndex] {
    var repair = try MemoryRepair.inspect(
      damaged, directory: directory, clusterID: cluster, recovery: options,
      distrusting: distrusting)
    var fetched: [LogIndex] = []
    try repair.mend([])
    while let next = repair.nextMissing {
      fetched.append(next)
      try repair.mend([batches[Int(next.rawValue) - 1]])
    }
    let isWhole = repair.isWhole
    #expect(isWhole)
    return fetched
  }

  func expectSame(
    _ other: MemoryFileSystem, _ comment: @autoclosure () -> Comment,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(other.paths == system.paths, comment(), sourceLocation: sourceLocation)
    for path in system.paths {
      #expect(
        other.bytes(path) == system.bytes(path), "\(path): \(comment())",
        sourceLocation: sourceLocation)
    }
  }
}

func inspected(
  _ system: MemoryFileSystem, knownDurable: UInt64 = 0, distrusting: Set<LogIndex> = []
) throws -> MemoryRepair {
  try MemoryRepair.inspect(
    system, directory: directory, clusterID: cluster,
    recovery: RecoveryOptions(knownDurable: LogIndex(knownDurable)), distrusting: distrusting)
}

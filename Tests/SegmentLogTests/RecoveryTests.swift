import Bytes
import SegmentLog
import Testing

/// What recovery is expected to make of a file.
private enum Verdict: Equatable {
  case torn(batchesLeft: Int)
  case damaged(index: UInt64)
}

@Suite struct RecoveryTests {
  /// Three segments of four, four and two batches.
  private static func tenBatches() -> [Batch] {
    var leader = SampleLeader()
    return leader.batches(10, every: 4)
  }

  @Test func `a last segment cut at any byte gives its whole batches`() throws {
    let batches = Self.tenBatches()
    let whole = try MemoryFileSystem.log(batches)
    let path = whole.path(9)
    let bytes = try #require(whole.bytes(path))
    let middle = 96 + batches[8].bytes.count
    let ends = [96, middle, middle + batches[9].bytes.count]
    for length in 0...bytes.count {
      let system = try MemoryFileSystem.log(batches)
      system.put(path, Array(bytes[..<length]))
      let (found, report) = try system.recover()
      let expected = 8 + ends.dropFirst().filter { $0 <= length }.count
      #expect(found.map(\.bytes) == batches[..<expected].map(\.bytes), "length \(length)")
      #expect(report.cuts.isEmpty == ends.dropFirst().contains(length), "length \(length)")
      #expect((system.bytes(path) == nil) == (expected == 8), "length \(length)")
      let again = try system.recover()
      #expect(again.batches.count == expected && again.report.cuts.isEmpty)
      // The log goes on where it was cut.
      var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
      try store.append(Array(batches[expected...]))
      #expect(system.bytes(path) == bytes, "length \(length)")
    }
  }

  @Test func `torn and damaged are told apart as FAST 18 asks`() throws {
    let batches = Self.tenBatches()
    let whole = try MemoryFileSystem.log(batches)
    let last = try #require(whole.bytes(whole.path(9)))
    let second = 96 + batches[8].bytes.count
    let zeroTail = last[..<second] + [UInt8](repeating: 0, count: 4096)
    func flipped(_ position: Int) -> [UInt8] {
      var bytes = last
      bytes[position] ^= 0x10
      return bytes
    }
    let table: [(String, [UInt8], knownDurable: UInt64, Verdict)] = [
      ("a file without a byte", [], 8, .torn(batchesLeft: 8)),
      ("half a file header", Array(last[..<50]), 8, .torn(batchesLeft: 8)),
      ("a file header alone", Array(last[..<96]), 8, .torn(batchesLeft: 8)),
      ("a file header alone, known durable", Array(last[..<96]), 9, .damaged(index: 9)),
      ("half a last batch", Array(last[..<(second + 40)]), 9, .torn(batchesLeft: 9)),
      ("half a last batch, known durable", Array(last[..<(second + 40)]), 10, .damaged(index: 10)),
      ("zeros at the tail", Array(zeroTail), 9, .torn(batchesLeft: 9)),
      ("zeros only", [UInt8](repeating: 0, count: 4096), 8, .torn(batchesLeft: 8)),
      ("noise in the last batch", flipped(last.count - 9), 9, .torn(batchesLeft: 9)),
      ("noise in the last batch, known durable", flipped(last.count - 9), 10, .damaged(index: 10)),
      ("noise in its header", flipped(second + 30), 9, .torn(batchesLeft: 9)),
      ("noise before a whole batch", flipped(second - 9), 0, .damaged(index: 9)),
      ("noise in a header before a whole batch", flipped(130), 0, .damaged(index: 9)),
      ("noise in a file header before a whole batch", flipped(40), 0, .damaged(index: 9)),
    ]
    for (name, bytes, knownDurable, verdict) in table {
      let system = try MemoryFileSystem.log(batches)
      system.put(system.path(9), bytes)
      var left: Int?
      let error = logError {
        left = try system.recover(RecoveryOptions(knownDurable: LogIndex(knownDurable)))
          .batches.count
      }
      switch verdict {
      case .torn(let expected):
        #expect(left == expected, "\(name): \(String(describing: error))")
      case .damaged(let expected):
        switch error {
        case .damaged(_, _, let index, _, _):
          #expect(index == LogIndex(expected), "\(name)")
        case .lost(let last, _):
          #expect(last.next == LogIndex(expected), "\(name)")
        default:
          Issue.record("\(name): \(String(describing: error))")
        }
        #expect(system.bytes(system.path(9)) == bytes, "\(name): nothing may be cut")
      }
    }
  }

  @Test func `a segment that is not the last, or sealed, is never torn`() throws {
    let batches = Self.tenBatches()
    for sealing in [false, true] {
      let system = try MemoryFileSystem.log(batches, sealing: sealing)
      var bytes = try #require(system.bytes(system.path(5)))
      bytes[96 + batches[4].bytes.count + 60] ^= 1
      system.put(system.path(5), bytes)
      let error = logError { _ = try system.recover() }
      guard case .damaged(let segment, let offset, let index, _, let proof) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(segment == SegmentID(LogIndex(5)) && index == LogIndex(6))
      #expect(offset == UInt64(96 + batches[4].bytes.count))
      #expect(proof == (sealing ? .sealed : .laterSegment))
    }
  }

  @Test func `a torn footer is cut at every length and written again`() throws {
    let batches = Self.tenBatches()
    let whole = try MemoryFileSystem.log(batches, sealing: true)
    let bytes = try #require(whole.bytes(whole.path(5)))
    let data = 96 + batches[4..<8].reduce(0) { $0 + $1.bytes.count }
    for length in data..<bytes.count {
      let system = try MemoryFileSystem.log(batches, sealing: true)
      system.put(system.path(5), Array(bytes[..<length]))
      var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
      #expect(store.recoveryReport.cuts.allSatisfy { $0.kind == .footer })
      #expect(store.unsealedSegments.map(\.id.firstIndex) == [LogIndex(5)])
      try store.sealAll()
      #expect(system.bytes(system.path(5)) == bytes, "length \(length)")
    }
  }

  @Test func `what does not belong together is refused by name`() throws {
    let batches = Self.tenBatches()
    let missing = try MemoryFileSystem.log(batches)
    try missing.remove(missing.path(5))
    #expect(
      logError { _ = try missing.recover() }.map { "\($0)" }?.hasPrefix("missingSegment") == true)
    let first = try MemoryFileSystem.log(batches)
    try first.remove(first.path(1))
    guard case .missingSegment = logError({ _ = try first.recover() }) else {
      Issue.record("a log must begin at 1")
      return
    }
    #expect(try first.recover(RecoveryOptions(mayBeginLater: true)).batches.count == 6)
    let other = try MemoryFileSystem.log(batches)
    let error = logError {
      let stranger = ClusterID(name: "x")
      _ = try MemoryStore.open(other, directory: directory, clusterID: stranger) { _ in }
    }
    guard case .wrongCluster = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    // A segment of another history: the same indices, other records.
    var rewritten = SampleLeader()
    let changed = [rewritten.batch(Array("changed".utf8))] + rewritten.batches(3)
    let system = try MemoryFileSystem.log(batches)
    let replaced = try #require(try MemoryFileSystem.log(changed).bytes(system.path(1)))
    system.put(system.path(1), replaced)
    guard case .brokenSegmentChain(let id) = logError({ _ = try system.recover() }) else {
      Issue.record("a chain that breaks between segments")
      return
    }
    #expect(id == SegmentID(LogIndex(5)))
  }

  @Test func `a visitor that throws stops the replay and changes nothing`() throws {
    struct Stop: Error {}
    let system = try MemoryFileSystem.log(Self.tenBatches())
    let error = logError {
      _ = try MemoryStore.open(system, directory: directory, clusterID: cluster) {
        if $0.index == LogIndex(3) { throw Stop() }
      }
    }
    guard case .stopped(let index, let cause) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(cause is Stop && index == LogIndex(3))
  }
}

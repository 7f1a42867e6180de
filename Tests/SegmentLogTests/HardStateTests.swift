import Bytes
import SegmentLog
import Testing

@Suite struct HardStateTests {
  private let path = directory + "/hardstate"

  private func state(_ term: UInt64) -> HardState {
    HardState(term: Term(term), vote: NodeID(UInt16(term % 3 + 1)), knownDurable: LogIndex(term))
  }

  private func opened(
    _ system: MemoryFileSystem, logIsEmpty: Bool = false
  ) throws -> HardState {
    try HardStateFile(
      system, directory: directory, clusterID: cluster, logIsEmpty: logIsEmpty
    ).state
  }

  private func written(_ terms: ClosedRange<UInt64>) throws -> MemoryFileSystem {
    let system = MemoryFileSystem()
    var file = try HardStateFile(
      system, directory: directory, clusterID: cluster, logIsEmpty: true)
    let first = file.state
    #expect(first == HardState())
    for term in terms { try file.write(state(term)) }
    return system
  }

  @Test func `the newest state is read`() throws {
    for count in 1...5 as ClosedRange<UInt64> {
      #expect(try opened(try written(1...count)) == state(count))
    }
  }

  @Test func `one rotten byte anywhere leaves the newest state`() throws {
    let system = try written(1...4)
    let bytes = try #require(system.bytes(path))
    #expect(bytes.count == 3 * 4096 + 512)
    for start in stride(from: 0, to: bytes.count, by: 4096) {
      var mended = 0
      for position in start..<start + 512 {
        var rotten = bytes
        rotten[position] ^= 4
        let other = MemoryFileSystem()
        other.put(path, rotten)
        let file = try HardStateFile(
          other, directory: directory, clusterID: cluster, logIsEmpty: false)
        let (found, hadTornSlot) = (file.state, file.hadTornSlot)
        #expect(found == state(4) && !hadTornSlot, "byte \(position)")
        mended += file.mendedCopyCount
        // The other copy may rot now.
        var again = try #require(other.bytes(path))
        again.replaceSubrange(
          start..<start + 512, with: bytes[start..<start + 512].map { $0 ^ 1 })
        other.put(path, again)
        #expect(try opened(other) == state(4), "byte \(position)")
      }
      // States 0 to 4 are counted 1 to 5: the newest is in slot 1.
      #expect(mended == (start >= 8192 ? 512 : 0))
    }
  }

  @Test func `a slot without a whole copy gives the state before it`() throws {
    let system = try written(1...4)
    var bytes = try #require(system.bytes(path))
    bytes[8_192 + 77] ^= 1
    bytes[12_288 + 401] ^= 1
    system.put(path, bytes)
    let file = try HardStateFile(
      system, directory: directory, clusterID: cluster, logIsEmpty: false)
    let (found, hadTornSlot) = (file.state, file.hadTornSlot)
    #expect(found == state(3) && hadTornSlot)
  }

  @Test func `a disk that cannot read the newest state is not taken for a torn write`() throws {
    let system = try written(1...4)
    system.spoil(path, 8_200..<8_300)
    #expect(try opened(system) == state(4))
    let other = try written(1...4)
    other.spoil(path, 8_200..<12_300)
    guard case .file = logError({ _ = try opened(other) }) else {
      Issue.record("the state before was taken")
      return
    }
  }

  @Test func `a state read is durable before it is used`() throws {
    // Written, but not synced when the process ended: the next one sees it.
    let system = try written(1...4)
    var file = try HardStateFile(
      system, directory: directory, clusterID: cluster, logIsEmpty: false)
    system.fail(after: 2)
    guard case .file = logError({ try file.write(state(5)) }) else {
      Issue.record("the sync must fail")
      return
    }
    system.fail(after: nil)
    #expect(try opened(system) == state(5))
    for seed in 0..<20 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      #expect(try opened(system.crashed(.sectors, using: &random)) == state(5), "seed \(seed)")
    }
  }

  @Test(arguments: 0...5)
  func `a start that failed leaves no file whose name a crash takes`(operations: Int) throws {
    for seed in 0..<20 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let system = MemoryFileSystem()
      system.fail(after: operations)
      _ = logError { _ = try opened(system, logIsEmpty: true) }
      system.fail(after: nil)
      var file = try HardStateFile(
        system, directory: directory, clusterID: cluster, logIsEmpty: true)
      try file.write(state(1))
      #expect(try opened(system.crashed(.sectors, using: &random)) == state(1), "seed \(seed)")
    }
  }

  @Test func `a suspect tail is remembered`() throws {
    let system = try written(1...2)
    var file = try HardStateFile(
      system, directory: directory, clusterID: cluster, logIsEmpty: false)
    var state = file.state
    state.isTailSuspect = true
    try file.write(state)
    #expect(try opened(system).isTailSuspect)
  }

  @Test func `a crash in a write leaves the state before or after it`() throws {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let system = try written(1...6)
      var file = try HardStateFile(
        system, directory: directory, clusterID: cluster, logIsEmpty: false)
      system.fail(after: Int.random(in: 0...3, using: &random))
      let error = logError { try file.write(state(7)) }
      let found = try opened(system.crashed(.sectors, using: &random))
      #expect(found == state(7) || (error != nil && found == state(6)), "seed \(seed)")
    }
  }

  @Test func `a state that is lost is not taken for a new node`() throws {
    let system = try written(1...2)
    system.put(path, [UInt8](repeating: 0, count: 12_800))
    guard case .hardStateDamaged = logError({ _ = try opened(system) }) else {
      Issue.record("both slots are gone")
      return
    }
    try system.remove(path)
    guard case .hardStateMissing = logError({ _ = try opened(system) }) else {
      Issue.record("the file is gone")
      return
    }
    #expect(try opened(system, logIsEmpty: true) == HardState())
    let error = logError {
      _ = try HardStateFile(
        system, directory: directory, clusterID: ClusterID(name: "other"), logIsEmpty: true)
    }
    guard case .hardStateOfOtherCluster = error else {
      Issue.record("another cluster's state")
      return
    }
  }
}

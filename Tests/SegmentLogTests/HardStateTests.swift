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

  @Test func `a torn slot gives the state before it, whatever byte is wrong`() throws {
    let system = try written(1...4)
    let bytes = try #require(system.bytes(path))
    #expect(bytes.count == 1024)
    // States 0 to 4 are counted 1 to 5: the newest is in slot 1.
    for position in 512..<1024 {
      var torn = bytes
      torn[position] ^= 4
      system.put(path, torn)
      let file = try HardStateFile(
        system, directory: directory, clusterID: cluster, logIsEmpty: false)
      let (found, hadTornSlot) = (file.state, file.hadTornSlot)
      #expect(found == state(3), "byte \(position)")
      #expect(hadTornSlot)
    }
  }

  @Test func `a crash in a write leaves the state before or after it`() throws {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let system = try written(1...6)
      var file = try HardStateFile(
        system, directory: directory, clusterID: cluster, logIsEmpty: false)
      system.fail(after: Int.random(in: 0...2, using: &random))
      let error = logError { try file.write(state(7)) }
      let found = try opened(system.crashed(.sectors, using: &random))
      #expect(found == state(7) || (error != nil && found == state(6)), "seed \(seed)")
    }
  }

  @Test func `a state that is lost is not taken for a new node`() throws {
    let system = try written(1...2)
    system.put(path, [UInt8](repeating: 0, count: 1024))
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

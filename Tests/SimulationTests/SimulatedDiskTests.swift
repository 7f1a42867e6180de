import Bytes
import SegmentLog
import Simulation
import Testing

/// What a crash leaves, and what a faulty disk does.
@Suite struct SimulatedDiskTests {
  private func write(_ text: String, to file: SimulatedFile, at offset: UInt64 = 0) throws {
    try file.write(Array(text.utf8).span.bytes, at: offset)
  }

  private func disk(seed: UInt64 = 1) throws -> (SimulatedDisk, SimulatedFile) {
    let disk = SimulatedDisk(seed: seed)
    let file = try disk.open("data/a", .create)
    try disk.syncDirectory("data")
    return (disk, file)
  }

  @Test func `what was synced survives, whatever follows`() throws {
    for seed in 1...50 as ClosedRange<UInt64> {
      let (disk, file) = try disk(seed: seed)
      try write("durable", to: file)
      try file.sync()
      try write("more", to: file, at: 7)
      disk.losePower(isOrdered: seed % 2 == 0)
      let left = try #require(disk.bytes("data/a"), "seed \(seed)")
      #expect(left.starts(with: Array("durable".utf8)), "seed \(seed)")
    }
  }

  @Test func `what was not synced is lost, kept or kept in part`() throws {
    var lengths: Set<Int> = []
    for seed in 1...100 as ClosedRange<UInt64> {
      let (disk, file) = try disk(seed: seed)
      try write("0123456789", to: file)
      disk.losePower(isOrdered: true)
      let left = try #require(disk.bytes("data/a"))
      #expect("0123456789".utf8.starts(with: left))
      lengths.insert(left.count)
    }
    #expect(lengths.isSuperset(of: [0, 10]) && lengths.count > 4)
  }

  @Test func `a torn write leaves whole sectors of the file`() throws {
    var patterns: Set<[Bool]> = []
    for seed in 1...200 as ClosedRange<UInt64> {
      let (disk, file) = try disk(seed: seed)
      try file.write([UInt8](repeating: 0, count: 2048).span.bytes, at: 0)
      try file.sync()
      try file.write([UInt8](repeating: 7, count: 1536).span.bytes, at: 256)
      disk.losePower(isOrdered: true)
      let left = try #require(disk.bytes("data/a"))
      // The middle of each sector tells whether it was written; no sector may be mixed.
      let ranges = [256..<512, 512..<1024, 1024..<1536, 1536..<1792]
      if ranges.allSatisfy({ Set(left[$0]).count == 1 }) {
        patterns.insert(ranges.map { left[$0.lowerBound] == 7 })
      }
    }
    #expect(patterns.contains { $0[0] == false && $0.contains(true) }, "a later sector alone")
  }

  @Test func `writes out of order can keep the second and lose the first`() throws {
    func survivors(isOrdered: Bool) throws -> Set<[UInt8]> {
      var found: Set<[UInt8]> = []
      for seed in 1...200 as ClosedRange<UInt64> {
        let (disk, file) = try disk(seed: seed)
        try write("A", to: file)
        try write("B", to: file, at: 1)
        disk.losePower(isOrdered: isOrdered)
        found.insert(try #require(disk.bytes("data/a")))
      }
      return found
    }
    #expect(try !survivors(isOrdered: true).contains([0, 66]))
    #expect(try survivors(isOrdered: false).contains([0, 66]))
  }

  @Test func `a killed process leaves everything, the machine's crash after it does not`() throws {
    var isLost = false
    for seed in 1...50 as ClosedRange<UInt64> {
      let (disk, file) = try disk(seed: seed)
      try write("kept", to: file)
      let again = try disk.open("data/a", .read)
      #expect(try again.read(at: 0, count: 10) == Array("kept".utf8))
      disk.losePower(isOrdered: true)
      isLost = isLost || disk.bytes("data/a") == []
    }
    #expect(isLost)
  }

  @Test func `a name is durable only after its directory was synced`() throws {
    var outcomes: Set<Bool> = []
    for seed in 1...50 as ClosedRange<UInt64> {
      let (disk, _) = try disk(seed: seed)
      let file = try disk.open("data/b", .create)
      try write("x", to: file)
      try file.sync()
      disk.losePower(isOrdered: true)
      outcomes.insert(disk.bytes("data/b") != nil)
      #expect(disk.bytes("data/a") != nil)
    }
    #expect(outcomes == [true, false])
  }

  @Test func `each directory's names are durable by its own sync`() throws {
    var outcomes: Set<[Bool]> = []
    for seed in 1...100 as ClosedRange<UInt64> {
      let (disk, _) = try disk(seed: seed)
      _ = try disk.open("data/b", .create)
      try disk.rename("data/b", to: "data/c")
      _ = try disk.open("data/other/d", .create)
      try disk.syncDirectory("data/other")
      disk.losePower(isOrdered: true)
      #expect(disk.bytes("data/a") != nil && disk.bytes("data/other/d") != nil)
      outcomes.insert([disk.bytes("data/b") != nil, disk.bytes("data/c") != nil])
    }
    #expect(outcomes == [[false, false], [true, false], [false, true]])
  }

  @Test func `a failed sync is told, and what it was for is in doubt`() throws {
    var outcomes: Set<[UInt8]> = []
    for seed in 1...50 as ClosedRange<UInt64> {
      let (disk, file) = try disk(seed: seed)
      try write("x", to: file)
      disk.faults.failsNextSync = true
      #expect(throws: FileError.self) { try file.sync() }
      outcomes.insert(try #require(disk.bytes("data/a")))
      try file.sync()
    }
    #expect(outcomes == [[], [120]])
  }

  @Test func `a full disk takes no bytes and no files, and gives what it has`() throws {
    let (disk, file) = try disk()
    try write("x", to: file)
    disk.faults.isFull = true
    #expect(throws: FileError.self) { try write("y", to: file, at: 1) }
    #expect(throws: FileError.self) { _ = try disk.open("data/b", .create) }
    #expect(try file.read(at: 0, count: 10) == [120])
  }

  @Test func `power that goes in the middle fails every operation after it`() throws {
    let (disk, file) = try disk()
    disk.cutPower(afterOperations: 1)
    try write("x", to: file)
    #expect(throws: FileError.self) { try write("y", to: file, at: 1) }
    #expect(throws: FileError.self) { try file.sync() }
    disk.powerOn()
    try write("z", to: file, at: 1)
    #expect(disk.bytes("data/a") == Array("xz".utf8))
  }
}

// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import Evidence
import Glibc
import HostFiles
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog
import Synchronization
import Testing

@Suite struct SnapshotBuilderTests {
  private func order(_ batches: [Batch], _ count: Int) throws -> SnapshotOrder {
    let digest = try recovered(Array(batches.prefix(count))).ledgerDigest
    return SnapshotOrder(through: LogIndex(UInt64(count)), ledgerDigest: digest)
  }

  @Test func `built one on the other, snapshots are what the whole log gives`() throws {
    let node = try SampleNode(sampleLog(40, every: 6, seed: 31))
    let builder = try node.builder()
    for count in [6, 17, 30, 40] {
      let report = try builder.build(order(node.batches, count), seed: 5)
      #expect(report.notes.isEmpty && report.written?.id.applied == LogIndex(UInt64(count)))
      let built = try node.snapshots.load(SnapshotID(LogIndex(UInt64(count))))
        .recovery(configuration(), knownCommitted: .zero)
      #expect(built.image() == (try recovered(Array(node.batches.prefix(count)))).image())
    }
    #expect(try builder.build(order(node.batches, 40), seed: 5).written == nil)
  }

  @Test func `a ledger that has come to something else is told, and nothing written`() throws {
    let node = try SampleNode(sampleLog(20, every: 6, seed: 32))
    let builder = try node.builder()
    let order = SnapshotOrder(through: LogIndex(12), ledgerDigest: .zero)
    do throws(SnapshotProblem) {
      _ = try builder.build(order, seed: 5)
      Issue.record("a snapshot of a ledger that the node does not have")
    } catch { #expect(error == .diverged(at: LogIndex(12))) }
    #expect(node.snapshots.ids().isEmpty)
  }

  @Test func `a damaged or foreign snapshot is no ground to build on`() throws {
    let node = try SampleNode(sampleLog(30, every: 6, seed: 33))
    let stranger = try SampleNode(sampleLog(30, every: 6, seed: 34))
    try stranger.snapshot(10)
    try node.snapshot(14)
    let id = SnapshotID(LogIndex(10))
    writeBytes(readBytes(stranger.path(id)), to: node.path(id))
    let newer = node.path(SnapshotID(LogIndex(14)))
    writeBytes(readBytes(newer).dropLast(), to: newer)
    let report = try node.builder().build(order(node.batches, 25), seed: 5)
    #expect(report.notes.count == 2 && report.notes[0].id == SnapshotID(LogIndex(14)))
    #expect(report.notes[1].problem == .otherHistory(at: LogIndex(10)))
    #expect(report.written?.id == SnapshotID(LogIndex(25)))
  }

  @Test func `a damaged snapshot of the very place is written again`() throws {
    let node = try SampleNode(sampleLog(20, every: 6, seed: 37))
    try node.snapshot(12)
    let path = node.path(SnapshotID(LogIndex(12)))
    let whole = readBytes(path)
    writeBytes(whole.dropLast(), to: path)
    let report = try node.builder().build(order(node.batches, 12), seed: 5)
    #expect(report.notes.count == 1 && report.written?.id == SnapshotID(LogIndex(12)))
    #expect(readBytes(path) == whole)
  }

  @Test func `an error at any file operation leaves the older snapshot and no wrong one`() throws {
    let node = try SampleNode(sampleLog(30, every: 6, seed: 35))
    try node.snapshot(10)
    try node.snapshot(14)
    let ledger = try recovered(Array(node.batches.prefix(20)))
    var failures = 0
    while true {
      let files = FailingFiles(after: failures)
      let snapshots = SnapshotDirectory(
        files, dataDirectory: node.directory.path, clusterID: cluster)
      guard (try? snapshots.write(ledger)) == nil else { break }
      failures += 1
      let newest = node.snapshots.newest { note in Issue.record("\(failures): \(note)") }
      guard let newest else {
        Issue.record("after \(failures) operations nothing is left")
        return
      }
      let applied = newest.recovery(configuration(), knownCommitted: .zero).applied.index
      #expect([14, 20].contains(applied.rawValue), "after \(failures) operations")
      // What an error after the rename left is a whole snapshot; take it away to try the rest.
      try? PosixFileSystem().remove(node.path(SnapshotID(LogIndex(20))))
      #expect(node.snapshots.ids().first?.applied == LogIndex(14))
    }
    #expect(failures >= 10)
    #expect(node.snapshots.ids().map(\.applied.rawValue) == [20, 14])
    let names = try PosixFileSystem().list(node.directory.path + "/snapshots")
    #expect(names.count == 2)
  }

  @Test func `a half written file of a crash is removed by the next snapshot`() throws {
    let node = try SampleNode(sampleLog(10, every: 6, seed: 36))
    try node.snapshot(4)
    let partial = node.path(SnapshotID(LogIndex(8))) + ".partial"
    writeBytes([1, 2, 3], to: partial)
    #expect(node.snapshots.ids().map(\.applied.rawValue) == [4])
    try node.snapshot(8)
    let names = try PosixFileSystem().list(node.directory.path + "/snapshots")
    #expect(names == ["00000000000000000004.snapshot", "00000000000000000008.snapshot"])
  }
}

@Suite struct SnapshotScheduleTests {
  private func seal(_ index: UInt64, _ sequence: UInt64) -> SegmentSeal {
    SegmentSeal(
      segment: LogIndex(1), last: EntryID(index: LogIndex(index), term: Term(1)),
      lastSequence: EventSequence(sequence),
      evidence: SegmentEvidence(
        ledgerBefore: .zero, ledgerAfter: .zero, tree: EventTree().segment))
  }

  private func written(_ index: UInt64, _ sequence: UInt64) -> WrittenSnapshot {
    WrittenSnapshot(
      id: SnapshotID(LogIndex(index)), byteCount: 1, lastSequence: EventSequence(sequence))
  }

  @Test func `one snapshot at a time, when enough has come since the last`() {
    var schedule = SnapshotSchedule(eventsMin: 100, lastSequence: .zero)
    #expect(schedule.sealed(seal(5, 99)) == nil)
    #expect(schedule.sealed(seal(6, 100))?.through == LogIndex(6))
    #expect(schedule.sealed(seal(7, 900)) == nil)
    schedule.built(written(6, 100))
    #expect(schedule.sealed(seal(8, 199)) == nil)
    #expect(schedule.sealed(seal(9, 200))?.through == LogIndex(9))
    schedule.built(nil)
    #expect(schedule.sealed(seal(10, 205))?.through == LogIndex(10))
  }

  @Test func `a large ledger is written again only after it has grown by an eighth`() {
    var schedule = SnapshotSchedule(eventsMin: 100, lastSequence: EventSequence(80_000))
    #expect(schedule.sealed(seal(5, 89_999)) == nil)
    #expect(schedule.sealed(seal(6, 90_000)) != nil)
  }

  @Test func `a stop takes one when it saves enough, and zero means never`() {
    var schedule = SnapshotSchedule(eventsMin: 100, lastSequence: EventSequence(50))
    #expect(
      schedule.stopping(through: LogIndex(3), EventSequence(59), ledgerDigest: .zero) == nil)
    #expect(
      schedule.stopping(through: LogIndex(3), EventSequence(60), ledgerDigest: .zero)?.through
        == LogIndex(3))
    var never = SnapshotSchedule(eventsMin: 0, lastSequence: .zero)
    #expect(never.sealed(seal(5, 99_999)) == nil)
    #expect(never.stopping(through: LogIndex(3), EventSequence(60), ledgerDigest: .zero) == nil)
  }
}

/// The host's files, until so many operations that change something have succeeded; then errors.
private final class FailingFiles: LogFileSystem {
  private let files = PosixFileSystem()
  let left: Mutex<Int>

  init(after count: Int) { left = Mutex(count) }

  func spend(_ operation: FileOperation, _ path: String) throws(FileError) {
    let isSpent = left.withLock { left in
      left -= 1
      return left < 0
    }
    if isSpent { throw FileError(operation: operation, path: path, errno: EIO) }
  }

  func createDirectory(_ path: String) throws(FileError) {
    try spend(.createDirectory, path)
    try files.createDirectory(path)
  }
  func list(_ directory: String) throws(FileError) -> [String] { try files.list(directory) }
  func open(_ path: String, _ mode: FileMode) throws(FileError) -> FailingFile {
    if mode != .read { try spend(.open, path) }
    return FailingFile(self, try files.open(path, mode))
  }
  func map(_ path: String) throws(FileError) -> MappedBytes { try files.map(path) }
  func remove(_ path: String) throws(FileError) {
    try spend(.remove, path)
    try files.remove(path)
  }
  func rename(_ path: String, to newPath: String) throws(FileError) {
    try spend(.rename, path)
    try files.rename(path, to: newPath)
  }
  func syncDirectory(_ directory: String) throws(FileError) {
    try spend(.syncDirectory, directory)
    try files.syncDirectory(directory)
  }
}

private final class FailingFile: LogFile {
  private let system: FailingFiles
  private let file: PosixFile

  init(_ system: FailingFiles, _ file: PosixFile) {
    self.system = system
    self.file = file
  }

  func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int { try file.read(at: offset, into: buffer) }
  func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
    try system.spend(.write, "")
    try file.write(bytes, at: offset)
  }
  func size() throws(FileError) -> UInt64 { try file.size() }
  func sync() throws(FileError) {
    try system.spend(.sync, "")
    try file.sync()
  }
  func truncate(to byteCount: UInt64) throws(FileError) { try file.truncate(to: byteCount) }
  func preallocate(_ byteCount: UInt64) throws(FileError) { try file.preallocate(byteCount) }
}

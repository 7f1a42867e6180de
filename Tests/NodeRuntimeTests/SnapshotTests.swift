// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry
import Bytes
import HostFiles
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog
import Testing

@Suite struct SnapshotTests {
  @Test func `a snapshot and the rest of the log give what the whole log gives`() throws {
    let batches = sampleLog(40, every: 6, seed: 11)
    let whole = try recovered(batches)
    let image = whole.image()
    let seals = whole.seals
    for count in 1...batches.count {
      let node = try SampleNode(batches)
      let written = try node.snapshot(count)
      #expect(written?.lastSequence == batches[count - 1].header.lastSequence)
      var recovery = try node.snapshots.load(SnapshotID(LogIndex(UInt64(count))))
        .recovery(configuration(), knownCommitted: LogIndex(40))
      // Readers may begin at the start of the log, or behind the snapshot.
      for batch in count.isMultiple(of: 2) ? batches[...] : batches[count...] {
        try recovery.restore(batch)
      }
      #expect(recovery.image() == image, "after batch \(count)")
      #expect(recovery.seals == Array(seals.suffix(recovery.seals.count)))
      #expect(recovery.seals.count == seals.count { $0.last.index >= LogIndex(UInt64(count)) })
    }
  }

  @Test func `a restart begins at the newest snapshot and comes to the same state`() throws {
    let node = try SampleNode(sampleLog(60, every: 5, seed: 12))
    var plain = try node.recover()
    #expect(plain.snapshot == nil && plain.report.trustedCount == 0)
    let replayed = plain.takeReplica()
    let digest = replayed.state.ledger.digest
    #expect(replayed.raft.memberships.current.index > .zero)
    for count in [20, 33, 47] { try node.snapshot(count) }
    #expect(node.snapshots.ids().map(\.applied.rawValue) == [47, 33])
    var quick = try node.recover()
    #expect(quick.snapshot == SnapshotID(LogIndex(47)) && quick.snapshotNotes.isEmpty)
    #expect(quick.report.trustedCount == 9)
    #expect(quick.applied == plain.applied)
    let replica = quick.takeReplica()
    #expect(replica.state.ledger.digest == digest)
    #expect(replica.raft.memberships.current == replayed.raft.memberships.current)
    #expect(replica.raft.last == EntryID(index: LogIndex(60), term: node.batches[59].term))
  }

  @Test func `a snapshot of the log's very end is enough to go on`() throws {
    let node = try SampleNode(sampleLog(20, every: 5, seed: 13))
    try node.snapshot(20)
    var quick = try node.recover()
    #expect(quick.snapshot == SnapshotID(LogIndex(20)))
    #expect(quick.applied == EntryID(index: LogIndex(20), term: node.batches[19].term))
    // The next batch chains to what the snapshot holds: append it through a whole recovery.
    let longer = sampleLog(21, every: 5, seed: 13)
    #expect(longer[19].header.hash == node.batches[19].header.hash)
    var recovery = try node.snapshots.load(SnapshotID(LogIndex(20)))
      .recovery(configuration(), knownCommitted: LogIndex(21))
    try recovery.restore(longer[20])
    #expect(recovery.image() == (try recovered(longer)).image())
    _ = quick.takeReplica()
  }

  @Test func `every byte that is not what was written is refused`() throws {
    let node = try SampleNode(sampleLog(12, every: 4, seed: 14, payments: 3))
    try node.snapshot(9)
    let id = SnapshotID(LogIndex(9))
    let bytes = readBytes(node.path(id))
    for offset in bytes.indices {
      var others = bytes
      others[offset] ^= UInt8(1 << (offset % 8))
      writeBytes(others, to: node.path(id))
      if (try? node.snapshots.load(id)) != nil { Issue.record("byte \(offset) does not matter") }
    }
  }

  @Test func `a file of any other length is refused`() throws {
    let node = try SampleNode(sampleLog(6, every: 4, seed: 15, payments: 2))
    try node.snapshot(6)
    let id = SnapshotID(LogIndex(6))
    let bytes = readBytes(node.path(id))
    for count in 0..<bytes.count {
      writeBytes(Array(bytes.prefix(count)), to: node.path(id))
      if (try? node.snapshots.load(id)) != nil { Issue.record("\(count) bytes are enough") }
    }
    writeBytes(bytes + [0], to: node.path(id))
    #expect((try? node.snapshots.load(id)) == nil)
  }

  @Test func `the next older snapshot, or the whole log, stands in for a damaged one`() throws {
    let node = try SampleNode(sampleLog(40, every: 5, seed: 16))
    var plain = try node.recover()
    let digest = plain.takeReplica().state.ledger.digest
    try node.snapshot(20)
    try node.snapshot(30)
    for (number, left) in [(30, SnapshotID(LogIndex(20))), (20, nil)] as [(UInt64, SnapshotID?)] {
      let path = node.path(SnapshotID(LogIndex(number)))
      var bytes = readBytes(path)
      bytes[bytes.count / 2] ^= 0x10
      writeBytes(bytes, to: path)
      var recovered = try node.recover()
      #expect(recovered.snapshot == left)
      #expect(recovered.snapshotNotes.first?.id.applied == LogIndex(30))
      #expect(recovered.snapshotNotes.count == (left == nil ? 2 : 1))
      #expect(recovered.takeReplica().state.ledger.digest == digest)
    }
  }

  /// A frame whose lengths lie and whose digest is right: a digest is no signature.
  @Test func `lengths that the file does not have are refused though their digest is right`()
    throws
  {
    let node = try SampleNode(sampleLog(8, every: 4, seed: 17, payments: 2))
    try node.snapshot(8)
    let id = SnapshotID(LogIndex(8))
    let bytes = readBytes(node.path(id))
    let trailer = bytes.count - 64
    let index = Int(word(trailer, of: bytes))
    let places =
      [trailer, trailer + 8] + stride(from: index, to: trailer, by: 40).flatMap { [$0, $0 + 4] }
    for place in places {
      for value: UInt32 in [0, 1, 0x7fff_ffff, 0xffff_ffff, 1 << 20, 1 << 21] {
        var others = bytes
        var writer = ByteWriter()
        writer.integer(value)
        others.replaceSubrange(place..<place + 4, with: writer.bytes)
        guard others != bytes else { continue }
        others.replaceSubrange(
          bytes.count - 32..<bytes.count, with: frameDigest(others, indexOffset: index))
        writeBytes(others, to: node.path(id))
        if (try? node.snapshots.load(id)) != nil { Issue.record("\(value) at \(place)") }
      }
    }
  }

  private func word(_ offset: Int, of bytes: [UInt8]) -> UInt64 {
    bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func frameDigest(_ bytes: [UInt8], indexOffset: Int) -> [UInt8] {
    let covered = Array(bytes[..<64] + bytes[indexOffset..<bytes.count - 32])
    return Digest256Hasher.digest(covered.span.bytes).bytes
  }

  @Test func `another cluster's, a renamed, and a newer version's snapshot are refused`() throws {
    let node = try SampleNode(sampleLog(8, every: 4, seed: 18))
    try node.snapshot(8)
    let id = SnapshotID(LogIndex(8))
    let other = SnapshotDirectory(
      PosixFileSystem(), dataDirectory: node.directory.path, clusterID: ClusterID(name: "other"))
    #expect(problem { _ = try other.load(id) } == .otherCluster)
    let bytes = readBytes(node.path(id))
    writeBytes(bytes, to: node.path(SnapshotID(LogIndex(7))))
    #expect(
      problem { _ = try node.snapshots.load(SnapshotID(LogIndex(7))) }
        == .misnamed(found: LogIndex(8)))
    var newer = bytes
    newer[8] = 2
    let index = Int(word(bytes.count - 64, of: bytes))
    newer.replaceSubrange(
      bytes.count - 32..<bytes.count, with: frameDigest(newer, indexOffset: index))
    writeBytes(newer, to: node.path(id))
    #expect(problem { _ = try node.snapshots.load(id) } == .unsupportedVersion(2))
  }

  private func problem(_ body: () throws -> Void) -> SnapshotProblem? {
    do {
      try body()
      return nil
    } catch { return error as? SnapshotProblem }
  }

  @Test func `a snapshot of another history is passed over and the log replayed`() throws {
    let node = try SampleNode(sampleLog(30, every: 5, seed: 19))
    let stranger = try SampleNode(sampleLog(30, every: 5, seed: 20))
    for count in [12, 15] {
      try stranger.snapshot(count)
      let id = SnapshotID(LogIndex(UInt64(count)))
      try PosixFileSystem().createDirectory(node.directory.path + "/snapshots")
      writeBytes(readBytes(stranger.path(id)), to: node.path(id))
    }
    var recovered = try node.recover()
    #expect(recovered.snapshot == nil)
    #expect(
      recovered.snapshotNotes.map(\.problem) == [
        .otherHistory(at: LogIndex(15)), .otherHistory(at: LogIndex(12)),
      ])
    #expect(
      recovered.takeReplica().state.ledger.digest
        == (try NodeRuntimeTests.recovered(Array(node.batches.prefix(29)))).ledgerDigest)
  }

  @Test func `a log that ends before its snapshot has lost what was durable`() throws {
    let batches = sampleLog(30, every: 5, seed: 21)
    let node = try SampleNode(Array(batches.prefix(20)))
    let whole = try SampleNode(batches)
    try whole.snapshot(25)
    let id = SnapshotID(LogIndex(25))
    try PosixFileSystem().createDirectory(node.directory.path + "/snapshots")
    writeBytes(readBytes(whole.path(id)), to: node.path(id))
    do throws(LogError) {
      _ = try node.recover()
      Issue.record("the node goes on as if nothing were lost")
    } catch {
      guard case .lost(let last, let durable) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(last == LogIndex(20) && durable == LogIndex(25))
    }
    // What is missing is asked of the others, and the node knows that its tail is suspect.
    let repair = try NodeRepair.begin(
      PosixFileSystem(), directory: node.directory.path, configuration: configuration())
    #expect(!repair.stretches.isEmpty)
    let hardState = try HardStateFile(
      PosixFileSystem(), directory: node.directory.path, clusterID: cluster, logIsEmpty: false)
    #expect(hardState.state.isTailSuspect)
  }

  @Test func `a snapshot behind an unsealed segment is passed over, so that it is sealed`() throws {
    let node = try SampleNode(sampleLog(30, every: 5, seed: 22), sealing: false)
    try node.snapshot(12)
    var first = try node.recover()
    #expect(first.snapshot == nil)
    #expect(first.snapshotNotes.map(\.problem) == [.segmentNotSealed(SegmentID(LogIndex(1)))])
    _ = first.takeReplica()
    #expect(try node.recover().snapshot == SnapshotID(LogIndex(12)))
  }

  @Test func `footers that tell of another ledger are refused with and without a snapshot`()
    throws
  {
    let node = try SampleNode(sampleLog(30, every: 5, seed: 23), sealing: false)
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: node.directory.path + "/log", clusterID: cluster,
      recovery: RecoveryOptions(keys: .payments), visiting: { _ in })
    for segment in store.unsealedSegments {
      try store.seal(
        segment: segment.id.firstIndex, ledgerBefore: .zero,
        ledgerAfter: node.batches[0].header.hash)
    }
    for _ in 0..<2 {
      do throws(LogError) {
        _ = try node.recover()
        Issue.record("footers that tell other digests are taken")
      } catch {
        guard case .sealMismatch = error else {
          Issue.record("\(error)")
          return
        }
      }
      try node.snapshot(10)
    }
  }
}

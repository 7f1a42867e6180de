import Audit
import Bytes
import Evidence
import HostFiles
import SegmentLog
import Testing

@Suite struct BackupTests {
  /// A backup of node 1's log up to a checkpoint, from its files.
  private func backup(_ signed: SignedCluster, at index: Int) throws -> String {
    let path = "\(signed.cluster.directory.path)/backup\(index)"
    let backup = try BackupDirectory(making: path, in: PosixFileSystem())
    let log = "\(signed.cluster.data(1))/log"
    for name in try PosixFileSystem().list(log) {
      let id = try #require(SegmentID(fileName: name))
      try backup.write(try fileBytes("\(log)/\(name)"), to: id, at: 0)
    }
    try backup.finish(
      try signed.note(signed.checkpoint(at: index)), policy: signed.policy.description,
      workers: HostThread.concurrently, meter: ProgressMeter())
    return path
  }

  private func restore(
    _ backup: String, _ signed: SignedCluster, number: UInt16 = 1
  ) throws -> RestoredDirectory {
    try RestoredDirectory(
      backup, at: "\(backup)-restored", number: number, policyPath: nil, newStore: 77,
      in: PosixFileSystem(), workers: HostThread.concurrently, meter: ProgressMeter())
  }

  @Test("a log restored from any place goes on", arguments: [3, 8, 9, 24, 40])
  func goesOn(index: Int) throws {
    let signed = try SignedCluster()
    let restored = try restore(try backup(signed, at: index), signed)
    #expect(restored.log.lastIndex == LogIndex(UInt64(index)))
    #expect(restored.log.ledgerDigest == signed.cluster.digests[index - 1])
    let hardState = try HardStateFile(
      PosixFileSystem(), directory: restored.path, clusterID: signed.clusterID, logIsEmpty: false)
    #expect(hardState.state.isTailSuspect && hardState.state.store == 77)
    #expect(hardState.state.knownDurable == LogIndex(UInt64(index)))
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: "\(restored.path)/log", clusterID: signed.clusterID,
      visiting: { _ in })
    // A leader may well go on in the last segment: it must not be sealed, even at its very end.
    let header = signed.cluster.batches[index - 1].header
    var builder = BatchBuilder()
    let next = try builder.build(
      BatchFields(
        startsSegment: false, index: header.index.next, term: header.term,
        firstSequence: header.lastSequence.next, count: 0, commit: header.index,
        stamp: header.stamp,
        correctedMin: header.correctedMin, correctedMax: header.correctedMax,
        hybridMax: header.hybridMax, previousHash: header.hash), records: [])
    try store.append([next])
    try store.sync()
  }

  @Test func `a backup is not made of a log that is not what was signed`() throws {
    let signed = try SignedCluster()
    try setByte(signed.cluster.segment(1, first: 9), 2000, 0x55)
    #expect(throws: BackupProblem.self) { try backup(signed, at: 40) }
    #expect(throws: FileError.self) {
      try PosixFileSystem().list("\(signed.cluster.directory.path)/backup40")
    }
  }

  @Test func `names that lead out of a backup are no names of its files`() throws {
    let signed = try SignedCluster()
    let path = try backup(signed, at: 9)
    let list = "\(path)/\(BackupLayout.listName)"
    let text = String(decoding: try fileBytes(list), as: UTF8.self)
    for name in ["../outside", "log/../../outside", "/etc/passwd", "log/1.lz4"] {
      try PosixFileSystem().remove(list)
      let file = try PosixFileSystem().open(list, .create)
      let line = "\(Digest256.zero.hexadecimal)  \(name)\n"
      try file.write(Array((text + line).utf8).span.bytes, at: 0)
      #expect(throws: BackupProblem.self) { try restore(path, signed) }
    }
  }
}

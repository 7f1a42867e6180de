import Audit
import Bytes
import HostFiles
import SegmentLog
import Testing

private func archived(_ cluster: TestCluster, _ target: String) throws -> ArchiveReport {
  try ArchiveReport(
    cluster.data(1), into: target, level: 12, in: PosixFileSystem(), meter: ProgressMeter())
}

@Test func `an archive is smaller, verifies, and tells the same hashes, trees and ledger`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 40, eventsPerBatch: 200)
  try cluster.write(1, cluster.batches)
  let target = cluster.data(1) + "-archive"
  let report = try archived(cluster, target)
  let sealed = report.segments
  #expect(sealed.count >= 2 && report.liveCount == 1)
  #expect(sealed.allSatisfy { !$0.wasThere && $0.byteCountAfter < $0.byteCountBefore })
  let verified = try VerifyReport([target], in: PosixFileSystem(), meter: ProgressMeter())
  #expect(!verified.hasFault && !verified.hasFailure)
  let last = try #require(verified.nodes[0].log?.lastIndex)
  #expect(verified.nodes[0].log?.ledgerDigest == cluster.digests[Int(last.rawValue) - 1])
  // The chain goes on in the live log.
  #expect(cluster.batches[Int(last.rawValue)].header.startsSegment)

  // Again: all is there, and is read again.
  #expect(try archived(cluster, target).segments.allSatisfy(\.wasThere))
}

@Test func `an archive that was interrupted goes on, and a damaged one or another log's is told`()
  throws
{
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 20, eventsPerBatch: 20)
  try cluster.write(1, cluster.batches)
  let target = cluster.data(1) + "-archive"
  let whole = try archived(cluster, target).segments
  let files = PosixFileSystem()
  let name = try #require(whole.last).id.fileName
  let bytes = try fileBytes(target + "/" + name)

  // Half of a file, under the name that unfinished ones have.
  try files.remove(target + "/" + name)
  let half = try files.open(target + "/" + name + ".mend", .create)
  try half.write(bytes.span.bytes.extracting(0..<bytes.count / 2), at: 0)
  #expect(try archived(cluster, target).segments.map(\.wasThere).last == false)
  #expect(try fileBytes(target + "/" + name) == bytes)
  #expect(try !files.list(target).contains { $0.hasSuffix(".mend") })

  let file = try files.open(target + "/" + name, .update)
  for place in stride(from: 0, to: bytes.count, by: 97) {
    let wrong = [bytes[place] ^ 4]
    try file.write(wrong.span.bytes, at: UInt64(place))
    #expect(throws: AuditError.self, "byte \(place)") { try archived(cluster, target) }
    let right = [bytes[place]]
    try file.write(right.span.bytes, at: UInt64(place))
  }
  #expect(try archived(cluster, target).segments.count == whole.count)

  var other = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try other.build(batchCount: 20, eventsPerBatch: 21)
  try other.write(1, other.batches)
  #expect(throws: AuditError.self) { try archived(other, target) }
}

@Test func `an archive is nobody's own log, and a log without one of its seals is told`() throws {
  var cluster = TestCluster(nodeCount: 2, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 40, eventsPerBatch: 5)
  try cluster.writeAll()
  let files = PosixFileSystem()
  for name in ["lock", "hardstate"] { _ = try files.open("\(cluster.data(2))/\(name)", .create) }
  for target in [cluster.data(2), cluster.data(2) + "/log"] {
    #expect(throws: AuditError.self) { try archived(cluster, target) }
  }
  let first = cluster.segment(1, first: 1)
  let whole = try fileBytes(first)
  let file = try files.open(first, .update)
  try file.truncate(to: UInt64(whole.count - 1))
  #expect(throws: AuditError.self) { try archived(cluster, cluster.data(1) + "-archive") }
  try file.write(whole.span.bytes, at: 0)
  #expect(try archived(cluster, cluster.data(1) + "-archive").segments.count >= 4)
}

import Audit
import Bytes
import Evidence
import HostFiles
import HybridTime
import Ledger
import SegmentLog
import Testing

@Test func `three whole nodes are intact and agree on the ledger's digest`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 20, eventsPerBatch: 5)
  try cluster.writeAll()
  let report = try verify(cluster.all)
  #expect(!report.hasFault && !report.hasFailure && report.divergences.isEmpty)
  #expect(report.nodes.allSatisfy { $0.log?.ledgerDigest == cluster.digests.last })
  #expect(report.nodes.allSatisfy { $0.log?.sealedCount == 2 && $0.log?.segmentCount == 3 })
  #expect(report.eventCount == 300)
}

@Test func `a flipped bit at any byte of a sealed segment is found, and its batch named`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 3, eventsPerBatch: 2, segmentBatchCount: 2)
  try cluster.writeAll()
  let path = cluster.segment(1, first: 1)
  let bytes = try fileBytes(path)
  let secondBatch = 96 + cluster.batches[0].bytes.count
  let footer = secondBatch + cluster.batches[1].bytes.count
  #expect(bytes.count > footer)
  for offset in bytes.indices {
    try setByte(path, offset, bytes[offset] ^ (1 << UInt8(offset % 8)))
    let report = try verify(cluster.all)
    let fault = report.nodes[0].fault
    #expect(report.hasFault, "byte \(offset)")
    #expect(fault?.path == path, "byte \(offset)")
    let frames = [0, 96, secondBatch, footer]
    let expected = frames.last { $0 <= offset }
    #expect(fault?.offset == expected.map { UInt64($0) }, "byte \(offset)")
    try setByte(path, offset, bytes[offset])
  }
  #expect(try !verify(cluster.all).hasFault)
}

@Test func `a node with another history is named with the first index that differs`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: 3)
  try cluster.build(batchCount: 12, eventsPerBatch: 3)
  try cluster.write(1, cluster.batches)
  try cluster.write(2, cluster.batches)
  var other = TestCluster(clocks: TestCluster.plainClocks, seed: 3)
  try other.build(batchCount: 12, eventsPerBatch: 3)
  var fields = cluster.batches[6].header.fields
  fields.hybridMax.logical += 1
  var builder = BatchBuilder()
  let replaced = try builder.build(fields, records: cluster.batches[6].records)
  try cluster.write(3, Array(cluster.batches[..<6]) + [replaced], seals: false)
  let report = try verify(cluster.all)
  #expect(report.hasFault)
  #expect(report.divergences.map(\.index) == [LogIndex(7)])
  #expect(report.divergences.first?.label == cluster.data(3))
  #expect(report.divergences.first?.isTail == false)
}

@Test func `an uncommitted tail may differ`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 4, eventsPerBatch: 3)
  try cluster.write(1, cluster.batches)
  var fields = cluster.batches[3].header.fields
  fields.hybridMax.logical += 1
  var builder = BatchBuilder()
  let replaced = try builder.build(fields, records: cluster.batches[3].records)
  try cluster.write(2, Array(cluster.batches[..<3]) + [replaced])
  let report = try verify([cluster.data(1), cluster.data(2)])
  #expect(!report.hasFault)
  #expect(report.divergences.map(\.isTail) == [true])
}

@Test func `a sealed file with other bytes for the same history is a fault`() throws {
  var cluster = TestCluster(nodeCount: 2, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 10, eventsPerBatch: 3)
  try cluster.write(1, cluster.batches)
  var digests = cluster
  digests.digests[7] = .zero
  try digests.write(2, cluster.batches)
  let report = try verify(cluster.all)
  #expect(report.nodes[0].fault == nil)
  #expect(report.nodes[1].fault?.reason.contains("ledger digest after") == true)
  #expect(report.divergences.count == 1 && report.hasFault)
}

@Test func `a footer whose tree is not that of its events is a fault`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 10, eventsPerBatch: 3)
  for isFalse in [false, true] {
    let data = cluster.data(1)
    try? PosixFileSystem().remove(cluster.segment(1, first: 1))
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: "\(data)/\(isFalse)/log", clusterID: ClusterID(name: "test"),
      recovery: RecoveryOptions(keys: .payments), visiting: { _ in })
    try store.append(cluster.batches)
    var tree = EventTree()
    var before = Digest256.zero
    for range in store.unsealedSegments {
      tree.beginSegment()
      for batch in cluster.batches
      where batch.index >= range.id.firstIndex && batch.index <= range.lastIndex {
        var records = batch.records
        if isFalse, batch.index == LogIndex(2) { records[20] ^= 1 }
        let isWhole = tree.append(records.span.bytes, count: Int(batch.header.count))
        #expect(isWhole)
      }
      let after = cluster.digests[Int(range.lastIndex.rawValue) - 1]
      try store.seal(
        segment: range.id.firstIndex,
        SegmentEvidence(ledgerBefore: before, ledgerAfter: after, tree: tree.segment))
      before = after
    }
    let report = try verify(["\(data)/\(isFalse)"])
    #expect(report.hasFault == isFalse)
    if isFalse {
      #expect(report.nodes[0].fault?.reason.contains("Merkle tree") == true)
      #expect(report.nodes[0].fault?.index == store.sealedSegment(after: .zero)?.lastIndex)
    }
  }
}

@Test func `a torn tail is a note and no fault`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 5, eventsPerBatch: 3)
  try cluster.write(1, cluster.batches)
  let path = cluster.segment(1, first: 1)
  let size = try fileBytes(path).count
  let file = try PosixFileSystem().open(path, .update)
  for cut in [1, 50, cluster.batches[4].bytes.count - 1] {
    try file.truncate(to: UInt64(size - cut))
    let report = try verify(cluster.all)
    #expect(!report.hasFault)
    #expect(report.nodes[0].log?.notes.count == 1)
    #expect(report.nodes[0].log?.lastIndex == LogIndex(4))
  }
}

@Test func `the journal is read too`() throws {
  var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 9, eventsPerBatch: 3)
  try cluster.write(1, cluster.batches)
  try cluster.write(1, cluster.batches, to: "journal")
  #expect(try verify(cluster.all).eventCount == 54)
  let path = "\(cluster.data(1))/journal/\(SegmentID(LogIndex(1)).fileName)"
  try setByte(path, 400, try fileBytes(path)[400] ^ 1)
  let report = try verify(cluster.all)
  #expect(report.nodes[0].fault?.path == path)
}

@Test func `what is missing, empty or no segment is said in a sentence`() throws {
  let directory = TemporaryDirectory()
  let files = PosixFileSystem()
  let report = try verify(["\(directory.path)/absent", directory.path])
  #expect(report.hasFailure && !report.hasFault)
  #expect(report.nodes[0].failure?.contains("there is no such directory") == true)
  #expect(report.nodes[1].failure?.contains("is empty") == true)
  #expect(throws: AuditError.self) { try openLog([directory.path]) }
  #expect(throws: AuditError.self) { try openLog([]) }
  try files.createDirectory("\(directory.path)/node/log")
  #expect(throws: AuditError.self) { try openLog(["\(directory.path)/node"]) }
  let name = "\(directory.path)/node/log/\(SegmentID(LogIndex(1)).fileName)"
  let file = try files.open(name, .create)
  try file.write(Array(repeating: 7, count: 5000).span.bytes, at: 0)
  _ = try files.open("\(directory.path)/stray", .create)
  let strayReport = try verify([directory.path, "\(directory.path)/stray"])
  #expect(strayReport.nodes[0].failure?.contains("neither log/ nor segments") == true)
  #expect(strayReport.nodes[1].failure?.contains("is a file") == true)
}

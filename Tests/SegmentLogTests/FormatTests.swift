import Bytes
import Glibc
import HostFiles
import HybridTime
import SegmentLog
import Testing

/// The output and exit status of a shell command.
private func shell(_ command: String) -> (output: [UInt8], status: Int32) {
  guard let pipe = popen(command, "r") else { return ([], -1) }
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&buffer, 1, buffer.count, pipe)
    if count == 0 { break }
    output.append(contentsOf: buffer[..<count])
  }
  return (output, pclose(pipe))
}

private let hasLZ4 = shell("command -v lz4").status == 0

@Suite struct FormatTests {
  @Test func `a batch is these bytes`() throws {
    var leader = SampleLeader()
    let batch = leader.batch(Array("hello".utf8))
    #expect(batch.bytes.hexadecimal == goldenBatch)
    #expect(batch.header.batchByteCount == batch.bytes.count)
    var opener = BatchOpener()
    let opened = try opener.open(batch.bytes)
    #expect(opened.header == batch.header)
    #expect(opened.records == [5, 0] + Array("hello".utf8))
  }

  @Test func `a file header and a footer are these bytes`() throws {
    var leader = SampleLeader()
    let system = try MemoryFileSystem.log(
      [leader.batch(Array("hello".utf8)), leader.batch([], starts: true)], sealing: true)
    let bytes = try #require(system.bytes(system.path(1)))
    let batchEnd = 96 + goldenBatch.utf8.count / 2
    #expect(bytes[..<96].hexadecimal == goldenFileHeader)
    #expect(bytes[96..<batchEnd].hexadecimal == goldenBatch)
    #expect(bytes[batchEnd...].hexadecimal == goldenFooter)
  }

  @Test func `an empty batch is a header alone`() throws {
    var leader = SampleLeader()
    let batch = leader.batch([])
    #expect(batch.bytes.count == BatchHeader.byteCount)
    #expect(batch.header.lastSequence == .zero)
    var opener = BatchOpener()
    #expect(try opener.open(batch.bytes).records.isEmpty)
  }

  @Test func `the largest batch fits its limits, compressible or not`() throws {
    var random = SeededGenerator(seed: 4)
    let noise = (0..<SegmentFormat.recordsByteCountMax).map { _ in
      UInt8.random(in: 0...255, using: &random)
    }
    var leader = SampleLeader()
    var opener = BatchOpener()
    for records in [noise, [UInt8](repeating: 7, count: noise.count)] {
      let batch = leader.batch(records, isFramed: true)
      #expect(batch.bytes.count <= SegmentFormat.batchByteCountMax)
      #expect(try opener.open(batch.bytes).records == records)
    }
  }

  @Test func `what exceeds a limit is not built`() throws {
    var builder = BatchBuilder()
    func fields(index: UInt64, commit: UInt64, count: Int) -> BatchFields {
      BatchFields(
        startsSegment: true, index: LogIndex(index), term: Term(1),
        firstSequence: EventSequence(1), count: count, commit: LogIndex(commit),
        stamp: sampleStamp(1), correctedMin: 0, correctedMax: 0, hybridMax: .zero,
        previousHash: .zero)
    }
    let long = [UInt8](repeating: 1, count: SegmentFormat.recordsByteCountMax + 1)
    #expect(throws: BatchError.recordsTooLarge(byteCount: long.count)) {
      _ = try builder.build(fields(index: 1, commit: 0, count: 1), records: long)
    }
    #expect(throws: BatchError.invalidField(.commit)) {
      _ = try builder.build(fields(index: 1, commit: 1, count: 1), records: [1])
    }
    #expect(throws: BatchError.invalidField(.count)) {
      _ = try builder.build(fields(index: 1, commit: 0, count: 2), records: [1])
    }
    #expect(throws: BatchError.invalidField(.index)) {
      _ = try builder.build(fields(index: 0, commit: 0, count: 1), records: [1])
    }
  }

  @Test func `no flipped or missing bit of a batch passes`() {
    var leader = SampleLeader()
    let batch = leader.batch(Array("abcabcabcabcabcabcabcabcabcabcabc, and so on".utf8))
    var opener = BatchOpener()
    for position in batch.bytes.indices {
      for bit in 0..<8 {
        var bytes = batch.bytes
        bytes[position] ^= 1 << bit
        #expect(throws: BatchError.self, "byte \(position) bit \(bit)") {
          _ = try opener.open(bytes)
        }
      }
      #expect(throws: BatchError.self) { _ = try opener.open(Array(batch.bytes[..<position])) }
    }
    #expect(throws: BatchError.trailingBytes(byteCount: 1)) {
      _ = try opener.open(batch.bytes + [0])
    }
  }

  @Test(.enabled(if: hasLZ4, "the lz4 command is not installed: apt install lz4"))
  func `lz4 prints the records of live, sealed and rolled segments`() throws {
    let place = "/tmp/segment-log-\(getpid())-lz4"
    defer { _ = shell("rm -r \(place)") }
    var leader = SampleLeader()
    let batches = leader.batches(7, every: 3) + [leader.batch([])]
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: place, clusterID: cluster
    ) { _ in }
    try store.append(batches)
    func expectRecords() {
      for range in [0..<3, 3..<6, 6..<8] {
        let id = SegmentID(batches[range.lowerBound].index)
        let result = shell("lz4 -dc \(place)/\(id.fileName)")
        #expect(result.status == 0)
        #expect(result.output == batches[range].flatMap(\.records))
      }
    }
    expectRecords()
    try store.sealAll()
    expectRecords()
  }
}

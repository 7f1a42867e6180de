import Audit
import Bytes
import HostFiles
import HybridTime
import SegmentLog
import Testing

/// A log of three segments, the first of which is changed in every way.
private struct TamperedLog {
  var cluster: TestCluster
  let path: String
  let bytes: [UInt8]
  /// Where frames begin, and the index that is due there: the file header, each batch, the footer.
  private(set) var frames: [(offset: Int, index: LogIndex)] = [(0, LogIndex(1))]
  private let file: PosixFileSystem.File

  init() throws {
    cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
    try cluster.build(batchCount: 12, eventsPerBatch: 2, segmentBatchCount: 4)
    try cluster.write(1, cluster.batches)
    path = cluster.segment(1, first: 1)
    bytes = try fileBytes(path)
    file = try PosixFileSystem().open(path, .update)
    var offset = 96
    for batch in cluster.batches.prefix(4) {
      frames.append((offset, batch.index))
      offset += batch.bytes.count
    }
    frames.append((offset, LogIndex(5)))
  }

  func fault(_ changed: [UInt8]) throws -> LogFault? {
    try file.truncate(to: UInt64(changed.count))
    try file.write(changed.span.bytes, at: 0)
    let report = try VerifyReport([cluster.data(1)], in: PosixFileSystem(), meter: ProgressMeter())
    #expect(report.hasFault == (report.nodes[0].log?.fault != nil))
    return report.nodes[0].log?.fault
  }

  /// The frame that holds a byte.
  func frame(of place: Int) -> (offset: Int, index: LogIndex) {
    frames.last { $0.offset <= place } ?? (0, LogIndex(1))
  }
}

@Suite struct TamperTests {
  @Test func `each byte of a sealed segment that is another is found in its batch`() throws {
    let log = try TamperedLog()
    #expect(try log.fault(log.bytes) == nil)
    for place in log.bytes.indices {
      var changed = log.bytes
      changed[place] ^= 1 << UInt8(place % 8)
      let fault = try log.fault(changed)
      let frame = log.frame(of: place)
      #expect(fault?.path == log.path, "byte \(place)")
      #expect(fault?.offset == UInt64(frame.offset), "byte \(place)")
      #expect(fault?.index == frame.index, "byte \(place)")
    }
  }

  @Test func `a sealed segment that ends anywhere before its end is found`() throws {
    let log = try TamperedLog()
    for length in 0..<log.bytes.count {
      let fault = try log.fault(Array(log.bytes[..<length]))
      let frame = log.frame(of: length)
      #expect(fault?.offset == UInt64(frame.offset), "length \(length)")
      #expect(fault?.index == frame.index, "length \(length)")
    }
  }

  @Test func `batches in each other's places, missing, or twice are found`() throws {
    let log = try TamperedLog()
    let batches = log.cluster.batches.prefix(4).map(\.bytes)
    let end = log.frame(of: log.bytes.count).offset
    let (head, footer) = (Array(log.bytes[..<96]), Array(log.bytes[end...]))
    for first in 0..<4 {
      for second in 0..<4 where second != first {
        var swapped = batches
        swapped.swapAt(first, second)
        var doubled = batches
        doubled[first] = batches[second]
        let cases = [(swapped, min(first, second)), (doubled, first)]
        for (changed, place) in cases {
          let fault = try log.fault(head + changed.joined() + footer)
          #expect(fault?.index == log.cluster.batches[place].index, "\(first), \(second)")
        }
      }
      var fewer = batches
      fewer.remove(at: first)
      #expect(try log.fault(head + fewer.joined() + footer)?.index == LogIndex(UInt64(first + 1)))
    }
  }
}

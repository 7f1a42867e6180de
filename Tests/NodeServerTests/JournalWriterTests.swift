import Bytes
import Foundation
import HybridTime
import Ledger
@testable import NodeServer
import SegmentLog
import Testing

/// A journal's files: bounded, continued after a restart, and split into records that are within limits.
@Suite struct JournalWriterTests {
  private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
    "syncpay-journal-\(UUID().uuidString)"
  ).path

  private func stamp(_ number: Int64) -> Stamp {
    Stamp(
      ClockReading(
        rawNanoseconds: 1_790_000_000_000_000_000 + number * 1_000_003 + number * number % 997_001,
        correctionNanoseconds: number,
        boundNanoseconds: 90_000 + number % 7, epoch: 5, status: .synchronized, reference: .external
      ),
      of: NodeID(2))
  }

  private func progress(_ numbers: Range<Int64>) -> LogProgress {
    func position(_ number: Int64) -> LogPosition {
      let index = LogIndex(UInt64(number))
      return LogPosition(
        arrived: index, arrivedTerm: Term(3), durable: index, committed: index, applied: index)
    }
    return LogProgress(
      node: NodeID(2), start: position(numbers.lowerBound),
      marks: numbers.map { number in
        ProgressMark(
          position: position(number + 1), reading: stamp(number).reading,
          monotonicNanoseconds: number * 1_000_000)
      })
  }

  private func files() throws -> [(name: String, byteCount: Int)] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted().map { name in
      let attributes = try FileManager.default.attributesOfItem(atPath: directory + "/" + name)
      return (name, (attributes[.size] as? Int) ?? 0)
    }
  }

  @Test func `the oldest segments go when there are too many, and a restart goes on`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let limit: UInt64 = 64 << 10
    let cluster = ClusterID(name: "test")
    var first: [String] = []
    for run in 0..<3 {
      let writer = JournalWriter(directory: directory, cluster: cluster, byteCountMax: limit)
      for number in 0..<60 as Range<Int64> {
        var batch = JournalBatch()
        let start = (Int64(run) * 60 + number) * 200
        batch.append(.logProgress(progress(start..<start + 200)))
        try writer.write(batch)
      }
      let sum = try files().reduce(0) { $0 + $1.byteCount }
      #expect(sum <= Int(limit + limit / 8), "\(sum) bytes are kept")
      if run == 0 { first = try files().map(\.name) }
    }
    let kept = try files().map(\.name)
    #expect(kept.count > 4 && Set(kept).isDisjoint(with: first), "the first ones are gone: \(kept)")
  }

  @Test(arguments: [1, 40, 45, 1000, 5000])
  func `marks become as many records as they need, and come back as they were`(count: Int64) throws
  {
    let all = progress(0..<count)
    var batch = JournalBatch()
    batch.append(.logProgress(all))
    let records = batch.records
    var cursor = RecordCursor(records.span.bytes)
    var marks: [ProgressMark] = []
    var recordCount = 0
    var position = all.start
    while let record = try cursor.next(in: records.span.bytes) {
      let part = try LogProgress(record.body, in: records.span.bytes)
      #expect(part.start == position)
      position = part.marks.last?.position ?? position
      marks += part.marks
      recordCount += 1
      #expect(record.bytes.count <= Record.byteCountMax)
    }
    #expect(marks == all.marks && recordCount == batch.recordCount)
    #expect(batch.correctedMin == all.marks.first?.reading.correctedNanoseconds)
    #expect(batch.correctedMax == all.marks.last?.reading.correctedNanoseconds)
    // Some 15 bytes a mark before compression.
    #expect(records.count < 100 + 24 * Int(count), "\(records.count) bytes")
  }

  @Test func `a change of the clock's state begins a record of its own`() {
    var changed = progress(0..<10)
    for place in 5..<10 { changed.marks[place].reading.epoch = 6 }
    var batch = JournalBatch()
    batch.append(.logProgress(changed))
    #expect(batch.recordCount == 2)
  }
}

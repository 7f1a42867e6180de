import Bytes
import Foundation
import HybridTime
import Ledger
import SegmentLog
import Testing

@testable import Audit

/// Journals as sources of the timeline: whole, out of order, idle, empty, damaged, twice.
@Suite struct JournalTimelineTests {
  private func cluster() throws -> TestCluster {
    var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: 11)
    try cluster.build(batchCount: 60, eventsPerBatch: 5)
    for node in 1...3 { try cluster.write(node, cluster.batches, seals: false) }
    return cluster
  }

  /// An occurrence every so many milliseconds, from the log's start on; the number tells them apart.
  private func occurrences(
    _ cluster: TestCluster, _ node: Int, every milliseconds: Int64, count: Int64
  ) -> [Event] {
    (0..<count).map { number in
      .occurrence(
        NodeOccurrence(
          stamp: cluster.stamp(node, at: TestCluster.start + number * milliseconds * 1_000_000),
          topic: .paymentRefused, number: UInt64(number),
          id: TransactionID(high: UInt64(node), low: UInt64(number)), word: "no_leader"))
    }
  }

  private func shown(
    _ directories: [String], _ change: (inout TimelineOptions) -> Void = { _ in }
  ) throws -> (lines: [String], summary: TimelineSummary, notes: [String]) {
    var options = TimelineOptions()
    options.format = .json
    options.showsJournals = true
    change(&options)
    let transcript = Transcript()
    let log = try openLog(directories)
    let summary = try log.writeTimeline(options, to: transcript.writer)
    return (transcript.lines.map(String.init), summary, log.notes)
  }

  private func times(_ lines: [String]) -> [Int64] {
    lines.compactMap { line in
      line.range(of: #""corrected_ns":"#).flatMap {
        Int64(line[$0.upperBound...].prefix { $0.isNumber })
      }
    }
  }

  @Test func `three journals and the log are one list in order of time`() throws {
    let cluster = try cluster()
    for node in 1...3 {
      try cluster.writeJournal(
        node, occurrences(cluster, node, every: Int64(7 * node), count: 200))
    }
    let (lines, summary, notes) = try shown(cluster.all)
    #expect(lines.count == 300 + 600 && summary.journalCount == 600 && summary.lateCount == 0)
    #expect(summary.nodeCount == 3 && notes.isEmpty, "\(notes)")
    let times = times(lines)
    #expect(times == times.sorted() && times.count == lines.count)
    // Given twice, and all of it: nothing comes twice.
    #expect(try shown(cluster.all + [cluster.data(2)]).lines == lines)
    let second = try shown(cluster.all) { $0.node = NodeID(2) }
    #expect(second.lines.allSatisfy { $0.contains(#""node":2,"#) } && second.lines.count > 200)
    // An account's timeline is of its payments alone.
    let account = try shown(cluster.all) { $0.account = Array("account 3".utf8) }
    #expect(account.summary.journalCount == 0 && account.lines.count > 0)
  }

  @Test func `a journal out of order within the window is put right, and beyond it told as late`()
    throws
  {
    let cluster = try cluster()
    var events = occurrences(cluster, 1, every: 10, count: 200)
    for place in stride(from: 0, to: 200, by: 20) { events[place..<place + 20].reverse() }
    try cluster.writeJournal(1, events)
    let (lines, summary, _) = try shown(cluster.all)
    let times = times(lines)
    #expect(times == times.sorted() && summary.lateCount == 0 && lines.count == 500)
    let narrow = try shown(cluster.all) { $0.windowNanoseconds = 50_000_000 }
    #expect(narrow.lines.count == 500, "late ones are shown all the same")
    #expect(narrow.summary.lateCount > 50)
    #expect(narrow.lines.contains { $0.contains(#""late":{"reason":"behind_w"#) })
  }

  @Test func `an idle journal, an empty one and one that goes on after the log stall nothing`()
    throws
  {
    let cluster = try cluster()
    try cluster.writeJournal(1, occurrences(cluster, 1, every: 10, count: 3))
    try cluster.writeJournal(2, [])
    // 100 seconds, where the log has three.
    try cluster.writeJournal(3, occurrences(cluster, 3, every: 1000, count: 100))
    let (lines, summary, _) = try shown(cluster.all) { $0.windowNanoseconds = 20_000_000 }
    #expect(lines.count == 300 + 103 && summary.lateCount == 0)
    // What the window holds, not the journal.
    #expect(summary.heldCountMax < 60, "\(summary.heldCountMax)")
    let times = times(lines)
    #expect(times == times.sorted())
  }

  /// What is not shown tells how far a journal has come all the same.
  @Test func `a journal of measurements alone holds nothing back`() throws {
    let cluster = try cluster()
    var events = occurrences(cluster, 2, every: 1, count: 1)
    for number in 0..<2_000 as Range<Int64> {
      let stamp = cluster.stamp(2, at: TestCluster.start + number * 2_000_000)
      events.append(
        .clockMeasurement(
          ClockMeasurement(
            stamp: stamp, monotonicNanoseconds: number, kind: .peer, id: 1, offsetNanoseconds: 0,
            delayNanoseconds: 5, errorNanoseconds: 5, stratum: 0)))
    }
    try cluster.writeJournal(2, events)
    let found = try shown(cluster.all) { $0.windowNanoseconds = 50_000_000 }
    #expect(found.lines.count == 301 && found.summary.lateCount == 0)
    #expect(found.summary.heldCountMax < 60, "\(found.summary.heldCountMax)")
    let limited = try shown(cluster.all) {
      $0.windowNanoseconds = 50_000_000
      $0.limit = 10
    }
    #expect(limited.lines == Array(found.lines.prefix(10)))
  }

  @Test func `a damaged journal among three is read up to the damage, and a note says so`() throws {
    let cluster = try cluster()
    for node in 1...3 {
      try cluster.writeJournal(node, occurrences(cluster, node, every: 10, count: 200))
    }
    let path = "\(cluster.data(2))/journal/\(SegmentID(LogIndex(1)).fileName)"
    let middle = try fileBytes(path).count / 2
    try setByte(path, middle, try fileBytes(path)[middle] ^ 0x20)
    let (lines, summary, notes) = try shown(cluster.all)
    #expect(lines.count < 900 && lines.count > 300 + 400)
    #expect(summary.journalCount == UInt64(lines.count - 300))
    #expect(notes.contains { $0.contains("node2/journal") }, "\(notes)")
    let times = times(lines)
    #expect(times == times.sorted())
  }

  /// Whoever can write a node's disk can write anything into its journal, and no report may end for it.
  @Test(arguments: [Int64.min, -1, 0, 1, 4_000_000_000_000_000_001, Int64.max])
  func `a journal that claims impossible times ends no report`(extreme: Int64) throws {
    let cluster = try cluster()
    let good = cluster.stamp(2, at: TestCluster.start + 1_000_000_000)
    var wild = good
    wild.reading.rawNanoseconds = extreme
    wild.hybrid.wallNanoseconds = wild.correctedNanoseconds
    var events: [Event] = []
    for (stamp, offset) in [(good, extreme), (wild, 5), (good, 5)] {
      for (monotonic, error) in [(Int64(1_000), Int64(3)), (extreme, 3), (2_000, max(extreme, 0))] {
        events.append(
          .clockMeasurement(
            ClockMeasurement(
              stamp: stamp, monotonicNanoseconds: monotonic, kind: .server, id: 0,
              offsetNanoseconds: offset, delayNanoseconds: max(extreme, 0),
              errorNanoseconds: error, stratum: 1)))
      }
      var index = UInt64(0)
      let marks = [stamp, good, wild, good].map { when in
        index += 1
        return ProgressMark(
          position: LogPosition(
            arrived: LogIndex(index), arrivedTerm: Term(1), durable: LogIndex(index),
            committed: LogIndex(UInt64(bitPattern: extreme)), applied: LogIndex(index)),
          reading: when.reading, monotonicNanoseconds: extreme)
      }
      events.append(.logProgress(LogProgress(node: NodeID(2), start: .zero, marks: marks)))
      events.append(
        .occurrence(
          NodeOccurrence(stamp: stamp, topic: .lost, number: UInt64(bitPattern: extreme))))
    }
    try cluster.writeJournal(2, events)
    for order in TimelineOrder.allCases where order != .log {
      let found = try shown(cluster.all) {
        $0.order = order
        $0.showsAll = true
      }
      #expect(found.lines.count == 300 + events.count)
    }
    let log = try openLog(cluster.all)
    let report = try log.skew(SkewOptions())
    #expect(report.paymentCount == 300)
    for format in ReportFormat.allCases {
      let transcript = Transcript()
      try report.write(format, to: transcript.writer)
      #expect(transcript.lines.count > 0)
      let measured = Transcript()
      let journal = try openLog(["\(cluster.data(2))/journal"])
      _ = try journal.writeMeasurements(format, to: measured.writer)
      #expect(measured.lines.count >= 9)
    }
    #expect(report.page.hasSuffix("</html>\n") && !report.page.contains("nan"))
  }
}

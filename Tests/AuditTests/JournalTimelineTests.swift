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
}

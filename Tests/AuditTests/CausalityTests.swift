import Bytes
import Foundation
import HybridTime
import Ledger
import SegmentLog
import Testing
import Timeline

@testable import Audit

/// Clocks that are as far from true time as they say, and one that is not.
private let honest = [
  TestClock(offset: 100_000, correction: -90_000, bound: 1_000_000, reference: .external),
  TestClock(
    offset: 2_000_000_000, correction: -2_000_000_000 + 50_000, bound: 1_000_000,
    reference: .external),
  TestClock(offset: -30_000, correction: 20_000, bound: 1_000_000, reference: .external),
]

extension TestCluster {
  /// When the leader closed a batch, true time.
  private func closed(_ batch: Batch) -> Int64 {
    batch.header.stamp.reading.rawNanoseconds - clocks[0].offset
  }

  /// What the nodes' journals say of the batches, with ways between nodes of 50 to 500 µs.
  func progress(seed: UInt64) -> [[LogProgress]] {
    var random = SeededGenerator(seed: seed)
    var positions = Array(repeating: LogPosition.zero, count: nodeCount)
    var records = Array(repeating: [LogProgress](), count: nodeCount)
    for batch in batches {
      let index = batch.header.index
      var durable: [Int64] = []
      for node in 1...nodeCount {
        let way = node == 1 ? 0 : Int64.random(in: 50_000...500_000, using: &random)
        let arrived = closed(batch) + way
        durable.append(arrived + Int64.random(in: 100_000...2_000_000, using: &random))
        var marks: [ProgressMark] = []
        var position = positions[node - 1]
        position.arrived = index
        position.arrivedTerm = batch.header.term
        marks.append(mark(node, position, at: arrived))
        position.durable = index
        marks.append(mark(node, position, at: durable[node - 1]))
        records[node - 1].append(
          LogProgress(node: NodeID(UInt16(node)), start: positions[node - 1], marks: marks))
        positions[node - 1] = position
      }
      // The leader's own and the quicker follower's make a majority.
      let committed = max(durable[0], durable.dropFirst().min() ?? 0) + 60_000
      for node in 1...nodeCount {
        var position = positions[node - 1]
        position.committed = index
        position.applied = index
        let time = max(committed + (node == 1 ? 0 : 100_000), durable[node - 1] + 1)
        records[node - 1].append(
          LogProgress(
            node: NodeID(UInt16(node)), start: positions[node - 1],
            marks: [mark(node, position, at: time)]))
        positions[node - 1] = position
      }
    }
    return records
  }

  private func mark(_ node: Int, _ position: LogPosition, at time: Int64) -> ProgressMark {
    ProgressMark(
      position: position, reading: stamp(node, at: time).reading,
      monotonicNanoseconds: time - Self.start)
  }

  /// Writes a node's journal anew.
  func rewriteJournal(_ node: Int, _ events: [Event]) throws {
    try? FileManager.default.removeItem(atPath: "\(data(node))/journal")
    try writeJournal(node, events)
  }

  /// Writes a node's journal of these events, 20 to a batch.
  func writeJournal(_ node: Int, _ events: [Event]) throws {
    var builder = BatchBuilder()
    var batches: [Batch] = []
    for start in stride(from: 0, to: events.count, by: 20) {
      let part = Array(events[start..<min(start + 20, events.count)])
      var writer = ByteWriter()
      for event in part { event.encode(into: &writer) }
      let stamps = part.map(\.stamp)
      let times = stamps.map(\.correctedNanoseconds)
      let previous = batches.last?.header
      let fields = BatchFields(
        startsSegment: batches.isEmpty, index: previous?.index.next ?? LogIndex(1), term: .zero,
        firstSequence: previous?.lastSequence.next ?? EventSequence(1), count: part.count,
        commit: previous?.index ?? .zero, stamp: stamps[part.count - 1],
        correctedMin: times.min() ?? 0, correctedMax: times.max() ?? 0,
        hybridMax: stamps.map(\.hybrid).max() ?? .zero, previousHash: previous?.hash ?? .zero)
      batches.append(try builder.build(fields, records: writer.bytes))
    }
    try write(node, batches, seals: false, to: "journal")
  }
}

@Suite struct CausalityTests {
  private func cluster(
    _ clocks: [TestClock], seed: UInt64, batchCount: Int = 40
  ) throws -> TestCluster {
    var cluster = TestCluster(clocks: clocks, seed: seed)
    let members = MembershipChange(
      stamp: cluster.stamp(1, at: TestCluster.start), voters: (1...3).map { NodeID($0) },
      outgoing: [], learners: [], members: (1...3).map { ClusterMember(id: NodeID($0)) })
    try cluster.append([.membership(members)])
    try cluster.build(batchCount: batchCount, eventsPerBatch: 12, segmentBatchCount: 1000)
    for node in 1...3 { try cluster.write(node, cluster.batches, seals: false) }
    let progress = cluster.progress(seed: seed)
    for node in 1...3 {
      try cluster.writeJournal(node, progress[node - 1].map { .logProgress($0) })
    }
    return cluster
  }

  /// How far a clock's corrected time is from true time.
  private func error(_ clocks: [TestClock], _ node: NodeID) -> Int64 {
    let clock = clocks[Int(node.rawValue) - 1]
    return clock.offset + clock.correction
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `the clocks' true differences lie in what cause and effect allow`(seed: UInt64) throws {
    let logs = try cluster(honest, seed: seed)
    let report = try openLog(logs.all).skew(SkewOptions()).causality
    #expect(report.journals.map(\.rawValue) == [1, 2, 3])
    // Followers talk to the leader, not to each other.
    try #require(
      report.pairs.map { [$0.first.rawValue, $0.second.rawValue] } == [[1, 2], [1, 3]])
    for pair in report.pairs {
      #expect(pair.messageCounts.there > 30 && pair.messageCounts.back > 30)
      let (first, second) = (Int(pair.first.rawValue), Int(pair.second.rawValue))
      let raw = honest[second - 1].offset - honest[first - 1].offset
      let corrected = error(honest, pair.second) - error(honest, pair.first)
      var known = 0
      for (rawPart, part) in zip(pair.rawByPart, pair.correctedByPart) {
        #expect(rawPart.low.map { $0 <= raw } ?? true)
        #expect(rawPart.high.map { $0 >= raw } ?? true)
        #expect(part.low.map { $0 <= corrected } ?? true)
        #expect(part.high.map { $0 >= corrected } ?? true)
        if part.range != nil { known += 1 }
      }
      #expect(known >= 10, "\(known)")
      // A way of at least 50 µs, an event every 30 ms: far narrower than two seconds.
      #expect(pair.raw.range.map { $0.upperBound - $0.lowerBound < 100_000_000 } ?? false)
      #expect(pair.impossibleCount == 0)
    }
    #expect(report.pairs[0].rawCount > 30 && report.pairs[1].rawCount < 30)
    #expect(report.rawOutliers == [NodeID(2)])
    #expect(report.commitCount > 30 && report.earlyCommitCount == 0)
    #expect(report.impossible.isEmpty && report.suspects.isEmpty)
  }

  @Test func `a clock that is not within its bound is named`() throws {
    var clocks = honest
    clocks[2].correction += 50_000_000
    let logs = try cluster(clocks, seed: 4)
    let report = try openLog(logs.all).skew(SkewOptions())
    let causality = report.causality
    #expect(causality.pairs.map { $0.impossibleCount > 0 } == [false, true])
    let first = try #require(causality.impossible.first)
    #expect([first.sender, first.receiver].contains(NodeID(3)))
    #expect(first.receivedLatest < first.sentEarliest)
    let transcript = Transcript()
    try report.write(.table, to: transcript.writer)
    #expect(transcript.text.contains("one of both clocks was not within its bound"))
    #expect(report.page.contains("Clocks by cause and effect alone"))
    let json = Transcript()
    try report.write(.json, to: json.writer)
    #expect(
      json.text.contains(#""suspects":[1,3]"#),
      "of one pair nobody can say which: \(json.text.suffix(900))")
  }

  @Test func `of three clocks the one in all contradictions is named`() throws {
    var clocks = honest
    // The leader: both followers contradict it.
    clocks[0].correction += 50_000_000
    let ahead = try cluster(clocks, seed: 5)
    let causality = try openLog(ahead.all).skew(SkewOptions()).causality
    #expect(causality.suspects == [NodeID(1)])
    #expect(causality.earlyCommitCount == 0)
    // One that is behind commits before anybody has anything.
    clocks[0].correction -= 100_000_000
    let late = try cluster(clocks, seed: 5)
    let behind = try openLog(late.all).skew(SkewOptions()).causality
    #expect(behind.earlyCommitCount > 30 && behind.suspects == [NodeID(1)])
  }

  @Test func `raw clocks of which nobody can say who is alone name nobody`() throws {
    var clocks = honest
    // The leader is in the middle: the followers are as far from it as it is from them, and farther from each other.
    clocks[0].offset = 0
    clocks[1].offset = 900_000_000
    clocks[2].offset = -900_000_000
    let three = try cluster(clocks, seed: 12)
    let report = try openLog(three.all).skew(SkewOptions()).causality
    #expect(report.pairs.allSatisfy { $0.raw.range.map { !$0.contains(0) } ?? false })
    #expect(report.rawOutliers.isEmpty)
    // The followers may agree: then it is the leader.
    clocks[2].offset = 900_010_000
    let two = try cluster(clocks, seed: 13)
    #expect(try openLog(two.all).skew(SkewOptions()).causality.rawOutliers == [NodeID(1)])
  }

  /// A clock that was set in the middle was right for half of the time.
  @Test func `a clock that moves within a part of the time is not called an outlier`() throws {
    var cluster = TestCluster(clocks: honest, seed: 14)
    cluster.clocks[1].offset = 100_000
    try cluster.build(batchCount: 20, eventsPerBatch: 12, segmentBatchCount: 1000)
    let before = cluster.progress(seed: 14)
    cluster.clocks[1].offset = 2_000_000_000
    let count = cluster.batches.count
    try cluster.build(batchCount: 20, eventsPerBatch: 12, segmentBatchCount: 1000)
    let after = cluster.progress(seed: 14)
    for node in 1...3 {
      try cluster.write(node, cluster.batches, seals: false)
      // Two records a batch.
      let records = before[node - 1] + after[node - 1].dropFirst(2 * count)
      try cluster.writeJournal(node, records.map { .logProgress($0) })
    }
    var options = SkewOptions()
    options.bucketCount = 1
    let report = try openLog(cluster.all).skew(options).causality
    let pair = try #require(report.pairs.first { $0.second == NodeID(2) })
    #expect(!pair.isRawSteady && report.rawOutliers.isEmpty)
  }

  @Test func `a damaged journal is read up to the damage, and the others whole`() throws {
    let cluster = try cluster(honest, seed: 6)
    let whole = try openLog(cluster.all).skew(SkewOptions()).causality
    let path = "\(cluster.data(2))/journal/\(SegmentID(LogIndex(1)).fileName)"
    let size = try fileBytes(path).count
    try setByte(path, size / 2, try fileBytes(path)[size / 2] ^ 0x40)
    let log = try openLog(cluster.all)
    let damaged = try log.skew(SkewOptions()).causality
    #expect(damaged.journals == whole.journals)
    #expect(damaged.pairs[1].messageCounts == whole.pairs[1].messageCounts)
    #expect(damaged.pairs[0].messageCounts.there < whole.pairs[0].messageCounts.there)
    #expect(damaged.pairs[0].messageCounts.back == whole.pairs[0].messageCounts.back)
    #expect(log.notes.contains { $0.contains("node2/journal") }, "\(log.notes)")
  }

  @Test func `a journal that is given twice, or that is empty, is told of`() throws {
    let cluster = try cluster(honest, seed: 7)
    let once = try openLog(cluster.all).skew(SkewOptions()).causality
    let log = try openLog(cluster.all + [cluster.data(3)])
    let twice = try log.skew(SkewOptions()).causality
    #expect(twice.pairs.map(\.messageCounts.there) == once.pairs.map(\.messageCounts.there))
    #expect(
      log.notes.contains { $0.contains("node3/journal: the same journal as") }, "\(log.notes)")
    let bare = try clusterWithoutJournals(seed: 7)
    let alone = try openLog(bare.all).skew(SkewOptions()).causality
    #expect(alone.journals.isEmpty)
    // Events still came to the leader.
    #expect(alone.pairs.allSatisfy { $0.messageCounts.there == 0 && $0.messageCounts.back > 30 })
  }

  private func clusterWithoutJournals(seed: UInt64) throws -> TestCluster {
    var cluster = TestCluster(clocks: honest, seed: seed)
    try cluster.build(batchCount: 40, eventsPerBatch: 12)
    try cluster.writeAll()
    return cluster
  }

  /// A batch that a later leader replaced came to nothing: its mark says nothing of the one in its place.
  @Test func `marks of batches that were replaced do not count`() throws {
    var cluster = TestCluster(clocks: honest, seed: 8)
    try cluster.build(batchCount: 2, eventsPerBatch: 3)
    for node in 1...3 { try cluster.write(node, cluster.batches) }
    func mark(_ index: UInt64, _ term: UInt64, _ time: Int64) -> ProgressMark {
      ProgressMark(
        position: LogPosition(
          arrived: LogIndex(index), arrivedTerm: Term(term), durable: .zero, committed: .zero,
          applied: .zero), reading: cluster.stamp(2, at: time).reading,
        monotonicNanoseconds: time - TestCluster.start)
    }
    let late = TestCluster.start + 10_000_000_000
    try cluster.writeJournal(
      2,
      [
        .logProgress(
          LogProgress(
            node: NodeID(2), start: .zero,
            marks: [mark(2, 7, TestCluster.start), mark(1, 1, late), mark(2, 1, late + 1)]))
      ])
    let pair = try #require(
      try openLog(cluster.all).skew(SkewOptions()).causality.pairs.first {
        $0.second == NodeID(2)
      })
    #expect(pair.messageCounts.there == 2 && pair.impossibleCount == 0)
    #expect(
      pair.correctedByPart.compactMap(\.high).min() ?? 0 > 9_000_000_000, "not the first mark")
  }
}

/// What messages order, against a count of all pairs one by one.
@Suite struct MessageOrderTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `pairs that messages order are those of a count one by one`(seed: UInt64) throws {
    var clocks = honest
    // Wide enough that time alone leaves much open; one node measured against something else.
    for place in clocks.indices { clocks[place].bound = 400_000_000 }
    if seed % 2 == 0 { clocks[1].reference = .cluster }
    // A clock that lies is contradicted by what it did.
    if seed % 4 == 3 {
      clocks[2].correction -= 900_000_000
      clocks[2].bound = 1_000_000
      clocks[0].bound = 1_000_000
    }
    var cluster = TestCluster(clocks: clocks, seed: seed)
    try cluster.build(batchCount: 30, eventsPerBatch: 6, segmentBatchCount: 1000)
    for node in 1...3 { try cluster.write(node, cluster.batches, seals: false) }
    let progress = cluster.progress(seed: seed)
    // One journal is missing: of what its node knew nobody can tell.
    for node in 1...2 + Int(seed % 4) / 3 {
      let number = seed % 4 == 3 ? [1, 3, 2][node - 1] : node
      try cluster.writeJournal(number, progress[number - 1].map { .logProgress($0) })
    }
    let log = try openLog(cluster.all)
    let report = try log.skew(SkewOptions())
    let journals = log.readJournals()
    var batchOf: [UInt64: UInt64] = [:]
    for batch in cluster.batches {
      for sequence in batch.header.firstSequence.rawValue...batch.header.lastSequence.rawValue {
        batchOf[sequence] = batch.header.index.rawValue
      }
    }
    var (causal, contradicted) = (UInt64(0), UInt64(0))
    for (place, second) in report.payments.enumerated() {
      guard let journal = journals.first(where: { $0.node.rawValue == second.node }) else {
        continue
      }
      for first in report.payments[..<place] where first.node != second.node {
        let batch = try #require(batchOf[first.sequence])
        let wasKnown = journal.applied.runs.contains {
          $0.last >= batch && $0.moment.corrected < second.corrected - 1000
        }
        guard wasKnown else { continue }
        let isComparable =
          first.isComparable && second.isComparable && first.reference == second.reference
        if isComparable, first.interval.latest < second.interval.earliest { continue }
        if isComparable, second.interval.latest < first.interval.earliest {
          contradicted += 1
        } else {
          causal += 1
        }
      }
    }
    let pairs = report.allPairs
    #expect(pairs.byMessage == causal && pairs.contradicted == contradicted, "seed \(seed)")
    #expect(causal > 0 && (contradicted > 0) == (seed % 4 == 3), "\(causal), \(contradicted)")
    // The same marks in a run whose epochs are lower, after the clock was set back: they came later.
    for node in 1...3 {
      let later = progress[node - 1].map { record in
        var record = record
        for place in record.marks.indices { record.marks[place].reading.epoch = 0 }
        return Event.logProgress(record)
      }
      try cluster.rewriteJournal(node, later)
    }
    let setBack = try openLog(cluster.all).skew(SkewOptions()).allPairs
    #expect(setBack.byMessage == 0 && setBack.contradicted == 0)
    let count = UInt64(report.payments.count)
    #expect(
      pairs.ordered + pairs.reversed + pairs.causal + pairs.byMessage + pairs.undecidable
        == count * (count - 1) / 2)
  }
}

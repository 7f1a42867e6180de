import Audit
import Bytes
import HostFiles
import HybridTime
import JSONText
import Ledger
import SegmentLog
import Testing

/// The sequences that a JSON timeline shows, in its order.
private func sequences(_ cluster: TestCluster, _ change: (inout TimelineOptions) -> Void) throws
  -> (sequences: [UInt64], summary: TimelineSummary)
{
  var options = TimelineOptions()
  options.format = .json
  change(&options)
  let transcript = Transcript()
  let summary = try openLog(cluster.all).writeTimeline(options, to: transcript.writer)
  let found = transcript.lines.map { line in
    UInt64(line.dropFirst(#"{"sequence":"#.count).prefix { $0.isNumber }) ?? 0
  }
  return (found, summary)
}

private func stamps(_ cluster: TestCluster) -> [Stamp] {
  // The fixture stamps with the clock of the node that a batch's records name.
  cluster.batches.flatMap { batch in
    var stamps: [Stamp] = []
    forEachStamp(batch) { stamps.append($0) }
    return stamps
  }
}

@Test(arguments: 0..<10 as Range<UInt64>)
func `the timeline is a sort of the log by the order asked for`(seed: UInt64) throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: seed)
  try cluster.build(batchCount: 40, eventsPerBatch: 5)
  try cluster.writeAll()
  let stamps = stamps(cluster)
  for order in TimelineOrder.allCases {
    let expected = stamps.indices.sorted { left, right in
      let key = { (place: Int) -> (Int64, HybridTimestamp, NodeID, Int) in
        let stamp = stamps[place]
        let time =
          switch order {
          case .corrected: stamp.correctedNanoseconds
          case .hlc: stamp.hybrid.wallNanoseconds
          case .raw: stamp.reading.rawNanoseconds
          case .earliest: stamp.earliestNanoseconds
          case .log: Int64(place)
          }
        return (time, stamp.hybrid, stamp.node, place)
      }
      return key(left) < key(right)
    }.map { UInt64($0 + 1) }
    let (found, summary) = try sequences(cluster) { $0.order = order }
    #expect(found == expected, "seed \(seed), \(order)")
    #expect(summary.lateCount == 0 && summary.shownCount == 200, "seed \(seed), \(order)")
    #expect(summary.uncommittedCount == 5, "seed \(seed), \(order)")
  }
}

@Test func `a window too small shows every event and marks the late ones`() throws {
  var clocks = TestCluster.plainClocks
  // Two seconds behind, and the node does not know it.
  clocks[2] = TestClock(offset: -2_000_000_000, correction: 0)
  var cluster = TestCluster(clocks: clocks)
  try cluster.build(batchCount: 100, eventsPerBatch: 5)
  try cluster.writeAll()
  let (found, summary) = try sequences(cluster) { $0.windowNanoseconds = 100_000_000 }
  #expect(found.sorted() == Array(1...500))
  #expect(summary.lateCount > 0)
  let (_, wide) = try sequences(cluster) { $0.windowNanoseconds = 3_000_000_000 }
  #expect(wide.lateCount == 0)
}

@Test func `filters leave what they say`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 20, eventsPerBatch: 5)
  try cluster.writeAll()
  let stamps = stamps(cluster)
  let middle = stamps[50].correctedNanoseconds
  let (after, _) = try sequences(cluster) { $0.from = middle }
  let (before, _) = try sequences(cluster) { $0.to = middle }
  #expect((after + before).sorted() == Array(1...100) && after.contains(51))
  let (second, _) = try sequences(cluster) { $0.node = NodeID(2) }
  #expect(
    second.sorted() == stamps.indices.filter { stamps[$0].node == NodeID(2) }.map { UInt64($0 + 1) }
  )
  let (account, _) = try sequences(cluster) { $0.account = Array("account 3".utf8) }
  let expected = cluster.payments.indices.filter {
    cluster.payments[$0].sender == "account 3" || cluster.payments[$0].receiver == "account 3"
  }
  #expect(account.sorted() == expected.map { UInt64($0 + 1) } && !account.isEmpty)
  let (limited, _) = try sequences(cluster) { $0.limit = 7 }
  #expect(try limited == Array(sequences(cluster) { _ in }.sequences.prefix(7)))
}

@Test func `the table shows amounts, names and a closing line`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 3, eventsPerBatch: 2)
  try cluster.writeAll()
  let transcript = Transcript()
  _ = try openLog(cluster.all).writeTimeline(TimelineOptions(), to: transcript.writer)
  #expect(transcript.lines.count == 8)
  let first = cluster.payments[0]
  #expect(transcript.text.contains("\(first.sender) → \(first.receiver)"))
  #expect(transcript.lines.last?.hasPrefix("6 events, ") == true)
}

@Test func `a batch damaged at one node is read from another`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks)
  try cluster.build(batchCount: 20, eventsPerBatch: 5)
  try cluster.writeAll()
  let whole = try sequences(cluster) { _ in }.sequences
  let places = (1...3).map { cluster.segment($0, first: 9) }
  let offset = 96 + 212 + 20
  try setByte(places[0], offset, try fileBytes(places[0])[offset] ^ 1)
  try setByte(places[2], offset, try fileBytes(places[2])[offset] ^ 1)
  #expect(try sequences(cluster) { _ in }.sequences == whole)
  try setByte(places[1], offset, try fileBytes(places[1])[offset] ^ 1)
  #expect(throws: AuditError.self) { try sequences(cluster) { _ in } }
}

@Test(
  arguments: [
    ("2026-01-02T03:04:05Z", 1_767_323_045_000_000_000),
    ("2026-01-02T05:04:05.25+02:00", 1_767_323_045_250_000_000),
    ("2026-01-02", 1_767_312_000_000_000_000), ("1727123456.789", 1_727_123_456_789_000_000),
    ("1969-12-31T23:59:59.999999999Z", -1), ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000),
  ] as [(String, Int64)])
func `times are read`(text: String, nanoseconds: Int64) {
  #expect(TimeText.nanoseconds(text) == nanoseconds)
  #expect(TimeText.nanoseconds(TimeText.text(nanoseconds: nanoseconds, decimals: 9)) == nanoseconds)
}

@Test(arguments: [
  "", "yesterday", "2026-13-01", "2026-02-30", "2025-02-29", "2026-01-02T25:00:00Z",
  "2026-01-02T03:04:05", "12x", "-", "9999999999999999999", "2026-01-02T03:04:05Z ",
])
func `what is no time is refused`(text: String) {
  #expect(TimeText.nanoseconds(text) == nil)
}

/// The union of touching intervals, by brute force: groups that no chain of touching intervals joins.
@Test(arguments: 1...6 as ClosedRange<UInt64>)
func `groups are what time cannot order, and groups are ordered`(seed: UInt64) throws {
  let clocks = [
    TestClock(offset: 0, correction: 0, bound: 2_000_000),
    TestClock(offset: 0, correction: 0, bound: 30_000_000),
    TestClock(offset: 0, correction: 0, bound: 200_000),
  ]
  var cluster = TestCluster(clocks: clocks, seed: seed)
  try cluster.build(batchCount: 20, eventsPerBatch: 5)
  try cluster.writeAll()
  let stamps = stamps(cluster)
  var options = TimelineOptions()
  options.format = .json
  options.order = .earliest
  options.groupsUncertain = true
  let transcript = Transcript()
  let summary = try openLog(cluster.all).writeTimeline(options, to: transcript.writer)
  var groups: [Int: Int] = [:]
  for line in transcript.lines {
    let numbers = line.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    groups[numbers[1] - 1] = numbers[0]
  }
  #expect(groups.count == stamps.count && summary.groupCount == Set(groups.values).count)
  #expect(summary.groupCount > 3 && summary.groupEventCountMax > 1)
  for (place, first) in stamps.enumerated() {
    for (other, second) in stamps.enumerated() where other != place {
      let isTouching =
        first.earliestNanoseconds <= second.latestNanoseconds
        && second.earliestNanoseconds <= first.latestNanoseconds
      let (one, two) = (groups[place] ?? 0, groups[other] ?? 0)
      #expect(!isTouching || one == two, "seed \(seed)")
      #expect(one >= two || first.latestNanoseconds < second.earliestNanoseconds, "seed \(seed)")
    }
  }
}

/// What somebody sees who gives a log twice, an empty one, a damaged one, or one of an idle node.
@Test func `repeated, empty, damaged and idle logs change no timeline, and are told`() throws {
  var cluster = TestCluster(clocks: TestCluster.plainClocks, seed: 4)
  try cluster.build(batchCount: 30, eventsPerBatch: 5)
  try cluster.writeAll()
  func timeline(
    _ directories: [String], shows count: UInt64 = 150
  ) throws -> (text: String, notes: [String]) {
    let transcript = Transcript()
    let log = try openLog(directories)
    let summary = try log.writeTimeline(TimelineOptions(), to: transcript.writer)
    #expect(summary.shownCount == count && summary.lateCount == 0)
    return (transcript.text, log.notes)
  }
  let whole = try timeline(cluster.all)
  #expect(whole.notes.isEmpty)
  let twice = try timeline([cluster.data(1), cluster.data(1), cluster.data(2)])
  #expect(twice.text == whole.text && twice.notes.isEmpty)
  // A node that has only just been added.
  let empty = cluster.directory.path + "/fresh"
  try PosixFileSystem().createDirectory(empty)
  try PosixFileSystem().createDirectory(empty + "/log")
  let fresh = try timeline([empty] + cluster.all)
  #expect(fresh.text == whole.text)
  #expect(fresh.notes.count == 1 && fresh.notes[0].contains("no batch in it"), "\(fresh.notes)")
  // A byte of one of three has rotted.
  let segment = cluster.segment(2, first: 9)
  let bytes = try fileBytes(segment)
  try setByte(segment, bytes.count / 3, bytes[bytes.count / 3] ^ 0x10)
  let damaged = try timeline(cluster.all)
  #expect(damaged.text == whole.text)
  #expect(
    damaged.notes.contains { $0.contains("damaged") && $0.contains("node2") }, "\(damaged.notes)")
  // Nothing else has it: the timeline ends before it, and says so.
  let alone = try timeline([cluster.data(2)], shows: 55)
  #expect(alone.notes.contains { $0.contains("damaged") }, "\(alone.notes)")
  #expect(throws: AuditError.self) { try timeline([empty], shows: 0) }
}

/// A node that pays nothing holds the others back by the window, unless its beacons say that it has nothing.
@Test func `beacons let a merge go on without the window`() throws {
  func heldMax(withBeacons: Bool) throws -> Int {
    var cluster = TestCluster(
      nodeCount: 2,
      clocks: [TestClock(offset: 0, correction: 0), TestClock(offset: 0, correction: 0)])
    try cluster.append([
      .membership(
        MembershipChange(
          stamp: cluster.stamp(1, at: TestCluster.start), voters: [NodeID(1), NodeID(2)],
          outgoing: [], learners: [],
          members: [NodeID(1), NodeID(2)].map { ClusterMember(id: $0, peerAddress: "h:1") }))
    ])
    for second in 0..<60 as Range<Int64> {
      let time = TestCluster.start + second * 1_000_000_000
      var events = try (0..<5 as Range<Int64>).map { place in
        try cluster.payment(1, at: time + place * 1_000_000, "p\(second)-\(place)")
      }
      // The second node pays once, at the start.
      if second == 0 { events.append(try cluster.payment(2, at: time + 9_000_000, "only")) }
      if withBeacons {
        events.append(.beacon(cluster.stamp(1, at: time + 10_000_000)))
        events.append(.beacon(cluster.stamp(2, at: time + 11_000_000)))
      }
      try cluster.append(events)
    }
    try cluster.write(1, cluster.batches)
    let transcript = Transcript()
    var options = TimelineOptions()
    options.format = .json
    let summary = try openLog([cluster.data(1)]).writeTimeline(options, to: transcript.writer)
    #expect(summary.shownCount == 301 && summary.lateCount == 0 && summary.outOfLogOrderCount == 0)
    return summary.heldCountMax
  }
  let (without, with) = (try heldMax(withBeacons: false), try heldMax(withBeacons: true))
  #expect(without > 40 && with < 12, "\(without) without beacons, \(with) with")
}

extension TestCluster {
  /// A payment of one dollar that a node took in at a true time.
  func payment(_ node: Int, at time: Int64, _ id: String) throws -> Event {
    let draft = try PaymentDraft(
      validating: PaymentRequest(
        amount: Amount.formatted(minorUnits: 100, exponent: 2), sender: Array("a".utf8),
        receiver: Array("b".utf8), currency: Array("USD".utf8), transactionID: Array(id.utf8)),
      rules: PaymentRules(), makeID: { fatalError("has an id") })
    return .payment(Payment(draft: draft, stamp: stamp(node, at: time)))
  }
}

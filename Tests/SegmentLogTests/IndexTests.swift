import Bytes
import SegmentLog
import Testing

/// Records of one byte after their length; some are payments of two names.
private enum Sample {
  static func id(_ sequence: UInt64) -> [UInt8] { Array("id \(sequence)".utf8) }
  static func name(_ number: UInt64) -> [UInt8] { Array("account \(number)".utf8) }
  /// Fewer where there are many events, so that the test is quick.
  static func isPayment(_ sequence: UInt64) -> Bool {
    sequence.isMultiple(of: sequence < 100_000 ? 3 : 33)
  }
  static func names(_ sequence: UInt64, _ nameCount: UInt64) -> [UInt64] {
    // Some names are everywhere, others only in a part of the log.
    [sequence % nameCount, nameCount + sequence / 40_000]
  }

  /// Keys by the events' numbers; they begin at 1 in the first segment.
  static func keys(_ first: @escaping @Sendable (LookupKeys) -> UInt64, nameCount: UInt64)
    -> RecordKeys
  {
    RecordKeys { records, event, keys in
      for number in 0..<UInt64(records.byteCount / 3) {
        let sequence = first(keys) + UInt64(event) + number
        guard isPayment(sequence) else { continue }
        let event = event + UInt32(number)
        let id = id(sequence)
        keys.noteID(keys.hash.hash(0..<id.count, in: id.span.bytes), event: event)
        for name in names(sequence, nameCount) {
          let name = self.name(name)
          keys.noteName(keys.hash.hash(0..<name.count, in: name.span.bytes), event: event)
        }
      }
      return true
    }
  }

  /// A log of segments that hold so many events, and its reader.
  static func log(
    _ segments: [Int], batchEvents: Int, nameCount: UInt64 = 20
  ) throws -> (
    files: MemoryFileSystem, reader: LogReader<MemoryFileSystem>, positions: LogPositions
  ) {
    var leader = SampleLeader()
    var batches: [Batch] = []
    for count in segments + [1] {
      for start in stride(from: 0, to: count, by: batchEvents) {
        let events = min(batchEvents, count - start)
        let records = [UInt8]((0..<events).map { [1, 0, UInt8($0 & 255)] }.joined())
        batches.append(
          leader.batch(
            records, count: events, starts: start == 0 && !batches.isEmpty, isFramed: true))
      }
    }
    let files = MemoryFileSystem()
    // The keys are the same whatever numbers the events have: told apart by what they are hashed under.
    let starts = Dictionary(
      uniqueKeysWithValues: batches.filter(\.header.startsSegment).map {
        (SipHash(keyOf: $0.header.previousHash), $0.header.firstSequence.rawValue)
      })
    var store = try MemoryStore.open(
      files, directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(
        keys: keys({ starts[$0.hash] ?? 0 }, nameCount: nameCount))
    ) { _ in }
    try store.append(batches)
    try store.sealAll()
    return (
      files, LogReader(files, directory: directory, positions: store.positions), store.positions
    )
  }
}

@Suite struct IndexTests {
  /// Requires that look-ups name the stretches of every event in question, and few others.
  private func check(
    _ reader: LogReader<MemoryFileSystem>, nameCount: UInt64, idStretch: UInt64,
    nameStretch: UInt64, step: UInt64
  ) throws {
    var (asked, wrong) = (0, 0)
    for segment in reader.segments where segment.isSealed {
      let (first, last) = (segment.first.rawValue, segment.last.rawValue)
      for sequence in stride(from: first, through: last, by: UInt64.Stride(step)) {
        let found = try #require(
          try reader.stretches(of: .id(Sample.id(sequence)), in: segment.id))
        let right = found.filter { $0.contains(EventSequence(sequence)) }
        if Sample.isPayment(sequence) { #expect(right.count == 1, "\(sequence)") }
        asked += 1
        wrong += found.count - (Sample.isPayment(sequence) ? 1 : 0)
        for stretch in found {
          #expect(stretch.lowerBound >= segment.first)
          #expect(stretch.upperBound.rawValue - stretch.lowerBound.rawValue < idStretch)
        }
      }
      var expected: [UInt64: Set<UInt64>] = [:]
      for sequence in stride(from: first + (3 - first % 3) % 3, through: last, by: 3)
      where Sample.isPayment(sequence) {
        for name in Sample.names(sequence, nameCount) {
          expected[name, default: []].insert((sequence - 1) / nameStretch)
        }
      }
      for name in 0..<nameCount + 5 {
        let found = try #require(
          try reader.stretches(of: .account(Sample.name(name)), in: segment.id))
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
        let stretches = Set(found.map { ($0.lowerBound.rawValue - 1) / nameStretch })
        #expect(stretches == expected[name, default: []], "\(name)")
      }
    }
    #expect(asked > 100 && wrong * 500 < asked)
  }

  @Test func `every payment of several segments is found, and little else`() throws {
    let log = try Sample.log([3000, 20_000, 1, 64, 9000], batchEvents: 700)
    try check(log.reader, nameCount: 20, idStretch: 256, nameStretch: 8192, step: 1)
    // The last one is not sealed.
    let live = try #require(log.reader.segments.last)
    #expect(!live.isSealed)
    #expect(try log.reader.stretches(of: .id([1]), in: live.id) == nil)
    let header = try #require(try log.reader.batches(from: live.id.firstIndex, byteLimit: 1).first)
    #expect(header.header.startsSegment)
  }

  @Test func `stretches grow with the segment`() throws {
    let log = try Sample.log([100_000, 2_200_000], batchEvents: 300_000)
    try check(log.reader, nameCount: 20, idStretch: 1024, nameStretch: 16_384, step: 997)
  }

  @Test func `a visit sees the batches of its stretch`() throws {
    let log = try Sample.log([5000, 4000], batchEvents: 300)
    for range in [1...1, 299...302, 4990...5010, 8999...9001] as [ClosedRange<UInt64>] {
      var seen: [UInt64] = []
      try log.reader.visit(EventSequence(range.lowerBound)...EventSequence(range.upperBound)) {
        seen += $0.header.firstSequence.rawValue...$0.header.lastSequence.rawValue
        return true
      }
      #expect(range.allSatisfy { seen.contains($0) } && seen.count <= range.count + 600)
    }
  }

  @Test func `a changed byte of an index is an error, and never hides a payment`() throws {
    let log = try Sample.log([900], batchEvents: 300)
    let path = log.files.path(1)
    let whole = try #require(log.files.bytes(path))
    let end = 96 + 3 * 212
    var errors = 0
    for position in Array(0..<96) + Array(end..<whole.count) {
      var changed = whole
      changed[position] ^= 1 << UInt8(position % 8)
      log.files.put(path, changed)
      // A reader that has not looked into the file yet.
      let reader = LogReader(log.files, directory: directory, positions: log.positions)
      do {
        for sequence in stride(from: UInt64(3), through: 900, by: 57) {
          let found = try reader.stretches(
            of: .id(Sample.id(sequence)), in: SegmentID(LogIndex(1)))
          #expect(found?.contains { $0.contains(EventSequence(sequence)) } == true, "\(position)")
        }
        for name in 0..<20 as Range<UInt64> {
          let found = try reader.stretches(
            of: .account(Sample.name(name)), in: SegmentID(LogIndex(1)))
          #expect(found?.isEmpty == false, "\(position)")
        }
      } catch {
        guard case .damaged = error else { throw error }
        errors += 1
      }
    }
    #expect(errors > 1000)
  }

  @Test func `ids that crowd one bucket are found, and so are the others`() throws {
    // Whoever knows the key can choose them: the first segment's is zeros.
    let hash = SipHash(keyOf: .zero)
    var crowd: [[UInt8]] = []
    var number = 0
    while crowd.count < 2000 {
      let id = Array("aimed \(number)".utf8)
      number += 1
      if hash.hash(0..<id.count, in: id.span.bytes) >> 59 == 7 { crowd.append(id) }
    }
    let ids = crowd
    let files = MemoryFileSystem()
    var leader = SampleLeader()
    var store = try MemoryStore.open(
      files, directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(
        keys: RecordKeys { _, event, keys in
          for (place, id) in ids.enumerated() {
            keys.noteID(
              keys.hash.hash(0..<id.count, in: id.span.bytes), event: event + UInt32(place))
          }
          return true
        })
    ) { _ in }
    let records = [UInt8](ids.map { _ in [1, 0, 0] }.joined())
    try store.append([
      leader.batch(records, count: ids.count, isFramed: true), leader.batch([], starts: true),
    ])
    try store.sealAll()
    let reader = LogReader(files, directory: directory, positions: store.positions)
    for (place, id) in ids.enumerated() {
      let found = try reader.stretches(of: .id(id), in: SegmentID(LogIndex(1)))
      #expect(found?.contains { $0.contains(EventSequence(UInt64(place + 1))) } == true)
    }
  }

  @Test func `the largest segment's footer fits its limit`() {
    let events = SegmentFormat.segmentEventCountMax
    // One entry an event by id, two by name, and a bucket's place for 33 of them at the least.
    let entries = events * 4 * 3
    let directories = entries / 33
    let tree = events / 256 * 32 + 130 * 32
    let sparse = (1 << 30) / SegmentFormat.indexIntervalByteCount * 40
    let checks = (entries + directories) / 4096 * 8
    #expect(
      (entries + directories + tree + sparse + checks) * 10
        < SegmentFormat.footerByteCountMax * 9)
  }
}

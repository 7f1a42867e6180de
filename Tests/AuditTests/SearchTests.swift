import Audit
import Bytes
import HostFiles
import HybridTime
import Ledger
import SegmentLog
import Testing

/// Look-ups by the segments' indexes, held against the payments that were logged.
@Suite struct SearchTests {
  private func log() throws -> TestCluster {
    var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks, seed: 5)
    try cluster.build(batchCount: 30, eventsPerBatch: 300)
    try cluster.write(1, cluster.batches)
    return cluster
  }

  private func found(
    _ path: String, _ subject: SearchSubject, newestFirst: Bool = false, limit: Int = .max
  ) throws -> (sequences: [UInt64], byteCount: UInt64) {
    var search = try SegmentSearch(path, in: PosixFileSystem())
    let events = try search.find(subject, limit: limit, newestFirst: newestFirst)
    return (events.map(\.sequence.rawValue), search.byteCount)
  }

  /// The events of which `isWanted` holds.
  private func expected(
    _ cluster: TestCluster, _ isWanted: (TestPayment) -> Bool
  ) -> [UInt64] {
    cluster.payments.indices.filter { isWanted(cluster.payments[$0]) }.map { UInt64($0 + 1) }
  }

  @Test func `every payment is found by its id, and nothing else, in a log and in its archive`()
    throws
  {
    let cluster = try log()
    let archive = cluster.data(1) + "-archive"
    _ = try ArchiveReport(
      cluster.data(1), into: archive, level: 12, in: PosixFileSystem(), meter: ProgressMeter())
    for place in stride(from: 0, to: cluster.payments.count, by: 37) {
      let id = cluster.payments[place].id
      let wanted = expected(cluster) { $0.id == id }
      #expect(try found(cluster.data(1), .id(id)).sequences == wanted)
      #expect(try found(cluster.data(1), .id(id), newestFirst: true).sequences == wanted.reversed())
      #expect(try found(archive, .id(id)).sequences == wanted.filter { $0 <= 7200 })
    }
    for number in 0..<50 as Range<UInt64> {
      #expect(try found(archive, .id(TransactionID(high: 1, low: number))).sequences.isEmpty)
    }
  }

  @Test func `every payment of an account is found, from either end`() throws {
    let cluster = try log()
    for name in ["account 0", "account 5", "nobody"] {
      let wanted = expected(cluster) { $0.sender == name || $0.receiver == name }
      let subject = SearchSubject.account(Array(name.utf8))
      #expect(try found(cluster.data(1), subject).sequences == wanted)
      #expect(
        try found(cluster.data(1), subject, newestFirst: true, limit: 9).sequences
          == wanted.suffix(9).reversed())
      #expect(try found(cluster.data(1), subject, limit: 7).sequences == Array(wanted.prefix(7)))
    }
  }

  @Test func `an event is found by its number, and by the time from which on it is the first`()
    throws
  {
    let cluster = try log()
    var times: [Int64] = []
    for batch in cluster.batches {
      let records = batch.records
      var cursor = RecordCursor(records.span.bytes)
      while let record = try cursor.next(in: records.span.bytes) {
        times.append(try record.stamp(in: records.span.bytes).reading.correctedNanoseconds)
      }
    }
    let last = UInt64(times.count)
    for sequence in [1, 2, 299, 300, 301, 2400, 2401, 8999, last] as [UInt64] {
      #expect(
        try found(cluster.data(1), .sequence(EventSequence(sequence))).sequences == [sequence])
    }
    #expect(try found(cluster.data(1), .sequence(EventSequence(last + 1))).sequences.isEmpty)
    #expect(try found(cluster.data(1), .sequence(.zero)).sequences.isEmpty)
    for place in stride(from: 0, to: times.count, by: 431) {
      for time in [times[place], times[place] + 1] {
        let wanted = times.firstIndex { $0 >= time }.map { [UInt64($0 + 1)] } ?? []
        #expect(try found(cluster.data(1), .time(time)).sequences == wanted)
      }
    }
    #expect(try found(cluster.data(1), .time(.max)).sequences.isEmpty)
  }

  @Test func `a look-up reads little of a sealed segment`() throws {
    let cluster = try log()
    let archive = cluster.data(1) + "-archive"
    let report = try ArchiveReport(
      cluster.data(1), into: archive, level: 1, in: PosixFileSystem(), meter: ProgressMeter())
    let segments = UInt64(report.segments.count)
    let missing = try found(archive, .id(TransactionID(high: 1, low: 1)))
    #expect(missing.byteCount < segments * 10_000)
    let all = report.segments.reduce(0) { $0 + $1.byteCountAfter }
    let payment = try #require(
      cluster.payments[700...].first { payment in
        cluster.payments.count { $0.id == payment.id } == 1
      })
    let one = try found(archive, .id(payment.id))
    // Two batches hold the stretch of 256 events.
    #expect(one.byteCount < missing.byteCount + 80_000 && one.byteCount < all / 3)
  }

  @Test func `a wrong index is a fault that verify names`() throws {
    var cluster = TestCluster(nodeCount: 1, clocks: TestCluster.plainClocks)
    try cluster.build(batchCount: 10, eventsPerBatch: 5)
    let wrong = RecordKeys { records, event, keys in
      keys.appendPayments(of: records, from: event &+ 256)
    }
    for (keys, isFaulty) in [(RecordKeys.payments, false), (.none, true), (wrong, true)] {
      try? PosixFileSystem().remove(cluster.segment(1, first: 1))
      try? PosixFileSystem().remove(cluster.segment(1, first: 9))
      try cluster.write(1, cluster.batches, keys: keys)
      let report = try VerifyReport(
        [cluster.data(1)], in: PosixFileSystem(), meter: ProgressMeter())
      #expect(report.hasFault == isFaulty)
      if isFaulty { #expect(report.nodes[0].fault?.reason.contains("index") == true) }
    }
  }
}

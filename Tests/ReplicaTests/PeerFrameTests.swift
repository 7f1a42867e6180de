import Bytes
import ClockSync
import HybridTime
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

@Suite struct PeerFrameTests {
  private static let stamp = Stamp(
    reading: ClockReading(
      rawNanoseconds: 5, correctionNanoseconds: -3, boundNanoseconds: 9, epoch: 2,
      status: .holdover, reference: .cluster),
    hybrid: HybridTimestamp(wallNanoseconds: 2, logical: 1), node: NodeID(3))

  static func batch(_ index: UInt64, records: [UInt8], count: Int) throws -> Batch {
    var builder = BatchBuilder()
    return try builder.build(
      BatchFields(
        startsSegment: index == 1, index: LogIndex(index), term: Term(2),
        firstSequence: EventSequence(index), count: count, commit: .zero, stamp: stamp,
        correctedMin: 2, correctedMax: 2, hybridMax: stamp.hybrid, previousHash: .zero),
      records: records)
  }

  static func record(_ number: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    draft(number).encode(stamp: stamp, into: &writer)
    return writer.bytes
  }

  static func messages() throws -> [PeerMessage] {
    let entry = EntryID(index: LogIndex(4), term: Term(2))
    let append = AppendRequest(
      term: Term(3), previous: entry, commit: LogIndex(3), entryTerms: [Term(2), Term(2)])
    let reading = stamp.hybrid
    return [
      .raft(.preVoteRequest(term: Term(7), last: entry)),
      .raft(.preVoteResponse(term: Term(7), granted: true)),
      .raft(.voteRequest(term: Term(7), last: entry, transfer: true)),
      .raft(.voteResponse(term: Term(7), granted: false)),
      .raft(.appendResponse(AppendResponse(term: Term(3), outcome: .accepted(match: LogIndex(9))))),
      .raft(
        .appendResponse(
          AppendResponse(
            term: Term(3),
            outcome: .rejected(
              hint: AppendHint(
                previous: LogIndex(4), cause: .conflict(term: Term(1), first: LogIndex(2))))))),
      .raft(
        .appendResponse(
          AppendResponse(
            term: Term(3),
            outcome: .rejected(
              hint: AppendHint(previous: LogIndex(4), cause: .logEnd(last: entry)))))),
      .raft(.heartbeatRequest(term: Term(3), commit: LogIndex(2), round: 8)),
      .raft(.heartbeatResponse(term: Term(3), round: 8)),
      .raft(.timeoutNow(term: Term(3))),
      .checkpoint(
        SignedCheckpoint(
          publicKey: (0..<32).map { UInt8($0) },
          note: "syncpay/log\n7\nAAAA\n\n\u{2014} syncpay/log AAAA\n")),
      .append(
        append,
        batches: [
          try batch(5, records: record(1), count: 1), try batch(6, records: [], count: 0),
        ]),
      .forward(ForwardedEvents(count: 1, records: record(2), mayRepeat: true)),
      .forwardRefused(ForwardRefusal(first: reading, last: reading, reason: .clockAhead)),
      .clockRequest(nonce: 77),
      .clockResponse(
        PeerClockAnswer(
          nonce: 77, receiveNanoseconds: 1, transmitNanoseconds: 2,
          claim: PeerClockClaim(
            correctionNanoseconds: -1, boundNanoseconds: 3, status: .synchronized,
            reference: .external, isDirect: true))),
    ]
  }

  @Test func `every message comes back as it was sent`() throws {
    var opener = BatchOpener()
    for message in try Self.messages() {
      var first = ByteWriter()
      PeerFrame.encode(message, into: &first)
      let frame = Array(first.bytes.dropFirst(4))
      let length = first.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
      #expect(Int(length) == frame.count)
      let decoded = try PeerFrame.decode(frame.span.bytes, opener: &opener)
      var second = ByteWriter()
      PeerFrame.encode(decoded, into: &second)
      #expect(first.bytes == second.bytes)
    }
  }

  @Test func `a small frame cannot ask for much memory, and no request is cut so that it would`()
    throws
  {
    let records = [UInt8](repeating: 0, count: SegmentFormat.recordsByteCountMax)
    let batch = try Self.batch(1, records: records, count: 1)
    let batches = try [batch] + (2...40).map { try Self.batch($0, records: records, count: 1) }
    let request = AppendRequest(
      term: Term(3), previous: EntryID(index: .zero, term: .zero), commit: .zero,
      entryTerms: batches.map(\.header.term))
    var opener = BatchOpener()
    var whole = ByteWriter()
    PeerFrame.encode(.append(request, batches: batches), into: &whole)
    #expect(whole.count < 1 << 20)
    #expect(throws: PeerFrameError.entryCountInvalid(40)) {
      try PeerFrame.decode(Array(whole.bytes.dropFirst(4)).span.bytes, opener: &opener)
    }
    var counts: [Int] = []
    for part in AppendParts(request: request, batches: batches) {
      var writer = ByteWriter()
      PeerFrame.encode(.append(part.request, batches: part.batches), into: &writer)
      _ = try PeerFrame.decode(Array(writer.bytes.dropFirst(4)).span.bytes, opener: &opener)
      counts.append(part.batches.count)
    }
    #expect(counts == [32, 8])
  }

  @Test func `a hello names cluster, node and version, and nothing else passes for one`() throws {
    let hello = PeerHello(cluster: ClusterID(name: "a"), node: NodeID(2))
    var writer = ByteWriter()
    PeerFrame.encode(hello, into: &writer)
    let frame = Array(writer.bytes.dropFirst(4))
    #expect(try PeerFrame.decodeHello(frame.span.bytes) == hello)
    var other = frame
    other[5] = 9
    #expect(throws: PeerFrameError.versionMismatch(theirs: 9)) {
      try PeerFrame.decodeHello(other.span.bytes)
    }
    for end in 0..<frame.count {
      #expect(throws: PeerFrameError.self) {
        try PeerFrame.decodeHello(Array(frame[..<end]).span.bytes)
      }
    }
  }

  @Test func `frames cut short or changed are refused and never trap`() throws {
    var opener = BatchOpener()
    let seed: UInt64 = .random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    for message in try Self.messages() {
      var writer = ByteWriter()
      PeerFrame.encode(message, into: &writer)
      let frame = Array(writer.bytes.dropFirst(4))
      for end in 0..<frame.count {
        let cut = Array(frame[..<end])
        if case .forward = message, end > 6 { continue }  // Records are checked by the leader.
        #expect(throws: PeerFrameError.self, "seed \(seed)") {
          try PeerFrame.decode(cut.span.bytes, opener: &opener)
        }
      }
      for _ in 0..<300 {
        var changed = frame
        for _ in 0...Int.random(in: 0..<4, using: &generator) {
          changed[Int.random(in: 0..<changed.count, using: &generator)] = UInt8.random(
            in: 0 ... .max, using: &generator)
        }
        _ = try? PeerFrame.decode(changed.span.bytes, opener: &opener)
      }
    }
  }

  @Test func `forwarded records are checked one by one by the leader`() throws {
    let records = Self.record(1) + Self.record(2)
    let parsed = try ForwardedRecords(
      ForwardedEvents(count: 2, records: records, mayRepeat: false))
    #expect(parsed.records.count == 2)
    #expect(throws: DecodeError.self) {
      try ForwardedRecords(ForwardedEvents(count: 3, records: records, mayRepeat: false))
    }
    for end in 1..<records.count where end != Self.record(1).count {
      #expect(throws: DecodeError.self) {
        try ForwardedRecords(
          ForwardedEvents(count: 2, records: Array(records[..<end]), mayRepeat: false))
      }
    }
  }
}

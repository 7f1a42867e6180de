import Bytes
import Ledger
import Raft
import SegmentLog
import Testing

@testable import Replica

/// Frames of reads, operators and digests.
@Suite struct OperatorFrameTests {
  private static let member = ClusterMember(
    id: NodeID(4), peerAddress: "10.0.0.4:6001", clientAddress: "[::1]:5001", store: 99)

  private static let requests: [OperatorRequest] =
    [
      .addLearner(member), .addLearner(ClusterMember(id: NodeID(4))), .promote(NodeID(4)),
      .demote(NodeID(3)), .remove(NodeID(1023)), .replace(NodeID(3), with: NodeID(4)),
      .transferLeadership(to: nil), .transferLeadership(to: NodeID(2)),
    ] + PolicyKey.allCases.map { .setPolicy($0, to: $0.range.upperBound) }

  private static let results: [OperatorResult] =
    [.done(.zero), .done(LogIndex(1 << 40))] + OperatorRefusal.allCases.map { .refused($0) }

  private static var messages: [PeerMessage] {
    requests.map { .operatorRequest(context: 7, $0) }
      + results.map { .operatorResponse(context: .max, $0) } + [
        .raft(.readRequest(term: Term(3), context: 8)),
        .raft(.readResponse(term: Term(3), context: 8, index: LogIndex(12))),
        .digest(index: LogIndex(12), digest),
      ]
  }

  private static let digest = Digest256(
    at: 0, in: Array(UInt8(0)..<UInt8(Digest256.byteCount)).span.bytes)

  /// A message's frame after its length.
  private static func frame(_ message: PeerMessage) -> [UInt8] {
    var writer = ByteWriter()
    PeerFrame.encode(message, into: &writer)
    return Array(writer.bytes.dropFirst(4))
  }

  private static func decode(_ frame: [UInt8]) throws(PeerFrameError) -> PeerMessage {
    var opener = BatchOpener()
    return try PeerFrame.decode(frame.span.bytes, opener: &opener)
  }

  @Test func `an operator's request and its result come back as they were sent`() throws {
    for request in Self.requests {
      let message = try Self.decode(Self.frame(.operatorRequest(context: 7, request)))
      guard case .operatorRequest(7, request) = message else {
        Issue.record("\(request) became \(message)")
        continue
      }
    }
    for result in Self.results {
      let message = try Self.decode(Self.frame(.operatorResponse(context: .max, result)))
      guard case .operatorResponse(.max, result) = message else {
        Issue.record("\(result) became \(message)")
        continue
      }
    }
  }

  @Test func `reads and digests come back as they were sent`() throws {
    let read = RaftMessage.readRequest(term: Term(3), context: 8)
    guard case .raft(read) = try Self.decode(Self.frame(.raft(read))) else {
      Issue.record("another request")
      return
    }
    let answer = RaftMessage.readResponse(term: Term(3), context: 8, index: LogIndex(12))
    guard case .raft(answer) = try Self.decode(Self.frame(.raft(answer))) else {
      Issue.record("another answer")
      return
    }
    guard
      case .digest(LogIndex(12), Self.digest) = try Self.decode(
        Self.frame(.digest(index: LogIndex(12), Self.digest)))
    else {
      Issue.record("another digest")
      return
    }
  }

  @Test func `the frames are those of the protocol's page`() {
    // kind, context, form, then the fields.
    #expect(
      Self.frame(.operatorRequest(context: 7, .replace(NodeID(3), with: NodeID(4))))
        == [17] + [7, 0, 0, 0, 0, 0, 0, 0] + [5, 3, 0, 4, 0])
    #expect(
      Self.frame(.operatorRequest(context: 7, .transferLeadership(to: nil)))
        == [17] + [7, 0, 0, 0, 0, 0, 0, 0] + [6, 0, 0])
    #expect(
      Self.frame(.operatorRequest(context: 7, .setPolicy(.retainDays, to: 258)))
        == [17] + [7, 0, 0, 0, 0, 0, 0, 0] + [7, 5, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    #expect(
      Self.frame(.operatorResponse(context: 7, .done(LogIndex(2))))
        == [18] + [7, 0, 0, 0, 0, 0, 0, 0] + [0, 2, 0, 0, 0, 0, 0, 0, 0])
    #expect(
      Self.frame(.operatorResponse(context: 7, .refused(.behind)))
        == [18] + [7, 0, 0, 0, 0, 0, 0, 0] + [7])
    #expect(
      Self.frame(.raft(.readRequest(term: Term(3), context: 8)))
        == [15] + [3, 0, 0, 0, 0, 0, 0, 0] + [8, 0, 0, 0, 0, 0, 0, 0])
    #expect(Self.frame(.digest(index: LogIndex(1), Self.digest)).count == 1 + 8 + 32)
  }

  @Test func `frames cut short, too long or changed are refused and never trap`() throws {
    let seed: UInt64 = .random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    for message in Self.messages {
      let frame = Self.frame(message)
      for end in 0..<frame.count {
        #expect(throws: PeerFrameError.self, "seed \(seed)") {
          try Self.decode(Array(frame[..<end]))
        }
      }
      #expect(throws: PeerFrameError.trailingBytes(count: 1)) { try Self.decode(frame + [0]) }
      for _ in 0..<300 {
        var changed = frame
        for _ in 0...Int.random(in: 0..<4, using: &generator) {
          changed[Int.random(in: 0..<changed.count, using: &generator)] = UInt8.random(
            in: 0 ... .max, using: &generator)
        }
        _ = try? Self.decode(changed)
      }
    }
  }

  @Test func `a request that no operator makes is refused`() {
    let head: [UInt8] = [17] + [7, 0, 0, 0, 0, 0, 0, 0]
    let wrong: [[UInt8]] = [
      [0], [8, 1, 0],  // No such form.
      [2, 0, 0], [5, 3, 0, 0, 0],  // No node has the number 0.
      [7, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],  // No such rule.
      [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],  // A member without a number.
      [1, 4, 0, 1, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0],  // A space in an address.
      [1, 4, 0, 65] + Array(repeating: 0x61, count: 65) + [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    for body in wrong {
      #expect(throws: PeerFrameError.self, "\(body)") { try Self.decode(head + body) }
    }
    #expect(throws: PeerFrameError.self) {
      try Self.decode([18] + [7, 0, 0, 0, 0, 0, 0, 0] + [200])  // No such refusal.
    }
  }
}

import Bytes
import ClockSync
import HybridTime
import Ledger
import Raft
import Replica
import SegmentLog

/// One frame of every kind and form.
enum PeerFrameSeeds {
  /// The kinds of frames that hold batches (`PeerProtocol.md`).
  static let kindAppend: UInt8 = 6
  static let kindBatches: UInt8 = 21

  static var all: [[UInt8]] {
    let frames = messages.map { message in
      var writer = ByteWriter()
      PeerFrame.encode(message, into: &writer)
      return Array(writer.bytes.dropFirst(4))
    }
    return [hello] + frames + storedBatches
  }

  private static var hello: [UInt8] {
    var writer = ByteWriter()
    PeerFrame.encode(
      PeerHello(cluster: Samples.cluster, node: NodeID(2), store: 77), into: &writer)
    return Array(writer.bytes.dropFirst(4))
  }

  private static let entry = EntryID(index: LogIndex(4), term: Term(2))

  private static var batches: [Batch] {
    Samples.batches(
      [(Samples.records(Array(Samples.events[..<2])), 2), ([], 0)], startsSegment: false, from: 5)
  }

  private static var messages: [PeerMessage] {
    consensus + requests + [
      .append(
        AppendRequest(
          term: Term(3), previous: entry, commit: LogIndex(3),
          entryTerms: batches.map(\.header.term)), batches: batches),
      .append(
        AppendRequest(term: Term(3), previous: entry, commit: LogIndex(3), entryTerms: []),
        batches: []),
      .forward(
        ForwardedEvents(
          count: 2, records: Samples.records(Array(Samples.events[1..<3])), mayRepeat: true)),
      .forwardRefused(
        ForwardRefusal(
          first: Samples.stamp(1).hybrid, last: Samples.stamp(2).hybrid, reason: .clockAhead)),
      .clockRequest(nonce: 77),
      .clockResponse(
        PeerClockAnswer(
          nonce: 77, receiveNanoseconds: 1, transmitNanoseconds: 2,
          claim: PeerClockClaim(
            correctionNanoseconds: -1, boundNanoseconds: 3, status: .synchronized,
            reference: .external, isDirect: true))),
      .digest(index: LogIndex(12), batches[0].header.hash),
      .batchesRequest(
        BatchesRequest(first: LogIndex(5), last: LogIndex(9), mustBeCommitted: true)),
      .batches(BatchesAnswer(first: LogIndex(5), batches: batches)),
      .batches(BatchesAnswer(first: LogIndex(5), problem: .lost)),
      .storeRefused,
      .checkpoint(
        SignedCheckpoint(
          publicKey: [UInt8](repeating: 7, count: 32), note: "log\n1\nroot\n\n— a AAAAAAE=\n")),
    ]
  }

  private static var consensus: [PeerMessage] {
    let hints: [AppendHint.Cause] = [
      .conflict(term: Term(1), first: LogIndex(2)), .logEnd(last: entry),
    ]
    let outcomes: [AppendResponse.Outcome] =
      [.accepted(match: LogIndex(9))]
      + hints.map { .rejected(hint: AppendHint(previous: LogIndex(4), cause: $0)) }
    return outcomes.map { .raft(.appendResponse(AppendResponse(term: Term(3), outcome: $0))) } + [
      .raft(.preVoteRequest(term: Term(7), last: entry)),
      .raft(.preVoteResponse(term: Term(7), granted: true)),
      .raft(.voteRequest(term: Term(7), last: entry, transfer: true)),
      .raft(.voteResponse(term: Term(7), granted: false)),
      .raft(.heartbeatRequest(term: Term(3), commit: LogIndex(2), round: 8)),
      .raft(.heartbeatResponse(term: Term(3), round: 8)),
      .raft(.timeoutNow(term: Term(3))),
      .raft(.readRequest(term: Term(3), context: 8)),
      .raft(.readResponse(term: Term(3), context: 8, index: LogIndex(12))),
    ]
  }

  private static var requests: [PeerMessage] {
    let member = ClusterMember(
      id: NodeID(4), peerAddress: "10.0.0.4:6001", clientAddress: "[::1]:5001", store: 99)
    let requests: [OperatorRequest] = [
      .addLearner(member), .promote(NodeID(4)), .demote(NodeID(3)), .remove(NodeID(1023)),
      .replace(NodeID(3), with: NodeID(4)), .transferLeadership(to: nil),
      .transferLeadership(to: NodeID(2)), .setPolicy(.segmentBytes, to: 1 << 20),
    ]
    return requests.map { .operatorRequest(context: 7, $0) } + [
      .operatorResponse(context: 7, .done(LogIndex(9))),
      .operatorResponse(context: 7, .refused(.behind)),
    ]
  }

  /// The frames that hold batches, these with their records stored: they can be changed at will.
  private static var storedBatches: [[UInt8]] {
    [kindAppend, kindBatches].map { kind in
      var writer = ByteWriter()
      writer.integer(kind)
      if kind == kindAppend {
        for field in [3, 4, 2, 3] as [UInt64] { writer.integer(field) }
      } else {
        writer.integer(UInt64(5))
        writer.integer(UInt8(0))
      }
      writer.integer(UInt32(batches.count))
      for batch in batches {
        let bytes = Samples.stored(batch)
        writer.integer(UInt32(bytes.count))
        writer.append(contentsOf: bytes)
      }
      return writer.bytes
    }
  }
}

package import Bytes
import ClockSync
import HybridTime
import Raft
import SegmentLog

extension PeerFrame {
  /// Appends a message as one frame, length included.
  package static func encode(_ message: PeerMessage, into writer: inout ByteWriter) {
    switch message {
    case .raft(let raft): encode(raft, into: &writer)
    case .append(let request, let batches): encode(request, batches, into: &writer)
    case .forward(let events):
      frame(.forward, into: &writer) { writer in
        writer.integer(UInt8(events.mayRepeat ? 1 : 0))
        writer.integer(UInt32(events.count))
        writer.append(contentsOf: events.records)
      }
    case .forwardRefused(let refusal):
      frame(.forwardRefused, into: &writer) { writer in
        writer.integer(refusal.reason.rawValue)
        encode(refusal.first, into: &writer)
        encode(refusal.last, into: &writer)
      }
    case .operatorRequest(let context, let request):
      frame(.operatorRequest, into: &writer) { writer in
        writer.integer(context)
        request.encode(into: &writer)
      }
    case .operatorResponse(let context, let result):
      frame(.operatorResponse, into: &writer) { writer in
        writer.integer(context)
        result.encode(into: &writer)
      }
    case .digest(let index, let digest):
      frame(.digest, into: &writer) { writer in
        writer.integer(index.rawValue)
        digest.withBytes { writer.append(contentsOf: [UInt8]($0)) }
      }
    case .batchesRequest(let request):
      frame(.batchesRequest, into: &writer) { writer in
        writer.integer(request.first.rawValue)
        writer.integer(request.last.rawValue)
        writer.integer(UInt8(request.mustBeCommitted ? 1 : 0))
      }
    case .storeRefused: frame(.storeRefused, into: &writer) { _ in }
    case .checkpoint(let checkpoint):
      frame(.checkpoint, into: &writer) { writer in
        writer.append(contentsOf: checkpoint.publicKey)
        writer.integer(UInt16(checkpoint.note.utf8.count))
        writer.append(contentsOf: checkpoint.note.utf8)
      }
    case .batches(let answer): encode(answer, into: &writer)
    case .clockRequest(let nonce): frame(.clockRequest, into: &writer) { $0.integer(nonce) }
    case .clockResponse(let answer):
      frame(.clockResponse, into: &writer) { answer.encode(into: &$0) }
    }
  }

  private static func encode(_ message: RaftMessage, into writer: inout ByteWriter) {
    switch message {
    case .preVoteRequest(let term, let last):
      frame(.preVoteRequest, into: &writer) { writer in
        writer.integer(term.rawValue)
        encode(last, into: &writer)
      }
    case .preVoteResponse(let term, let granted):
      frame(.preVoteResponse, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(UInt8(granted ? 1 : 0))
      }
    case .voteRequest(let term, let last, let transfer):
      frame(.voteRequest, into: &writer) { writer in
        writer.integer(term.rawValue)
        encode(last, into: &writer)
        writer.integer(UInt8(transfer ? 1 : 0))
      }
    case .voteResponse(let term, let granted):
      frame(.voteResponse, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(UInt8(granted ? 1 : 0))
      }
    case .appendRequest(let request): encode(request, [], into: &writer)
    case .appendResponse(let response): encode(response, into: &writer)
    case .heartbeatRequest(let term, let commit, let round):
      frame(.heartbeatRequest, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(commit.rawValue)
        writer.integer(round)
      }
    case .heartbeatResponse(let term, let round):
      frame(.heartbeatResponse, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(round)
      }
    case .timeoutNow(let term):
      frame(.timeoutNow, into: &writer) { $0.integer(term.rawValue) }
    case .readRequest(let term, let context):
      frame(.readRequest, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(context)
      }
    case .readResponse(let term, let context, let index):
      frame(.readResponse, into: &writer) { writer in
        writer.integer(term.rawValue)
        writer.integer(context)
        writer.integer(index.rawValue)
      }
    }
  }

  private static func encode(
    _ request: AppendRequest, _ batches: [Batch], into writer: inout ByteWriter
  ) {
    precondition(request.entryTerms.count == batches.count, "a batch for every entry")
    precondition(batches.count <= entryCountMax)
    frame(.append, into: &writer) { writer in
      writer.integer(request.term.rawValue)
      encode(request.previous, into: &writer)
      writer.integer(request.commit.rawValue)
      encode(batches, into: &writer)
    }
  }

  private static func encode(_ batches: [Batch], into writer: inout ByteWriter) {
    writer.integer(UInt32(batches.count))
    for batch in batches {
      writer.integer(UInt32(batch.bytes.count))
      writer.append(contentsOf: batch.bytes)
    }
  }

  private static func encode(_ answer: BatchesAnswer, into writer: inout ByteWriter) {
    precondition(answer.batches.count <= entryCountMax)
    frame(.batches, into: &writer) { writer in
      writer.integer(answer.first.rawValue)
      writer.integer(answer.problem?.rawValue ?? 0)
      encode(answer.batches, into: &writer)
    }
  }

  private static func encode(_ response: AppendResponse, into writer: inout ByteWriter) {
    frame(.appendResponse, into: &writer) { writer in
      writer.integer(response.term.rawValue)
      switch response.outcome {
      case .accepted(let match):
        writer.integer(UInt8(0))
        writer.integer(match.rawValue)
      case .rejected(let hint):
        encode(hint, into: &writer)
      }
    }
  }

  private static func encode(_ hint: AppendHint, into writer: inout ByteWriter) {
    switch hint.cause {
    case .conflict(let term, let first):
      writer.integer(UInt8(1))
      writer.integer(hint.previous.rawValue)
      writer.integer(term.rawValue)
      writer.integer(first.rawValue)
    case .logEnd(let last):
      writer.integer(UInt8(2))
      writer.integer(hint.previous.rawValue)
      encode(last, into: &writer)
    }
  }

  private static func encode(_ entry: EntryID, into writer: inout ByteWriter) {
    writer.integer(entry.index.rawValue)
    writer.integer(entry.term.rawValue)
  }

  private static func encode(_ time: HybridTimestamp, into writer: inout ByteWriter) {
    writer.integer(time.wallNanoseconds)
    writer.integer(time.logical)
  }
}

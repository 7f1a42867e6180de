import Bytes
import ClockSync
import HybridTime
import Raft
package import SegmentLog

extension PeerFrame {
  /// Reads one message from a frame's bytes after its length. Batches are verified: what comes
  /// back may be stored and acknowledged.
  package static func decode(
    _ bytes: borrowing RawSpan, opener: inout BatchOpener
  ) throws(PeerFrameError) -> PeerMessage {
    var reader = ByteReader(bytes)
    do {
      let raw = try reader.integer(UInt8.self, in: bytes)
      guard let kind = Kind(rawValue: raw) else { throw PeerFrameError.unknownKind(raw) }
      let message = try decode(kind, &reader, bytes, &opener)
      guard reader.isAtEnd else {
        throw PeerFrameError.trailingBytes(count: reader.remaining)
      }
      return message
    } catch let error as PeerFrameError {
      throw error
    } catch let error as DecodeError {
      throw .malformed(error)
    } catch let error as BatchError {
      throw .batchInvalid(error)
    } catch {
      preconditionFailure("decoding throws three types: \(error)")
    }
  }

  private static func decode(
    _ kind: Kind, _ reader: inout ByteReader, _ bytes: borrowing RawSpan,
    _ opener: inout BatchOpener
  ) throws -> PeerMessage {
    switch kind {
    case .hello: throw PeerFrameError.unknownKind(kind.rawValue)
    case .append: return try decodeAppend(&reader, bytes, &opener)
    case .forward: return .forward(try decodeForward(&reader, bytes))
    case .forwardRefused: return .forwardRefused(try decodeRefusal(&reader, bytes))
    case .operatorRequest:
      let context = try reader.integer(UInt64.self, in: bytes)
      return .operatorRequest(
        context: context, try OperatorRequest(from: &reader, in: bytes))
    case .operatorResponse:
      let context = try reader.integer(UInt64.self, in: bytes)
      return .operatorResponse(
        context: context, try OperatorResult(from: &reader, in: bytes))
    case .digest:
      let index = LogIndex(try reader.integer(UInt64.self, in: bytes))
      let place = try reader.skip(Digest256.byteCount)
      return .digest(index: index, Digest256(at: place.lowerBound, in: bytes))
    case .batchesRequest:
      let start = reader.offset
      let first = LogIndex(try reader.integer(UInt64.self, in: bytes))
      let last = LogIndex(try reader.integer(UInt64.self, in: bytes))
      guard first > .zero, first <= last, last.rawValue <= indexMax else {
        throw DecodeError.invalidField("batchesRequest.range", offset: start)
      }
      return .batchesRequest(
        BatchesRequest(first: first, last: last, mustBeCommitted: try decodeFlag(&reader, bytes)))
    case .storeRefused: return .storeRefused
    case .checkpoint: return .checkpoint(try decodeCheckpoint(&reader, bytes))
    case .batches: return .batches(try decodeBatches(&reader, bytes, &opener))
    case .clockRequest:
      return .clockRequest(nonce: try reader.integer(UInt64.self, in: bytes))
    case .clockResponse:
      return .clockResponse(try PeerClockAnswer(from: &reader, in: bytes))
    case .preVoteRequest, .preVoteResponse, .voteRequest, .voteResponse, .appendResponse,
      .heartbeatRequest, .heartbeatResponse, .timeoutNow, .readRequest, .readResponse:
      return .raft(try decodeRaft(kind, &reader, bytes))
    }
  }

  private static func decodeCheckpoint(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> SignedCheckpoint {
    let key = try reader.array(SignedCheckpoint.keyByteCount, in: bytes)
    let start = reader.offset
    let count = Int(try reader.integer(UInt16.self, in: bytes))
    guard count <= SignedCheckpoint.noteByteCountMax,
      let note = String(validating: try reader.array(count, in: bytes), as: UTF8.self)
    else { throw DecodeError.invalidField("checkpoint.note", offset: start) }
    return SignedCheckpoint(publicKey: key, note: note)
  }

  private static func decodeRaft(
    _ kind: Kind, _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> RaftMessage {
    let term = Term(try reader.integer(UInt64.self, in: bytes))
    switch kind {
    case .preVoteRequest:
      return .preVoteRequest(term: term, last: try decodeEntry(&reader, bytes))
    case .preVoteResponse:
      return .preVoteResponse(term: term, granted: try decodeFlag(&reader, bytes))
    case .voteRequest:
      let last = try decodeEntry(&reader, bytes)
      return .voteRequest(term: term, last: last, transfer: try decodeFlag(&reader, bytes))
    case .voteResponse:
      return .voteResponse(term: term, granted: try decodeFlag(&reader, bytes))
    case .appendResponse:
      return .appendResponse(try decodeAppendResponse(term, &reader, bytes))
    case .heartbeatRequest:
      let commit = LogIndex(try reader.integer(UInt64.self, in: bytes))
      return .heartbeatRequest(
        term: term, commit: commit, round: try reader.integer(UInt64.self, in: bytes))
    case .heartbeatResponse:
      return .heartbeatResponse(term: term, round: try reader.integer(UInt64.self, in: bytes))
    case .timeoutNow: return .timeoutNow(term: term)
    case .readRequest:
      return .readRequest(term: term, context: try reader.integer(UInt64.self, in: bytes))
    case .readResponse:
      let context = try reader.integer(UInt64.self, in: bytes)
      return .readResponse(
        term: term, context: context,
        index: LogIndex(try reader.integer(UInt64.self, in: bytes)))
    case .hello, .append, .forward, .forwardRefused, .clockRequest, .clockResponse,
      .operatorRequest, .operatorResponse, .digest, .batchesRequest, .batches,
      .storeRefused, .checkpoint:
      preconditionFailure("not a consensus message: \(kind)")
    }
  }

  private static func decodeAppendResponse(
    _ term: Term, _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> AppendResponse {
    let start = reader.offset
    let form = try reader.integer(UInt8.self, in: bytes)
    let index = LogIndex(try reader.integer(UInt64.self, in: bytes))
    switch form {
    case 0: return AppendResponse(term: term, outcome: .accepted(match: index))
    case 1:
      let conflict = Term(try reader.integer(UInt64.self, in: bytes))
      let first = LogIndex(try reader.integer(UInt64.self, in: bytes))
      let hint = AppendHint(previous: index, cause: .conflict(term: conflict, first: first))
      return AppendResponse(term: term, outcome: .rejected(hint: hint))
    case 2:
      let last = try decodeEntry(&reader, bytes)
      return AppendResponse(
        term: term,
        outcome: .rejected(hint: AppendHint(previous: index, cause: .logEnd(last: last))))
    default: throw DecodeError.invalidField("appendResponse.form", offset: start)
    }
  }

  private static func decodeAppend(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan, _ opener: inout BatchOpener
  ) throws -> PeerMessage {
    let term = Term(try reader.integer(UInt64.self, in: bytes))
    let previous = try decodeEntry(&reader, bytes)
    let commit = LogIndex(try reader.integer(UInt64.self, in: bytes))
    let count = Int(try reader.integer(UInt32.self, in: bytes))
    guard count <= entryCountMax, previous.index.rawValue <= indexMax else {
      throw PeerFrameError.entryCountInvalid(count)
    }
    let batches = try decodeBatches(count, after: previous.index, &reader, bytes, &opener)
    let request = AppendRequest(
      term: term, previous: previous, commit: commit, entryTerms: batches.map(\.header.term))
    return .append(request, batches: batches)
  }

  private static func decodeBatches(
    _ count: Int, after previous: LogIndex, _ reader: inout ByteReader, _ bytes: borrowing RawSpan,
    _ opener: inout BatchOpener
  ) throws -> [Batch] {
    var batches: [Batch] = []
    batches.reserveCapacity(count)
    var recordsByteCount = 0
    for offset in 0..<count {
      let length = Int(try reader.integer(UInt32.self, in: bytes))
      let batch = try opener.open(try reader.array(length, in: bytes))
      recordsByteCount += batch.header.recordsByteCount
      guard batch.header.index.rawValue == previous.rawValue &+ UInt64(offset) &+ 1,
        recordsByteCount <= AppendParts.recordsByteCountMax
      else { throw PeerFrameError.entryCountInvalid(count) }
      batches.append(batch)
    }
    return batches
  }

  private static func decodeBatches(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan, _ opener: inout BatchOpener
  ) throws -> BatchesAnswer {
    let start = reader.offset
    let first = LogIndex(try reader.integer(UInt64.self, in: bytes))
    let number = try reader.integer(UInt8.self, in: bytes)
    let count = Int(try reader.integer(UInt32.self, in: bytes))
    guard count <= entryCountMax, first > .zero, first.rawValue <= indexMax,
      (count == 0) == (number != 0)
    else { throw PeerFrameError.entryCountInvalid(count) }
    guard count == 0 else {
      let batches = try decodeBatches(count, after: first.previous, &reader, bytes, &opener)
      return BatchesAnswer(first: first, batches: batches)
    }
    guard let problem = BatchesProblem(rawValue: number) else {
      throw DecodeError.invalidField("batches.problem", offset: start)
    }
    return BatchesAnswer(first: first, problem: problem)
  }

  private static func decodeForward(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> ForwardedEvents {
    let mayRepeat = try decodeFlag(&reader, bytes)
    let count = Int(try reader.integer(UInt32.self, in: bytes))
    let records = try reader.array(reader.remaining, in: bytes)
    guard count <= records.count else { throw PeerFrameError.entryCountInvalid(count) }
    return ForwardedEvents(count: count, records: records, mayRepeat: mayRepeat)
  }

  private static func decodeRefusal(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> ForwardRefusal {
    let start = reader.offset
    guard
      let reason = ForwardRefusalReason(rawValue: try reader.integer(UInt8.self, in: bytes))
    else { throw DecodeError.invalidField("refusal.reason", offset: start) }
    let first = try decodeTime(&reader, bytes)
    return ForwardRefusal(first: first, last: try decodeTime(&reader, bytes), reason: reason)
  }

  private static func decodeEntry(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> EntryID {
    let index = LogIndex(try reader.integer(UInt64.self, in: bytes))
    return EntryID(index: index, term: Term(try reader.integer(UInt64.self, in: bytes)))
  }

  private static func decodeTime(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> HybridTimestamp {
    let wall = try reader.integer(Int64.self, in: bytes)
    return HybridTimestamp(
      wallNanoseconds: wall, logical: try reader.integer(UInt32.self, in: bytes))
  }

  private static func decodeFlag(
    _ reader: inout ByteReader, _ bytes: borrowing RawSpan
  ) throws -> Bool {
    let start = reader.offset
    let value = try reader.integer(UInt8.self, in: bytes)
    guard value < 2 else { throw DecodeError.invalidField("flag", offset: start) }
    return value == 1
  }
}

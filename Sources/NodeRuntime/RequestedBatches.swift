import Bytes
package import Raft
package import Replica
package import SegmentLog

/// The batches that an append request names, read from the segments in pieces of one frame, so that
/// memory holds few of them at a time.
package struct RequestedBatches<FileSystem: LogFileSystem>: Sendable {
  private let reader: LogReader<FileSystem>
  private var rest: AppendRequest

  /// The batches of `request`, none of them read yet.
  package init(_ request: AppendRequest, reader: LogReader<FileSystem>) {
    self.reader = reader
    rest = request
  }

  /// The next piece with the request that it answers; nil when all were read, and when a change of
  /// leader has replaced what was asked for, so that the request is out of date.
  package mutating func next() throws(LogError) -> (request: AppendRequest, batches: [Batch])? {
    guard !rest.entryTerms.isEmpty else { return nil }
    var batches = try reader.batches(
      from: rest.previous.index.next, byteLimit: AppendParts.byteCountMax)
    if batches.count > rest.entryTerms.count {
      batches.removeLast(batches.count - rest.entryTerms.count)
    }
    guard let last = batches.last, zip(batches, rest.entryTerms).allSatisfy({ $0.term == $1 })
    else {
      rest.entryTerms.removeAll()
      return nil
    }
    let piece = (request: rest, batches: batches)
    rest.previous = EntryID(index: last.index, term: last.term)
    rest.entryTerms.removeFirst(batches.count)
    return piece
  }
}

extension LogReader {
  /// What this log has of a range of batches, as many as a frame may carry. Where a later one cannot
  /// be read, the first one alone: a node that is damaged elsewhere needs no more than that. Errors
  /// on the way go to `met`.
  package func answer(_ range: LogIndexRange, met: (LogError) -> Void) -> BatchesAnswer {
    let count = UInt64(PeerFrame.entryCountMax)
    let last = min(range.last, LogIndex(range.first.rawValue + count - 1))
    for last in last > range.first ? [last, range.first] : [last] {
      do throws(LogError) {
        let batches = try batches(
          from: range.first, byteLimit: AppendParts.byteCountMax, through: last)
        guard !batches.isEmpty else { break }
        let count = AppendParts.countInOneFrame(batches[...])
        return BatchesAnswer(first: range.first, batches: Array(batches.prefix(count)))
      } catch { met(error) }
    }
    return BatchesAnswer(first: range.first, problem: .lost)
  }
}

extension LogRepair {
  /// Most batches in one request.
  private static var requestCountMax: UInt64 { 512 }

  /// What is to be had from another node next: the rest of a damaged stretch, as far as one request may
  /// go; nil where nothing is missing.
  func nextRequest(mustBeCommitted: (DamagedStretch?) -> Bool) -> BatchesRequest? {
    guard let next = nextMissing else { return nil }
    let stretch = stretches.first { $0.missing?.contains(next) == true }
    let end = max(next, stretch?.missing?.upperBound ?? next)
    return BatchesRequest(
      first: next,
      last: LogIndex(min(end.rawValue, next.rawValue + Self.requestCountMax - 1)),
      mustBeCommitted: mustBeCommitted(stretch))
  }
}

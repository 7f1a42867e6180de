import Bytes
package import Raft
package import SegmentLog

/// An append request cut into frames that keep within ``PeerFrame/byteCountMax``.
///
/// Cutting is safe: each part names the entry before it, as if it had been sent alone.
package struct AppendParts: Sequence, IteratorProtocol {
  private let request: AppendRequest
  private let batches: [Batch]
  private var place = 0
  private var isDone = false

  /// Bytes of batches in one part; room is left for the frame's own fields.
  package static let byteCountMax = PeerFrame.byteCountMax - (64 << 10)

  /// Bytes of records, uncompressed, in one part: as small as some batches are on the wire, the node
  /// that opens them must not need many times as much memory.
  package static let recordsByteCountMax = 32 << 20

  /// The parts of a request whose batches are at hand; fewer than it names are as good.
  package init(request: AppendRequest, batches: [Batch]) {
    self.request = request
    self.batches = batches
  }

  /// How many of the first batches one frame may carry: one at least, where there is one.
  package static func countInOneFrame(_ batches: ArraySlice<Batch>) -> Int {
    var (count, byteCount, recordsByteCount) = (0, 0, 0)
    for batch in batches.prefix(PeerFrame.entryCountMax) {
      byteCount += batch.bytes.count + 4
      recordsByteCount += batch.header.recordsByteCount
      let isWithin = byteCount <= byteCountMax && recordsByteCount <= recordsByteCountMax
      guard isWithin || count == 0 else { break }
      count += 1
    }
    return count
  }

  /// The next part, in order. A request without entries is one part.
  package mutating func next() -> (request: AppendRequest, batches: [Batch])? {
    guard !isDone else { return nil }
    let start = place
    place += Self.countInOneFrame(batches[place...])
    isDone = place == batches.count
    var part = request
    if start > 0 {
      let header = batches[start - 1].header
      part.previous = EntryID(index: header.index, term: header.term)
    }
    part.entryTerms = batches[start..<place].map(\.header.term)
    return (part, Array(batches[start..<place]))
  }
}

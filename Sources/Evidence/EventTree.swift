package import Bytes

/// What a segment adds to the tree over a log's events.
package struct SegmentTree: Hashable, Sendable {
  /// The tree before the segment's first event.
  package let before: MerkleFrontier
  /// The tree after its last event.
  package let after: MerkleFrontier
  /// The hashes of the tiles whose last leaf is in the segment.
  package let tiles: [Digest256]

  /// A segment's part from its parts, or nil where that is another number of tiles than there can
  /// be.
  init?(before: MerkleFrontier, after: MerkleFrontier, tiles: [Digest256]) {
    guard before.size <= after.size,
      UInt64(tiles.count) == Self.tileCount(from: before.size, to: after.size)
    else { return nil }
    self.init(checked: before, after, tiles)
  }

  /// A segment's part from the sizes at both ends and its ``hashes``, or nil where that is another
  /// number of hashes than there can be.
  package init?(from before: UInt64, to after: UInt64, hashes: [Digest256]) {
    let (first, second) = (before.nonzeroBitCount, after.nonzeroBitCount)
    guard hashes.count >= first + second,
      let start = MerkleFrontier(size: before, hashes: Array(hashes[..<first])),
      let end = MerkleFrontier(size: after, hashes: Array(hashes[first..<first + second]))
    else { return nil }
    self.init(before: start, after: end, tiles: Array(hashes[(first + second)...]))
  }

  /// All of it but the sizes, in the order in which files hold it: before, after, tiles.
  package var hashes: [Digest256] { before.hashes + after.hashes + tiles }

  fileprivate init(
    checked before: MerkleFrontier, _ after: MerkleFrontier, _ tiles: [Digest256]
  ) {
    self.before = before
    self.after = after
    self.tiles = tiles
  }

  /// How many tiles are completed while a tree grows.
  static func tileCount(from before: UInt64, to after: UInt64) -> UInt64 {
    after / MerkleTile.leafCount - before / MerkleTile.leafCount
  }
}

/// What a leaf of the tree over events is: a record with its length.
package enum EventLeaf {
  /// Bytes of a record's length field, which does not count itself.
  private static let lengthByteCount = 2

  /// Where the leaf that begins at `offset` is, or nil where no whole one does.
  package static func range(at offset: Int, in records: borrowing RawSpan) -> Range<Int>? {
    guard records.byteCount - offset >= lengthByteCount else { return nil }
    let length = Int(
      UInt16(littleEndian: records.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    let end = offset + lengthByteCount + length
    return end <= records.byteCount ? offset..<end : nil
  }
}

/// The Merkle tree over a log's events: leaf `n` is the record of the event with sequence `n + 1`,
/// as it stands in its batch, with its length.
package struct EventTree: Hashable, Sendable {
  /// The tree as it is.
  package private(set) var frontier: MerkleFrontier
  /// The tree before the segment under way.
  private var before: MerkleFrontier
  /// The tiles that this segment has completed so far.
  private var tiles: [Digest256]

  /// A tree before a segment's first event; by default before the log's.
  package init(_ frontier: MerkleFrontier = .empty) {
    self.frontier = frontier
    before = frontier
    tiles = []
  }

  /// A tree in the middle of a segment, which has added `segment` so far.
  package init(_ segment: SegmentTree) {
    frontier = segment.after
    before = segment.before
    tiles = segment.tiles
  }

  /// What the segment under way has added so far.
  package var segment: SegmentTree { SegmentTree(checked: before, frontier, tiles) }

  /// The segment under way is over.
  package mutating func beginSegment() {
    before = frontier
    tiles.removeAll()
  }

  /// Adds the events of a batch. False where its records are not so many, each with its length: then
  /// some of them may have been added.
  package mutating func append(_ records: borrowing RawSpan, count: Int) -> Bool {
    var offset = 0
    for _ in 0..<count {
      guard let leaf = EventLeaf.range(at: offset, in: records) else { return false }
      if let tile = frontier.append(MerkleHash.leaf(records.extracting(leaf))) {
        tiles.append(tile)
      }
      offset = leaf.upperBound
    }
    return offset == records.byteCount
  }
}

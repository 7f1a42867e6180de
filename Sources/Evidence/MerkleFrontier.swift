package import Bytes

/// The right edge of a growing Merkle tree (RFC 6962 §2.1): the hashes of its largest perfect
/// subtrees, from which the root follows and to which leaves can be added.
///
/// A tree of a thousand million leaves has at most thirty of them.
package struct MerkleFrontier: Hashable, Sendable {
  /// How many leaves the tree has.
  package private(set) var size: UInt64
  /// One for each bit that is set in ``size``, the largest subtree first.
  package private(set) var hashes: [Digest256]

  /// The tree without leaves.
  package static let empty = MerkleFrontier(size: 0, [])

  private init(size: UInt64, _ hashes: [Digest256]) {
    self.size = size
    self.hashes = hashes
  }

  /// The frontier of a tree of `size` leaves, or nil where it must have another number of hashes.
  package init?(size: UInt64, hashes: [Digest256]) {
    guard hashes.count == size.nonzeroBitCount else { return nil }
    self.init(size: size, hashes)
  }

  /// The tree's root.
  package var root: Digest256 {
    guard var root = hashes.last else { return MerkleHash.empty }
    for hash in hashes.dropLast().reversed() { root = MerkleHash.node(hash, root) }
    return root
  }

  /// Adds a leaf by its hash. Returns the hash of the tile that it completes, if it does.
  ///
  /// Costs one more hash on average.
  @discardableResult
  package mutating func append(_ leaf: Digest256) -> Digest256? {
    var hash = leaf
    var level = 0
    var tile: Digest256?
    while size >> UInt64(level) & 1 == 1, let left = hashes.popLast() {
      hash = MerkleHash.node(left, hash)
      level += 1
      if level == MerkleTile.height { tile = hash }
    }
    hashes.append(hash)
    size += 1
    return tile
  }
}

/// A perfect subtree of 256 leaves, as C2SP tlog-tiles cuts a tree.
package enum MerkleTile {
  /// Levels of a tile.
  package static let height = 8
  /// Leaves of a whole tile.
  package static let leafCount: UInt64 = 1 << height
}

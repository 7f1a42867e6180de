package import Bytes

/// The hashes of all perfect subtrees of a tree that have 256 leaves or more: what a proof needs
/// beside the leaves of two tiles. A quarter of a byte for each leaf.
package struct MerkleForest: Sendable {
  /// By height above the tiles: `levels[0][n]` is the hash of leaves `256 n ..< 256 (n + 1)`.
  private var levels: [[Digest256]] = []

  /// Of a tree without a whole tile.
  package init() {}

  /// How many whole tiles there are.
  package var tileCount: UInt64 { UInt64(levels.first?.count ?? 0) }

  /// Adds the hash of the next tile.
  package mutating func append(_ tile: Digest256) {
    var hash = tile
    var level = 0
    while true {
      if level == levels.count { levels.append([]) }
      levels[level].append(hash)
      let count = levels[level].count
      guard count.isMultiple(of: 2) else { return }
      hash = MerkleHash.node(levels[level][count - 2], hash)
      level += 1
    }
  }

  /// The hash of the perfect subtree of `1 << height` leaves that begins at `start`, or nil where
  /// that is not whole yet, or smaller than a tile.
  func subtree(start: UInt64, height: Int) -> Digest256? {
    let level = height - MerkleTile.height
    let place = start >> UInt64(height)
    guard level >= 0, level < levels.count, place < UInt64(levels[level].count) else { return nil }
    return levels[level][Int(place)]
  }
}

/// Makes proofs for one tree.
///
/// `leaves` gives the leaf hashes of a range that lies within one tile; it is asked for a few such
/// ranges for each proof.
package struct MerkleProver<Failure: Error> {
  private let forest: MerkleForest
  private let leaves: (Range<UInt64>) throws(Failure) -> [Digest256]

  /// A prover over the whole tiles in `forest` and the leaves that `leaves` reads.
  package init(
    _ forest: MerkleForest, leaves: @escaping (Range<UInt64>) throws(Failure) -> [Digest256]
  ) {
    self.forest = forest
    self.leaves = leaves
  }

  /// The root of the tree's first `size` leaves.
  package func root(size: UInt64) throws(Failure) -> Digest256 { try hash(0..<size) }

  /// The audit path of leaf `index` in the tree of `size` leaves, `PATH` of RFC 6962 §2.1.1: from
  /// the leaf's sibling upwards.
  ///
  /// Precondition: `index < size`.
  package func inclusion(of index: UInt64, size: UInt64) throws(Failure) -> [Digest256] {
    precondition(index < size, "the leaf is in the tree")
    var path: [Digest256] = []
    var range = 0..<size
    while range.count > 1 {
      let middle = Self.middle(of: range)
      if index < middle {
        path.append(try hash(middle..<range.upperBound))
        range = range.lowerBound..<middle
      } else {
        path.append(try hash(range.lowerBound..<middle))
        range = middle..<range.upperBound
      }
    }
    return path.reversed()
  }

  /// The proof that the tree of `oldSize` leaves is a prefix of that of `size`, `PROOF` of RFC 6962
  /// §2.1.2. Empty where the sizes are equal, or `oldSize` is 0.
  ///
  /// Precondition: `oldSize <= size`.
  package func consistency(from oldSize: UInt64, to size: UInt64) throws(Failure) -> [Digest256] {
    precondition(oldSize <= size, "the old tree is not larger")
    guard oldSize > 0, oldSize < size else { return [] }
    var path: [Digest256] = []
    var range = 0..<size
    // Whether all that is left of the range belongs to the old tree's own root.
    var isOldRoot = true
    while range.upperBound != oldSize {
      let middle = Self.middle(of: range)
      if oldSize <= middle {
        path.append(try hash(middle..<range.upperBound))
        range = range.lowerBound..<middle
      } else {
        path.append(try hash(range.lowerBound..<middle))
        range = middle..<range.upperBound
        isOldRoot = false
      }
    }
    if !isOldRoot { path.append(try hash(range)) }
    return path.reversed()
  }

  /// Where a range splits: its left part is the largest perfect tree that leaves something.
  private static func middle(of range: Range<UInt64>) -> UInt64 {
    range.lowerBound + 1 << UInt64(63 - (UInt64(range.count) - 1).leadingZeroBitCount)
  }

  /// `MTH` of RFC 6962 §2.1 for a range that begins where a subtree of its size can.
  private func hash(_ range: Range<UInt64>) throws(Failure) -> Digest256 {
    let count = UInt64(range.count)
    let height = count.trailingZeroBitCount
    if count == 1 << UInt64(height),
      let whole = forest.subtree(start: range.lowerBound, height: height)
    {
      return whole
    }
    if count <= MerkleTile.leafCount {
      var frontier = MerkleFrontier.empty
      for leaf in try leaves(range) { frontier.append(leaf) }
      precondition(frontier.size == count, "every leaf of the range was given")
      return frontier.root
    }
    let middle = Self.middle(of: range)
    return MerkleHash.node(
      try hash(range.lowerBound..<middle), try hash(middle..<range.upperBound))
  }
}

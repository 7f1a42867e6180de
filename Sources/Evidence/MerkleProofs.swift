package import Bytes

/// Checks of Merkle proofs by those who hold roots only.
package enum MerkleProofs {
  /// Most hashes of a proof: a tree has fewer than 2^64 leaves.
  package static let hashCountMax = 128

  /// Whether `path` shows that the leaf with hash `leaf` has place `index` in the tree of `size`
  /// leaves with that root (RFC 9162 §2.1.3.2).
  package static func isIncluded(
    _ leaf: Digest256, at index: UInt64, size: UInt64, root: Digest256, path: [Digest256]
  ) -> Bool {
    guard index < size else { return false }
    var (node, last) = (index, size - 1)
    var hash = leaf
    for sibling in path {
      guard last > 0 else { return false }
      if node & 1 == 1 || node == last {
        hash = MerkleHash.node(sibling, hash)
        climb(&node, &last)
      } else {
        hash = MerkleHash.node(hash, sibling)
      }
      node >>= 1
      last >>= 1
    }
    return last == 0 && hash == root
  }

  /// Whether `path` shows that the tree of `oldSize` leaves with `oldRoot` is a prefix of that of
  /// `size` leaves with `root` (RFC 9162 §2.1.4.2). A tree without leaves is a prefix of any.
  package static func isConsistent(
    from oldSize: UInt64, _ oldRoot: Digest256, to size: UInt64, _ root: Digest256,
    path: [Digest256]
  ) -> Bool {
    guard oldSize > 0, oldSize < size else {
      guard path.isEmpty, oldSize <= size else { return false }
      return oldSize == 0 ? oldRoot == MerkleHash.empty : oldRoot == root
    }
    // A perfect old tree is itself the first node of the path.
    let nodes = oldSize.nonzeroBitCount == 1 ? [oldRoot] + path : path
    guard let first = nodes.first else { return false }
    var (node, last) = (oldSize - 1, size - 1)
    while node & 1 == 1 {
      node >>= 1
      last >>= 1
    }
    var (oldHash, hash) = (first, first)
    for sibling in nodes.dropFirst() {
      guard last > 0 else { return false }
      if node & 1 == 1 || node == last {
        oldHash = MerkleHash.node(sibling, oldHash)
        hash = MerkleHash.node(sibling, hash)
        climb(&node, &last)
      } else {
        hash = MerkleHash.node(hash, sibling)
      }
      node >>= 1
      last >>= 1
    }
    return last == 0 && oldHash == oldRoot && hash == root
  }

  /// Passes the levels at which the node is the last one and has no sibling.
  private static func climb(_ node: inout UInt64, _ last: inout UInt64) {
    while node & 1 == 0 && node != 0 {
      node >>= 1
      last >>= 1
    }
  }
}

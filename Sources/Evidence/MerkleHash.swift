package import Bytes

/// The hashes of a Merkle tree (RFC 6962 §2.1): a leaf and an inner node never hash alike.
package enum MerkleHash {
  private static let leafPrefix: UInt8 = 0
  private static let nodePrefix: UInt8 = 1

  /// The root of a tree without leaves: the hash of no bytes.
  package static let empty = Digest256Hasher().finalize()

  /// SHA-256(0x00 ‖ leaf).
  package static func leaf(_ bytes: borrowing RawSpan) -> Digest256 {
    var hasher = Digest256Hasher()
    withUnsafeBytes(of: leafPrefix) { hasher.update($0) }
    hasher.update(bytes)
    return hasher.finalize()
  }

  /// SHA-256(0x01 ‖ left ‖ right).
  package static func node(_ left: Digest256, _ right: Digest256) -> Digest256 {
    var hasher = Digest256Hasher()
    withUnsafeBytes(of: (nodePrefix)) { hasher.update($0) }
    hasher.update(left)
    hasher.update(right)
    return hasher.finalize()
  }
}

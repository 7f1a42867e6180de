import Bytes

/// Which cluster a log or a peer belongs to: the first 16 bytes of SHA-256 of the cluster's name.
package struct ClusterID: Hashable, Sendable, CustomStringConvertible {
  /// Length in bytes.
  package static let byteCount = 16

  /// The bytes in order, eight to a word, little-endian.
  private let low, high: UInt64

  /// The id of the cluster with this name.
  package init(name: String) {
    self.init(at: 0, in: Digest256Hasher.digest(Array(name.utf8).span.bytes).bytes.span.bytes)
  }

  /// An id from 16 bytes, or nil where there are more or fewer.
  package init?(bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init(at: 0, in: bytes.span.bytes)
  }

  /// Reads an id at `offset`. Precondition: 16 bytes are there.
  init(at offset: Int, in bytes: borrowing RawSpan) {
    low = bytes.littleEndian(at: offset)
    high = bytes.littleEndian(at: offset + 8)
  }

  /// The 16 bytes.
  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.integer(low)
    writer.integer(high)
    return writer.bytes
  }

  /// 32 hexadecimal digits.
  package var description: String { bytes.hexadecimal }
}

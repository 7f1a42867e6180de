internal import Crypto

/// A SHA-256 digest (FIPS 180-4): 32 bytes, held as four words in memory order.
public struct Digest256: Hashable, Sendable {
  /// Length in bytes.
  public static let byteCount = 32
  /// Thirty-two zero bytes: the chain's start.
  public static let zero = Digest256(words: (0, 0, 0, 0))

  /// The bytes in order, eight to a word, each word in the host's byte order.
  @usableFromInline var word0, word1, word2, word3: UInt64

  @usableFromInline init(words: (UInt64, UInt64, UInt64, UInt64)) {
    (word0, word1, word2, word3) = words
  }

  /// Reads a digest at `offset` of `bytes`.
  ///
  /// Precondition: 32 bytes are there.
  public init(at offset: Int, in bytes: borrowing RawSpan) {
    precondition(offset >= 0 && offset + Self.byteCount <= bytes.byteCount)
    word0 = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    word1 = bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
    word2 = bytes.unsafeLoadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
    word3 = bytes.unsafeLoadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
  }

  /// A digest from 64 hexadecimal digits of either case, or nil.
  public init?(hexadecimal text: String) {
    guard let bytes = [UInt8](hexadecimal: text), bytes.count == Self.byteCount else { return nil }
    self.init(at: 0, in: bytes.span.bytes)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    withUnsafeBytes(of: self) { writer.append(contentsOf: $0) }
    return writer.bytes
  }

  /// Calls `body` with the 32 bytes, without allocating.
  public func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try withUnsafeBytes(of: self, body)
  }

  /// 64 lower-case hexadecimal digits.
  public var hexadecimal: String { bytes.hexadecimal }
}

/// SHA-256 over pieces (FIPS 180-4), by swift-crypto.
public struct Digest256Hasher {
  private var state = SHA256()

  /// An empty message.
  public init() {}

  /// Appends bytes to the message.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  /// Appends a span to the message.
  public mutating func update(_ bytes: borrowing RawSpan) {
    bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
  }

  /// Appends a digest to the message.
  public mutating func update(_ digest: Digest256) {
    digest.withBytes { state.update(bufferPointer: $0) }
  }

  /// The digest of the message so far.
  public func finalize() -> Digest256 {
    state.finalize().withUnsafeBytes { raw in
      Digest256(
        words: (
          raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
          raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
          raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
          raw.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        ))
    }
  }

  /// The digest of one span.
  public static func digest(_ bytes: borrowing RawSpan) -> Digest256 {
    var hasher = Digest256Hasher()
    hasher.update(bytes)
    return hasher.finalize()
  }
}

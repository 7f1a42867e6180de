/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012): 64 bits
/// of a short message under a key of 128 bits.
///
/// Whoever does not know the key cannot choose messages that share bits of their hashes.
@frozen
public struct SipHash: Hashable, Sendable {
  /// The key, as two little-endian words.
  @usableFromInline let key0, key1: UInt64

  /// A hash under the first 16 bytes of a digest.
  public init(keyOf digest: Digest256) {
    (key0, key1) = digest.withBytes {
      (
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }

  /// The hash of `range` of `bytes`.
  @inlinable
  public func hash(_ range: Range<Int>, in bytes: borrowing RawSpan) -> UInt64 {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.byteCount)
    var state = State(key0, key1)
    var offset = range.lowerBound
    while offset + 8 <= range.upperBound {
      state.take(
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    let last = UInt64(truncatingIfNeeded: range.count) << 56
    return state.finish(last | Self.partialWord(offset..<range.upperBound, in: bytes))
  }

  /// At most seven bytes, zero-extended.
  @inlinable
  @inline(__always)
  static func partialWord(_ range: Range<Int>, in bytes: borrowing RawSpan) -> UInt64 {
    let count = range.count
    if count >= 4 {
      let low = UInt32(
        littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: range.lowerBound, as: UInt32.self))
      let high = UInt32(
        littleEndian: bytes.unsafeLoadUnaligned(
          fromByteOffset: range.upperBound - 4, as: UInt32.self))
      return UInt64(low) | UInt64(high) << (UInt64(truncatingIfNeeded: count - 4) * 8)
    }
    var word: UInt64 = 0
    for index in 0..<count {
      let byte = bytes.unsafeLoad(fromByteOffset: range.lowerBound + index, as: UInt8.self)
      word |= UInt64(byte) << (UInt64(truncatingIfNeeded: index) * 8)
    }
    return word
  }

  /// The hash of the 16 bytes of two big-endian words.
  @inlinable public func hash(bigEndian high: UInt64, _ low: UInt64) -> UInt64 {
    var state = State(key0, key1)
    state.take(high.byteSwapped)
    state.take(low.byteSwapped)
    return state.finish(16 << 56)
  }

  @usableFromInline
  @frozen struct State {
    @usableFromInline var v0, v1, v2, v3: UInt64

    @inlinable
    @inline(__always)
    init(_ key0: UInt64, _ key1: UInt64) {
      v0 = key0 ^ 0x736f_6d65_7073_6575
      v1 = key1 ^ 0x646f_7261_6e64_6f6d
      v2 = key0 ^ 0x6c79_6765_6e65_7261
      v3 = key1 ^ 0x7465_6462_7974_6573
    }

    @inlinable
    @inline(__always)
    mutating func round() {
      v0 = v0 &+ v1
      v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
      v0 = v0 &<< 32 | v0 &>> 32
      v2 = v2 &+ v3
      v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
      v0 = v0 &+ v3
      v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
      v2 = v2 &+ v1
      v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
      v2 = v2 &<< 32 | v2 &>> 32
    }

    @inlinable
    @inline(__always)
    mutating func take(_ word: UInt64) {
      v3 ^= word
      round()
      round()
      v0 ^= word
    }

    @inlinable
    @inline(__always)
    mutating func finish(_ last: UInt64) -> UInt64 {
      take(last)
      v2 ^= 0xff
      round()
      round()
      round()
      round()
      return v0 ^ v1 ^ v2 ^ v3
    }
  }
}

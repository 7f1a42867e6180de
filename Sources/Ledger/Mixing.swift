/// Deterministic mixing of words, for table places, payload fingerprints and the digest's
/// accumulator. Not cryptographic: what must resist a forger is hashed with SHA-256.
enum Mixing {
  static let multiplier0: UInt64 = 0x9e37_79b9_7f4a_7c15
  static let multiplier1: UInt64 = 0xd6e8_feb8_6659_fd93
  static let multiplier2: UInt64 = 0xa076_1d64_78bd_642f

  /// Both halves of the 128-bit product, folded: every input bit reaches every output bit.
  @inline(__always)
  static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (high, low) = left.multipliedFullWidth(by: right)
    return high ^ low
  }

  /// One value of 64 bits from a range of bytes, little-endian by definition.
  @inline(__always)
  static func hash(_ range: Range<Int>, in bytes: borrowing RawSpan, seed: UInt64) -> UInt64 {
    var state = seed ^ (UInt64(truncatingIfNeeded: range.count) &* multiplier0)
    var offset = range.lowerBound
    let end = range.upperBound
    while offset + 8 <= end {
      let word = UInt64(
        littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      // Adding the word back keeps a factor of zero from forgetting it.
      state = fold(state ^ word, multiplier1) &+ word
      offset += 8
    }
    if offset < end {
      let word = partialWord(offset..<end, in: bytes)
      state = fold(state ^ word, multiplier1) &+ word
    }
    return fold(state ^ multiplier2, multiplier0)
  }

  /// One to seven bytes, zero-extended.
  @inline(__always)
  private static func partialWord(_ range: Range<Int>, in bytes: borrowing RawSpan) -> UInt64 {
    let count = range.count
    let start = range.lowerBound
    if count >= 4 {
      let low = UInt32(
        littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self))
      let high = UInt32(
        littleEndian: bytes.unsafeLoadUnaligned(
          fromByteOffset: range.upperBound - 4, as: UInt32.self))
      return UInt64(low) | UInt64(high) << (UInt64(count - 4) * 8)
    }
    var word: UInt64 = 0
    for index in 0..<count {
      let byte = bytes.unsafeLoad(fromByteOffset: start + index, as: UInt8.self)
      word |= UInt64(byte) << UInt64(index * 8)
    }
    return word
  }

  /// The payload of a payment in 64 bits: what two payments with one id must agree on.
  ///
  /// Part of the ledger's meaning: every node computes the same, so it is never seeded. Two
  /// different payloads share it once in 2^64; then the later is taken for a retry of the
  /// earlier, and no money moves.
  @inline(__always)
  static func fingerprint(
    amount: Int64, currency: Currency, texts: Range<Int>, in bytes: borrowing RawSpan
  ) -> UInt64 {
    let seed = fold(
      UInt64(bitPattern: amount) ^ multiplier2, UInt64(currency.packed) ^ multiplier1)
    return hash(texts, in: bytes, seed: seed &+ UInt64(bitPattern: amount))
  }
}

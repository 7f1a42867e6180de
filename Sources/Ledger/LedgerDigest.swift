import Bytes

/// What a batch's events gave, in 128 bits, for the running digest.
///
/// Each word goes through two lanes with different constants; each lane's step is a bijection of
/// its state, so one changed word always changes both.
struct OutcomeAccumulator {
  private var first: UInt64 = 0x243f_6a88_85a3_08d3
  private var second: UInt64 = 0x1319_8a2e_0370_7344

  @inline(__always)
  private mutating func mix(_ word: UInt64) {
    first = (first ^ word) &* Mixing.multiplier0
    first ^= first >> 32
    second = (second &+ word) &* Mixing.multiplier1
    second = second << 29 | second >> 35
  }

  /// Mixes in one event's sequence, outcome, and the balances it left.
  @inline(__always)
  mutating func mix(
    _ sequence: EventSequence, _ outcome: Outcome, sender: Int128, receiver: Int128
  ) {
    mix(sequence.rawValue)
    mix(UInt64(outcome.code.rawValue) | UInt64(outcome.originalCode.rawValue) << 8)
    mix(outcome.original.rawValue)
    mix(UInt64(truncatingIfNeeded: sender))
    mix(UInt64(truncatingIfNeeded: sender >> 64))
    mix(UInt64(truncatingIfNeeded: receiver))
    mix(UInt64(truncatingIfNeeded: receiver >> 64))
  }

  /// The ledger's digest after the batch:
  /// SHA-256("syncpay ledger 1" ‖ digest before ‖ batch hash ‖ first sequence ‖ count ‖ the two
  /// lanes), integers as u64 little-endian.
  func digest(
    after previous: Digest256, batchHash: Digest256, firstSequence: EventSequence, count: UInt64
  ) -> Digest256 {
    var hasher = Digest256Hasher()
    let tag = Array("syncpay ledger 1".utf8)
    hasher.update(tag.span.bytes)
    hasher.update(previous)
    hasher.update(batchHash)
    for word in [firstSequence.rawValue, count, first, second] {
      withUnsafeBytes(of: word.littleEndian) { hasher.update($0) }
    }
    return hasher.finalize()
  }
}

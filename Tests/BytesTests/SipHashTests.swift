import Bytes
import Testing

@Suite struct SipHashTests {
  private let hash: SipHash

  /// The key of the paper's examples: 00 01 … 0f.
  init() {
    let bytes = (0..<32).map { UInt8($0) }
    hash = SipHash(keyOf: Digest256(at: 0, in: bytes.span.bytes))
  }

  @Test(
    "the reference's vectors hold",
    arguments: [
      (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (7, 0xab02_00f5_8b01_d137),
      (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5), (16, 0x3f2a_cc7f_57c2_9bdb),
      (63, 0x958a_324c_eb06_4572),
    ] as [(Int, UInt64)])
  func vectors(byteCount: Int, expected: UInt64) {  // "vectors.h" of the reference implementation
    let message = (0..<byteCount).map { UInt8($0) }
    #expect(hash.hash(0..<byteCount, in: message.span.bytes) == expected)
    let shifted = [9, 9, 9] + message + [9]
    #expect(hash.hash(3..<3 + byteCount, in: shifted.span.bytes) == expected)
  }

  @Test func `two words are their sixteen bytes`() {
    #expect(
      hash.hash(bigEndian: 0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f)
        == 0x3f2a_cc7f_57c2_9bdb)
  }
}

import Bytes
import Testing

@Suite struct ReaderWriterTests {
  private static let edges: [UInt64] = [
    0, 1, 127, 128, 255, 16_383, 16_384, UInt64(UInt32.max), 1 << 35, 1 << 56, 1 << 63, .max,
  ]

  @Test(arguments: edges)
  func `an unsigned varint comes back from its shortest form`(value: UInt64) throws {
    var writer = ByteWriter()
    writer.varint(value)
    var reader = ByteReader(writer.bytes.span.bytes)
    #expect(try reader.varint(in: writer.bytes.span.bytes) == value)
    #expect(reader.isAtEnd)
    #expect(writer.count == max(1, (64 - value.leadingZeroBitCount + 6) / 7))
  }

  @Test(arguments: [0, 1, -1, 63, -64, 64, .max, .min] as [Int64])
  func `a signed varint comes back`(value: Int64) throws {
    var writer = ByteWriter()
    writer.signedVarint(value)
    var reader = ByteReader(writer.bytes.span.bytes)
    #expect(try reader.signedVarint(in: writer.bytes.span.bytes) == value)
  }

  @Test(
    arguments: [
      [0x80, 0x00], [0xff, 0x80, 0x00],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ] as [[UInt8]])
  func `a varint that is longer than its value needs is refused`(bytes: [UInt8]) {
    #expect(throws: DecodeError.malformedVarint(offset: 0)) {
      var reader = ByteReader(bytes.span.bytes)
      _ = try reader.varint(in: bytes.span.bytes)
    }
  }

  @Test func `reading past the end is an error at the field's start and moves nothing`() throws {
    let bytes: [UInt8] = [1, 2, 3]
    var reader = ByteReader(bytes.span.bytes)
    #expect(try reader.integer(UInt16.self, in: bytes.span.bytes) == 0x0201)
    do {
      _ = try reader.integer(UInt32.self, in: bytes.span.bytes)
      Issue.record("four bytes are not there")
    } catch {
      #expect(error == .truncated(offset: 2))
    }
    #expect(reader.offset == 2)
    #expect(try reader.array(1, in: bytes.span.bytes) == [3])
    do {
      _ = try reader.skip(-1)
      Issue.record("nothing goes back")
    } catch {
      #expect(error == .truncated(offset: 3))
    }
  }

  @Test func `any bytes are read or refused, never trapped on`() {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...12, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
      var reader = ByteReader(bytes.span.bytes)
      guard let value = try? reader.varint(in: bytes.span.bytes) else { continue }
      var writer = ByteWriter()
      writer.varint(value)
      #expect(writer.bytes == Array(bytes[..<reader.offset]), "seed \(seed)")
    }
  }

  @Test func `a patch overwrites in place`() {
    var writer = ByteWriter()
    writer.integer(UInt32(0))
    writer.integer(UInt8(7))
    writer.patch(UInt32(0x0403_0201), at: 0)
    #expect(writer.bytes == [1, 2, 3, 4, 7])
  }

  @Test func `a patch of what was not written traps`() async {
    await #expect(processExitsWith: .failure) {
      var writer = ByteWriter()
      writer.patch(UInt32(1), at: 0)
    }
  }
}

@Suite struct DigestTests {
  @Test func `SHA-256 gives the standard's examples`() {
    // FIPS 180-4 examples: "abc" and the empty message.
    #expect(
      Digest256Hasher.digest(Array("abc".utf8).span.bytes).hexadecimal
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      Digest256Hasher().finalize().hexadecimal
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func `pieces hash as their whole`() {
    let message = Array((0..<1000).map { UInt8(truncatingIfNeeded: $0) })
    var hasher = Digest256Hasher()
    hasher.update(message.span.bytes.extracting(0..<333))
    hasher.update(message.span.bytes.extracting(333..<1000))
    #expect(hasher.finalize() == Digest256Hasher.digest(message.span.bytes))
  }

  @Test func `a digest comes back from its text and its bytes`() {
    let digest = Digest256Hasher.digest(Array("x".utf8).span.bytes)
    #expect(Digest256(hexadecimal: digest.hexadecimal) == digest)
    #expect(Digest256(at: 0, in: digest.bytes.span.bytes) == digest)
    #expect(Digest256(hexadecimal: "00") == nil)
    #expect(Digest256(hexadecimal: String(repeating: "g", count: 64)) == nil)
  }

  @Test func `SplitMix64 gives its published sequence`() {
    // The reference implementation's first numbers for seed 1234567.
    var generator = SeededGenerator(seed: 1_234_567)
    #expect(generator.next() == 6_457_827_717_110_365_317)
    #expect(generator.next() == 3_203_168_211_198_807_973)
  }
}

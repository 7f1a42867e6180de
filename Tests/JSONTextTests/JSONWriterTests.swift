import Bytes
import JSONText
import Testing

private func written(_ body: (inout JSONWriter) -> Void) -> String {
  var writer = JSONWriter()
  body(&writer)
  return String(decoding: writer.bytes, as: UTF8.self)
}

@Suite struct JSONWriterTests {
  @Test func `objects and arrays get their commas`() {
    let text = written { json in
      json.beginObject()
      json.key("a")
      json.integer(UInt64.max)
      json.key("b")
      json.beginArray()
      json.boolean(true)
      json.null()
      json.beginObject()
      json.endObject()
      json.beginArray()
      json.endArray()
      json.string("x")
      json.endArray()
      json.key(utf8: Array("c\"".utf8))
      json.integer(Int64.min)
      json.endObject()
    }
    #expect(
      text
        == #"{"a":18446744073709551615,"b":[true,null,{},[],"x"],"c\"":-9223372036854775808}"#)
  }

  @Test func `strings are escaped as far as JSON and JavaScript need`() {  // RFC 8259 §7
    #expect(written { $0.string("\"\\/\u{8}\u{c}\n\r\t") } == #""\"\\/\b\f\n\r\t""#)
    #expect(written { $0.string("\u{0}\u{1f}\u{7f}") } == #""\u0000\u001f\u007f""#)
    #expect(written { $0.string("a\u{2028}b\u{2029}c\u{2027}") } == "\"a\\u2028b\\u2029c\u{2027}\"")
    #expect(written { $0.string("żółć 😀") } == "\"żółć 😀\"")
    #expect(written { $0.string(utf8: [0x61, 0xff, 0xe2, 0x80]) } == #""a\ufffd\ufffd\ufffd""#)
  }

  @Test func `what is written is read back`() throws {
    let seed: UInt64 = 42
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2_000 {
      let scalars = (0..<8).compactMap { _ in
        Unicode.Scalar(UInt32.random(in: 0..<0x3000, using: &random))
      }
      let text = String(String.UnicodeScalarView(scalars))
      let back = try decoded(written { $0.string(text) })
      #expect(Array(back.utf8) == Array(text.utf8), "seed \(seed)")
    }
  }

  @Test(
    arguments: [
      (15075, 2, "150.75"), (30, 2, "0.30"), (5, 2, "0.05"), (0, 2, "0.00"), (-5, 2, "-0.05"),
      (-15075, 2, "-150.75"), (7, 0, "7"), (0, 0, "0"), (1234, 3, "1.234"), (100, 2, "1.00"),
      (Int128(Int64.max), 2, "92233720368547758.07"),
      (Int128.max, 0, "170141183460469231731687303715884105727"),
      (Int128.min, 38, "-1.70141183460469231731687303715884105728"),
      (Int128(UInt64.max) + 1, 1, "1844674407370955161.6"),
    ] as [(Int128, Int, String)])
  func `decimals are exact`(units: Int128, decimals: Int, text: String) {
    #expect(written { $0.decimal(units, decimals: decimals) } == text)
  }

  @Test(
    arguments: [
      (1_727_123_456_789_012_345, 3, "1727123456.789"),
      (1_727_123_456_789_012_345, 6, "1727123456.789012"),
      (1_727_123_456_789_012_345, 9, "1727123456.789012345"),
      (1_727_123_456_789_012_345, 0, "1727123456"), (1, 9, "0.000000001"), (-1, 3, "0.000"),
      (-1_500_000_000, 3, "-1.500"), (999_999_999, 3, "0.999"), (0, 6, "0.000000"),
      (Int64.min, 9, "-9223372036.854775808"),
    ] as [(Int64, Int, String)])
  func `nanoseconds become exact seconds`(nanoseconds: Int64, decimals: Int, text: String) {
    #expect(written { $0.seconds(nanoseconds: nanoseconds, decimals: decimals) } == text)
  }

  @Test func `one writer serves many lines`() {
    let text = written { json in
      for line in 1...2 {
        json.beginArray()
        json.integer(line)
        json.endArray()
        json.endLine()
      }
    }
    #expect(text == "[1]\n[2]\n")
  }
}

import HybridTime
import Testing

/// A text that only one freedom makes a time.
private struct Freedom: Sendable {
  let grammar: TimeGrammar
  let text: String
  let nanoseconds: Int64
}

private let all: TimeGrammar = [
  .bareDate, .spaceForT, .spaceForPlus, .decimalComma, .excessDecimals, .negativeSeconds,
  .paddedSeconds,
]

@Suite struct TimeGrammarTests {
  @Test(
    arguments: [
      ("0", 0), ("1727123456.789012345", 1_727_123_456_789_012_345), ("0000000001", 1_000_000_000),
      ("9223372036.854775807", .max), ("1970-01-01T00:00:00Z", 0),
      ("1970-01-01t00:00:00.5z", 500_000_000), ("1969-12-31T23:59:59.999999999Z", -1),
      ("2024-09-23T22:30:56.789+02:00", 1_727_123_456_789_000_000),
      ("2024-09-23T18:00:56-02:30", 1_727_123_456_000_000_000),
      ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
      ("2262-04-11T23:47:16.854775807Z", .max),
    ] as [(String, Int64)])
  func `every grammar has RFC 3339 and seconds`(text: String, nanoseconds: Int64) {
    #expect(TimeGrammar([]).nanoseconds(Array(text.utf8)) == nanoseconds)
    #expect(all.nanoseconds(Array(text.utf8)) == nanoseconds)
  }

  @Test(
    arguments: [
      Freedom(grammar: .bareDate, text: "2026-01-02", nanoseconds: 1_767_312_000_000_000_000),
      Freedom(grammar: .spaceForT, text: "1970-01-01 00:00:01Z", nanoseconds: 1_000_000_000),
      Freedom(
        grammar: .spaceForPlus, text: "1970-01-01T02:00:01 02:00", nanoseconds: 1_000_000_000),
      Freedom(grammar: .decimalComma, text: "1970-01-01T00:00:00,5Z", nanoseconds: 500_000_000),
      Freedom(grammar: .decimalComma, text: "1,5", nanoseconds: 1_500_000_000),
      Freedom(grammar: .excessDecimals, text: "1.0000000019", nanoseconds: 1_000_000_001),
      Freedom(
        grammar: .excessDecimals, text: "1970-01-01T00:00:00.1234567899Z",
        nanoseconds: 123_456_789),
      Freedom(grammar: .negativeSeconds, text: "-1.5", nanoseconds: -1_500_000_000),
      Freedom(grammar: .negativeSeconds, text: "-9223372036.854775808", nanoseconds: .min),
      Freedom(grammar: .paddedSeconds, text: "000000000000000001", nanoseconds: 1_000_000_000),
    ])
  fileprivate func `a freedom is taken where the grammar names it and only there`(
    freedom: Freedom
  ) {
    let bytes = Array(freedom.text.utf8)
    #expect(freedom.grammar.nanoseconds(bytes) == freedom.nanoseconds)
    #expect(all.nanoseconds(bytes) == freedom.nanoseconds)
    #expect(TimeGrammar([]).nanoseconds(bytes) == nil)
    #expect(all.subtracting(freedom.grammar).nanoseconds(bytes) == nil)
  }

  @Test(arguments: [
    "", "-", ".", "1.", ".5", "1e9", "+1", "--1", "- 1", "T", "yesterday", "12x", "1 ",
    "9223372036.854775808", "-9223372036.854775809", "9999999999.5", "0000000000000000001",
    "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-1-01",
    "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z",
    "2024-01-01T00:00:00", "2024-01-01T00:00Z", "2024-01-01T00:00:00.Z", "2024-01-01T",
    "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+00:60", "2024-01-01T00:00:00+0000",
    "2024-01-01T00:00:00Zx", "2262-04-11T23:47:16.854775808Z", "9999-01-01T00:00:00Z",
    "0000-01-01", "-2024-01-01",
  ])
  func `other text is a time in no grammar`(text: String) {
    #expect(TimeGrammar([]).nanoseconds(Array(text.utf8)) == nil)
    #expect(all.nanoseconds(Array(text.utf8)) == nil)
  }
}

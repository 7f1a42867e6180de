import Bytes
import JSONText
import Testing

/// What a text is refused for, or nil where it is one JSON text.
func refusal(
  _ text: [UInt8], limits: JSONLimits = JSONLimits()
) -> JSONError? {
  do {
    try JSONScanner.check(text.span.bytes, limits: limits)
    return nil
  } catch {
    return error
  }
}

func refusal(_ text: String, limits: JSONLimits = JSONLimits()) -> JSONError? {
  refusal(Array(text.utf8), limits: limits)
}

/// The decoded text of a JSON string.
func decoded(_ json: String) throws -> String {
  let bytes = Array(json.utf8)
  var scanner = JSONScanner(bytes.span.bytes)
  guard case .string(let token) = try scanner.value(in: bytes.span.bytes) else {
    Issue.record("not a string: \(json)")
    return ""
  }
  try scanner.finish(in: bytes.span.bytes)
  return token.text(in: bytes.span.bytes)
}

/// A scanner with its text: the macros of Testing take no spans.
struct Pull {
  let bytes: [UInt8]
  var scanner: JSONScanner

  init(_ text: String) {
    let bytes = Array(text.utf8)
    scanner = JSONScanner(bytes.span.bytes)
    self.bytes = bytes
  }

  mutating func value() throws -> JSONValue {
    let bytes = bytes
    return try scanner.value(in: bytes.span.bytes)
  }

  mutating func member() throws -> JSONString? {
    let bytes = bytes
    return try scanner.member(in: bytes.span.bytes)
  }

  mutating func skip() throws {
    let bytes = bytes
    try scanner.skip(in: bytes.span.bytes)
  }

  mutating func finish() throws {
    let bytes = bytes
    try scanner.finish(in: bytes.span.bytes)
  }

  func same(_ left: JSONString, _ right: JSONString) -> Bool {
    left.equals(right, in: bytes.span.bytes)
  }

  func text(_ number: JSONNumber) -> [UInt8] { number.text(in: bytes.span.bytes) }

  func named(_ key: JSONString?, _ name: StaticString) -> Bool {
    key?.equals(name, in: bytes.span.bytes) ?? false
  }
}

@Suite struct JSONScannerTests {
  @Test(arguments: [
    "{}", "[]", "0", "-0", "1e5", "1E+5", "-1.5e-7", "150.75", "\"\"", "true", "false", "null",
    " [ 1 , 2 , { \"a\" : [ ] } ] \r\n\t", "{\"a\":{\"b\":[[[1]]]},\"c\":null}", "[\"\\u0000\"]",
    "\"\\ud83d\\ude00\"", "\"\u{7f}\u{80}\u{ffff}\u{10ffff}\"", "[[],{},\"\",0]", "1.0e00",
  ])
  func `every text of the grammar is taken`(text: String) {  // RFC 8259 §2–§7
    #expect(refusal(text) == nil)
  }

  @Test(
    arguments: [
      ("", .empty, 0), (" \n", .empty, 2), ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2),
      ("[1,", .unexpectedEnd, 3), ("\"abc", .unexpectedEnd, 4), ("{\"a\"", .unexpectedEnd, 4),
      ("{\"a\":", .unexpectedEnd, 5), ("{\"a\" 1}", .expectedColon, 5),
      ("{a:1}", .expectedKey, 1), ("{'a':1}", .expectedKey, 1), ("{1:1}", .expectedKey, 1),
      ("{,}", .expectedKey, 1), ("[,]", .expectedValue, 1), ("{\"a\":1,}", .trailingComma, 6),
      ("[1,]", .trailingComma, 2), ("[1,,2]", .expectedValue, 3),
      ("[1 2]", .expectedCommaOrBracket, 3), ("{\"a\":1 \"b\":2}", .expectedCommaOrBrace, 7),
      ("[1}", .expectedCommaOrBracket, 2), ("{\"a\":1]", .expectedCommaOrBrace, 6),
      ("{} {}", .trailingText, 3), ("1 2", .trailingText, 2), ("[]]", .trailingText, 2),
      ("NaN", .unknownWord, 0), ("-Infinity", .unknownWord, 0), ("nan", .unknownWord, 0),
      ("True", .unknownWord, 0), ("nul", .unknownWord, 0), ("truex", .unknownWord, 0),
      ("'a'", .expectedValue, 0), ("/* c */ 1", .expectedValue, 0), ("}", .expectedValue, 0),
      ("01", .malformedNumber, 0), ("-01", .malformedNumber, 0), ("+1", .malformedNumber, 0),
      (".5", .malformedNumber, 0), ("1.", .unexpectedEnd, 0), ("1.e5", .malformedNumber, 0),
      ("1e", .unexpectedEnd, 0), ("[1e+]", .malformedNumber, 1), ("-", .unexpectedEnd, 0),
      ("0x10", .malformedNumber, 0), ("12.5x", .malformedNumber, 0), ("1.2.3", .malformedNumber, 0),
      ("\"\\x\"", .malformedEscape, 1), ("\"\\u12g4\"", .malformedEscape, 1),
      ("\"a\nb\"", .controlCharacter(10), 2), ("\"\u{0}\"", .controlCharacter(0), 1),
      ("\"\\ud800\"", .loneSurrogate, 1), ("\"\\udc00\"", .loneSurrogate, 1),
      ("\"\\ud800x\"", .loneSurrogate, 1), ("\"\\ud800\\u0041\"", .loneSurrogate, 1),
      ("\"\\ud800\\n\"", .loneSurrogate, 1), ("\u{feff}{}", .byteOrderMark, 0),
    ] as [(String, JSONError.Reason, Int)])
  func `what is not JSON is refused with its reason and place`(
    text: String, reason: JSONError.Reason, offset: Int
  ) {
    #expect(refusal(text) == JSONError(reason, at: offset))
  }

  @Test(
    arguments: [
      [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80],
      [0xf0, 0x8f, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff], [0xe2, 0x82], [0xc3, 0x28],
      [0xf0, 0x9f, 0x98],
    ] as [[UInt8]])
  func `what is not UTF-8 is refused in a string`(bytes: [UInt8]) {  // RFC 3629 §4
    let quote = [UInt8(ascii: "\"")]
    #expect(refusal(quote + bytes + quote) == JSONError(.invalidUTF8, at: 1))
    #expect(refusal(quote + bytes)?.reason == .invalidUTF8)
  }

  @Test func `nesting is taken up to its limit and no further`() {
    let limits = JSONLimits(depthMax: 64)
    func nested(_ count: Int) -> String {
      String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }
    #expect(refusal(nested(64), limits: limits) == nil)
    #expect(refusal(nested(65), limits: limits) == JSONError(.tooDeep(limit: 64), at: 64))
    let deep = String(repeating: "{\"a\":[", count: 50_000)
    #expect(refusal(deep)?.reason == .tooDeep(limit: 16))
  }

  @Test func `strings and numbers are taken up to their limits and no further`() {
    let limits = JSONLimits(stringByteCountMax: 5, numberByteCountMax: 5)
    #expect(refusal("\"12345\"", limits: limits) == nil)
    #expect(refusal("\"123456\"", limits: limits)?.reason == .stringTooLong(limit: 5))
    #expect(refusal("12345", limits: limits) == nil)
    #expect(refusal("123456", limits: limits)?.reason == .numberTooLong(limit: 5))
    #expect(refusal("1.23456", limits: limits)?.reason == .numberTooLong(limit: 5))
    #expect(
      refusal(String(repeating: "9", count: 5_000))?.reason
        == .numberTooLong(limit: JSONLimits().numberByteCountMax))
  }

  @Test func `escapes are decoded`() throws {  // RFC 8259 §7
    #expect(try decoded(#""\"\\\/\b\f\n\r\t""#) == "\"\\/\u{8}\u{c}\n\r\t")
    #expect(try decoded(#""\u0041\u00e9\u20AC\ud83d\ude00""#) == "Aé€😀")
    #expect(try decoded(#""\uD800\uDC00\uDBFF\uDFFF""#) == "\u{10000}\u{10ffff}")
    #expect(try decoded(#""\u0000""#) == "\0")
    #expect(try decoded("\"żółć 支付\"") == "żółć 支付")
  }

  @Test func `keys are the same when their decoded texts are`() throws {
    var pull = Pull(#"{"a":1,"\u0061":2,"b":3}"#)
    #expect(try pull.value() == .object)
    var keys: [JSONString] = []
    while let key = try pull.member() {
      keys.append(key)
      try pull.skip()
    }
    try pull.finish()
    #expect(keys.count == 3)
    #expect(pull.same(keys[0], keys[1]))
    #expect(!pull.same(keys[0], keys[2]))
    #expect(pull.named(keys[1], "a"))
    #expect(!pull.named(keys[1], "ab"))
  }

  @Test func `values are pulled in order and skipped whole`() throws {
    var pull = Pull(#"{"skip":[{"x":[1,2]},3],"n":-12.50,"t":true,"z":null}"#)
    #expect(try pull.value() == .object)
    #expect(pull.named(try pull.member(), "skip"))
    try pull.skip()
    #expect(pull.named(try pull.member(), "n"))
    guard case .number(let number) = try pull.value() else {
      Issue.record("no number")
      return
    }
    #expect(pull.text(number) == Array("-12.50".utf8))
    #expect(pull.named(try pull.member(), "t"))
    #expect(try pull.value() == .boolean(true))
    #expect(pull.named(try pull.member(), "z"))
    #expect(try pull.value() == .null)
    #expect(try pull.member() == nil)
    try pull.finish()
  }

  @Test func `every error is one sentence that names its place`() {
    let error = JSONError(.trailingComma, at: 6)
    #expect(error.sentence == "Nothing follows this comma; leave it out, at byte 7.")
  }
}

@Suite struct JSONFuzzTests {
  static let corpus = [
    #"{"amount":150.75,"sender":"alice","receiver":"bob","reference":"\ud83d\ude00 \u0041\n"}"#,
    #"[[[[1,2.5e-3,-0]],{"a":{"b":{}}}],"żółć",true,false,null]"#,
    #" { "k" : [ "\\" , "\"" , 9007199254740993 ] } "#,
  ]

  @Test func `no mutation traps, and what is taken stays inside the text`() {
    let seed: UInt64 = 0x6a73_6f6e
    var random = SeededGenerator(seed: seed)
    var taken = 0
    for round in 0..<60_000 {
      var text = Array(Self.corpus[round % Self.corpus.count].utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&text, &random) }
      let error = refusal(text, limits: JSONLimits(depthMax: 6, stringByteCountMax: 64))
      if let error {
        #expect((0...text.count).contains(error.offset), "seed \(seed), round \(round)")
      } else {
        taken += 1
        #expect(roundTrips(text), "seed \(seed), round \(round): \(text)")
      }
    }
    #expect(taken > 1_000 && taken < 59_000, "the mutations must make both: \(taken)")
  }

  /// What is taken, written again token by token, is taken again and equal.
  private func roundTrips(_ text: [UInt8]) -> Bool {
    var scanner = JSONScanner(text.span.bytes)
    var writer = JSONWriter()
    guard (try? copy(&scanner, text.span.bytes, into: &writer)) != nil else { return false }
    var again = JSONScanner(writer.bytes.span.bytes)
    var second = JSONWriter()
    guard (try? copy(&again, writer.bytes.span.bytes, into: &second)) != nil else { return false }
    return writer.bytes == second.bytes
  }

  private func copy(
    _ scanner: inout JSONScanner, _ bytes: borrowing RawSpan, into writer: inout JSONWriter
  ) throws(JSONError) {
    switch try scanner.value(in: bytes) {
    case .object:
      writer.beginObject()
      while let key = try scanner.member(in: bytes) {
        writer.key(utf8: key.utf8(in: bytes))
        try copy(&scanner, bytes, into: &writer)
      }
      writer.endObject()
    case .array:
      writer.beginArray()
      while try scanner.element(in: bytes) { try copy(&scanner, bytes, into: &writer) }
      writer.endArray()
    case .string(let token): writer.string(utf8: token.utf8(in: bytes))
    case .number(let token): writer.verbatim(token.text(in: bytes))
    case .boolean(let value): writer.boolean(value)
    case .null: writer.null()
    }
  }

  private func mutate(_ text: inout [UInt8], _ random: inout SeededGenerator) {
    guard !text.isEmpty else {
      text.append(.random(in: 0...255, using: &random))
      return
    }
    let place = Int.random(in: 0..<text.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: text[place] = .random(in: 0...255, using: &random)
    case 1: text.remove(at: place)
    case 2: text.insert(Array(#"{}[]",:\0-e."#.utf8).randomElement(using: &random) ?? 0, at: place)
    case 3: text[place] = UInt8.random(in: 0x61...0x7a, using: &random)
    default: text.removeSubrange(place..<min(text.count, place + 3))
    }
  }
}

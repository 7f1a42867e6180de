import Testing

@testable import syncpay

@Suite struct `JSON that keeps digits` {
  @Test(arguments: ["0.1", "900000000000.01", "-150.75", "1e400", "0", "-0", "1727123456.789"])
  func `a number is its text`(_ text: String) throws {
    #expect(try JSONParser.parse(text) == .number(text))
    #expect(try JSONParser.parse("{\"amount\":\(text)}").description == "{\"amount\":\(text)}")
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "+1", ".5", "1.", "1e", "NaN", "tru", "\"a", "\"\u{1}\"",
    "{\"a\" 1}", "1 2", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12\"", "\"\\x\"", "[", "-",
  ])
  func `what RFC 8259 does not allow is a fault`(_ text: String) {
    #expect(throws: JSONFault.self) { try JSONParser.parse(text) }
  }

  @Test func `bytes that are not UTF-8 are a fault`() {
    #expect(throws: JSONFault.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
  }

  @Test func `strings come back with their escapes resolved`() throws {
    let text = #""a\"\\\/\b\f\n\r\té\ud83d\ude00""#
    let value = try JSONParser.parse(text)
    #expect(value == .string("a\"\\/\u{8}\u{c}\n\r\té😀"))
    #expect(try JSONParser.parse(value.description) == value)
  }

  @Test func `depth is bounded`() throws {
    let deep = { (levels: Int) in
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    _ = try JSONParser.parse(deep(JSONParser.depthMax))
    #expect(throws: JSONFault.self) { try JSONParser.parse(deep(JSONParser.depthMax + 2)) }
    #expect(throws: JSONFault.self) { try JSONParser.parse(deep(100_000)) }
  }

  @Test func `a path is set and the rest keeps its place`() throws {
    let document = try JSONParser.parse(#"{"node":{"id":1,"name":"a"},"http":{"port":1}}"#)
    let changed = document.setting(["http", "port"], to: .number("2"))
      .setting(["new", "key"], to: .bool(true))
    #expect(
      changed.description
        == #"{"node":{"id":1,"name":"a"},"http":{"port":2},"new":{"key":true}}"#)
    #expect(try JSONParser.parse(changed.pretty()) == changed)
  }
}

@Suite struct `Exact decimals` {
  @Test func `a tenth three times is three tenths`() throws {
    let tenth = try #require(ExactDecimal("0.1"))
    let fifth = try #require(ExactDecimal("0.2"))
    let threeTenths = try #require(ExactDecimal("0.3"))
    #expect(tenth + tenth + tenth == ExactDecimal("0.30"))
    #expect((tenth + fifth).description == "0.3")
    #expect((tenth + tenth + tenth + -threeTenths).isZero)
  }

  @Test(arguments: ["900000000000.01", "-150.75", "0.05", "-0.05", "7", "0.00"])
  func `digits come back as they were`(_ text: String) {
    #expect(ExactDecimal(text)?.description == text)
  }

  @Test(arguments: ["", "-", ".5", "5.", "1e3", "1.2.3", "--1", "1,5", " 1", "٣"])
  func `anything else is not an amount`(_ text: String) {
    #expect(ExactDecimal(text) == nil)
  }

  @Test func `longer than the most digits is not an amount`() {
    #expect(ExactDecimal(String(repeating: "9", count: ExactDecimal.digitsMax)) != nil)
    #expect(ExactDecimal(String(repeating: "9", count: ExactDecimal.digitsMax + 1)) == nil)
  }

  @Test func `cents are hundredths`() {
    #expect(ExactDecimal(cents: 15_075).description == "150.75")
    #expect(ExactDecimal(cents: 1).description == "0.01")
  }
}

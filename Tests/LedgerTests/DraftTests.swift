import Bytes
import Ledger
import Testing

@Suite struct TransactionIDTests {
  @Test func `a compact id has one text and comes back from it`() throws {
    var generator = SeededGenerator(seed: 21)
    for _ in 0..<1_000 {
      let id = TransactionID(high: generator.next(), low: generator.next())
      #expect(id.text.utf8.count == TransactionID.compactTextByteCount)
      let back = try TransactionID(validating: id.text)
      #expect(back == id, "seed 21: \(id.text)")
      #expect(back.compactBits != nil)
    }
    #expect(TransactionID(high: 0, low: 0).text == "txn_" + String(repeating: "0", count: 26))
    #expect(
      TransactionID(high: .max, low: .max).text == "txn_7" + String(repeating: "Z", count: 25))
  }

  @Test func `a made id carries its milliseconds first, so that ids sort by time`() {
    let early = TransactionID(unixMilliseconds: 1_000, randomHigh: .max, randomLow: .max)
    let late = TransactionID(unixMilliseconds: 1_001, randomHigh: 0, randomLow: 0)
    #expect(early.text < late.text)
    // The ULID specification's canonical example: 1469918176385 ms is 01ARYZ6S41.
    let example = TransactionID(
      unixMilliseconds: 1_469_918_176_385, randomHigh: 0, randomLow: 0)
    #expect(example.text.hasPrefix("txn_01ARYZ6S41"))
  }

  @Test(arguments: [
    "a", "order-17", "txn_", "txn_8" + String(repeating: "0", count: 25),
    "txn_" + String(repeating: "I", count: 26), "txn_01aryz6s410000000000000000",
    "TXN_01ARYZ6S410000000000000000", "txn_01ARYZ6S41000000000000000",
    "txn_01ARYZ6S4100000000000000000", String(repeating: "x", count: 100), "!~",
  ])
  func `any other visible text is an id as it stands`(_ text: String) throws {
    let id = try TransactionID(validating: text)
    #expect(id.compactBits == nil)
    #expect(id.text == text)
  }

  @Test func `what is not visible ASCII, or too long, is no id`() {
    #expect(throws: TransactionIDProblem.length) { try TransactionID(validating: "") }
    #expect(throws: TransactionIDProblem.length) {
      try TransactionID(validating: String(repeating: "x", count: 101))
    }
    for text in ["a b", " a", "a\n", "é", "a\u{7f}", "a\0", "🙂"] {
      #expect(throws: TransactionIDProblem.notVisibleASCII) { try TransactionID(validating: text) }
    }
  }
}

@Suite struct NameTests {
  private func name(_ text: String) throws -> String {
    String(decoding: try NameText.accountName(Array(text.utf8)), as: UTF8.self)
  }

  @Test func `white space at both ends is taken off, inside it stays`() throws {
    #expect(try name("  alice ") == "alice")
    #expect(try name("\t\n alice b \r\n") == "alice b")
    #expect(try name("\u{3000}\u{a0}漢字\u{2003}\u{2028}\u{85}") == "漢字")
    #expect(try name("a") == "a")
  }

  @Test(arguments: ["", " ", "\t\n\r", "\u{2028}\u{3000}"])
  func `nothing but white space is empty`(_ text: String) {
    #expect(throws: NameProblem.empty) { try name(text) }
  }

  @Test func `a hundred scalars fit and a hundred and one do not`() throws {
    for scalar in ["a", "é", "漢", "🙂"] {
      #expect(try name(String(repeating: scalar, count: 100)).unicodeScalars.count == 100)
      #expect(throws: NameProblem.tooLong) { try name(String(repeating: scalar, count: 101)) }
    }
    #expect(try name("  " + String(repeating: "a", count: 100) + "  ").utf8.count == 100)
  }

  @Test(
    arguments: [
      0x00, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0x85, 0x9f, 0xad, 0x200b, 0x200d, 0x200e, 0x202e, 0x2028,
      0x2029, 0x2060, 0x2066, 0xfeff, 0xe0001, 0xe007f,
    ] as [UInt32])
  func `a control or invisible scalar inside a name is refused`(_ value: UInt32) throws {
    let scalar = try #require(Unicode.Scalar(value))
    #expect(throws: NameProblem.forbiddenScalar(value)) { try name("a\(Character(scalar))b") }
  }

  @Test func `a control that is not white space is not trimmed away`() {
    #expect(throws: NameProblem.forbiddenScalar(0)) { try name("\0alice") }
    #expect(throws: NameProblem.forbiddenScalar(0xfeff)) { try name("\u{feff}alice") }
  }

  @Test(
    arguments: [
      [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff],
      [0x61, 0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x99],
    ] as [[UInt8]])
  func `bytes that are not UTF-8 are refused`(_ bytes: [UInt8]) {  // Unicode 16, table 3-7
    #expect(throws: NameProblem.notUTF8) { try NameText.accountName(bytes) }
  }

  @Test func `names are not normalized`() throws {
    #expect(
      try NameText.accountName(Array("é".utf8)) != NameText.accountName(Array("e\u{301}".utf8)))
    #expect(try name("🙂") == "🙂")
  }
}

@Suite struct PaymentDraftTests {
  private func problem(_ request: PaymentRequest) -> PaymentProblem? {
    do throws(PaymentProblem) {
      _ = try PaymentDraft(validating: request, rules: PaymentRules()) {
        TransactionID(high: 1, low: 1)
      }
      return nil
    } catch { return error }
  }

  private func request(_ change: (inout PaymentRequest) -> Void = { _ in }) -> PaymentRequest {
    var request = PaymentRequest(
      amount: Array("150.75".utf8), sender: Array(" alice ".utf8), receiver: Array("bob".utf8))
    change(&request)
    return request
  }

  @Test func `a plain request becomes a payment in dollars with a made id`() throws {
    let draft = try PaymentDraft(validating: request(), rules: PaymentRules()) {
      TransactionID(high: 1, low: 1)
    }
    #expect(draft.amountMinorUnits == 15075)
    #expect(draft.currency == .usd)
    #expect(draft.sender == Array("alice".utf8))
    #expect(draft.reference == nil)
    #expect(draft.id == TransactionID(high: 1, low: 1))
  }

  @Test func `every problem has its stable code, its field and a sentence`() {
    let long = [UInt8](repeating: 97, count: 101)
    let cases: [(String, PaymentField, PaymentProblem?)] = [
      ("amount_missing", .amount, problem(request { $0.amount = nil })),
      ("amount_not_a_number", .amount, problem(request { $0.amount = Array("\"5\"".utf8) })),
      ("amount_not_positive", .amount, problem(request { $0.amount = Array("-5".utf8) })),
      ("amount_not_positive", .amount, problem(request { $0.amount = Array("0".utf8) })),
      ("amount_too_precise", .amount, problem(request { $0.amount = Array("1.005".utf8) })),
      ("amount_too_large", .amount, problem(request { $0.amount = Array("1000000.01".utf8) })),
      ("sender_missing", .sender, problem(request { $0.sender = nil })),
      ("sender_empty", .sender, problem(request { $0.sender = Array("  ".utf8) })),
      ("sender_too_long", .sender, problem(request { $0.sender = long })),
      ("sender_invalid", .sender, problem(request { $0.sender = [0xff] })),
      ("receiver_missing", .receiver, problem(request { $0.receiver = nil })),
      ("receiver_invalid", .receiver, problem(request { $0.receiver = Array("a\u{202e}b".utf8) })),
      ("same_account", .receiver, problem(request { $0.receiver = Array("alice".utf8) })),
      ("currency_unknown", .currency, problem(request { $0.currency = Array("XYZ".utf8) })),
      (
        "transaction_id_invalid", .transactionID,
        problem(request { $0.transactionID = Array("a b".utf8) })
      ),
      ("reference_invalid", .reference, problem(request { $0.reference = Array("a\nb".utf8) })),
      ("reference_too_long", .reference, problem(request { $0.reference = long + long })),
    ]
    for (code, field, problem) in cases {
      #expect(problem?.code == code)
      #expect(problem?.field == field)
      #expect(problem?.sentence.isEmpty == false)
    }
  }

  @Test func `the original system's sentence for an amount stays`() {
    #expect(problem(request { $0.amount = Array("0".utf8) })?.sentence == "Amount must be positive")
  }

  @Test func `the limit is in whole units of any currency`() throws {
    let rules = try #require(PaymentRules(amountUnitsMax: 500))
    #expect(rules.amountLimit(.usd) == 500_00)
    #expect(rules.amountLimit(try Currency(iso4217: "JPY")) == 500)
    #expect(PaymentRules(amountUnitsMax: 0) == nil)
    #expect(PaymentRules(amountUnitsMax: PaymentRules.unitsMaxMax + 1) == nil)
    let largest = try #require(PaymentRules(amountUnitsMax: PaymentRules.unitsMaxMax))
    #expect(largest.amountLimit(try Currency(iso4217: "CLF")) > 0)
  }
}

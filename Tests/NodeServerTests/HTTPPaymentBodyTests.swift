import Bytes
import Ledger
@testable import NodeServer
import Testing

let testMadeID = TransactionID(high: 1, low: 2)

/// The draft or the problem of a body.
func draft(_ body: [UInt8]) -> Result<PaymentDraft, HTTPProblem> {
  do throws(HTTPProblem) {
    return .success(
      try PaymentBody.draft(body.span.bytes, rules: PaymentRules(), makeID: { testMadeID }))
  } catch {
    return .failure(error)
  }
}

func draft(_ body: String) -> Result<PaymentDraft, HTTPProblem> { draft(Array(body.utf8)) }

/// A body with one member replaced by raw JSON, or left out.
private func body(
  amount: String? = "150.75", sender: String? = #""alice""#, receiver: String? = #""bob""#,
  more: String = ""
) -> String {
  let members = [
    amount.map { #""amount":"# + $0 }, sender.map { #""sender":"# + $0 },
    receiver.map { #""receiver":"# + $0 }, more.isEmpty ? nil : more,
  ].compactMap { $0 }
  return "{" + members.joined(separator: ",") + "}"
}

@Suite struct HTTPPaymentBodyTests {
  @Test func `a payment is read from its digits and its text`() throws {
    let draft = try draft(
      body(
        sender: #"" al\u0069ce ""#,
        more: #""currency":"EUR","transaction_id":"t-1","reference":"R\u00e9f \ud83d\ude00""#)
    ).get()
    #expect(draft.amountMinorUnits == 15_075)
    #expect(draft.currency.code == "EUR")
    #expect(draft.sender == Array("alice".utf8))
    #expect(draft.receiver == Array("bob".utf8))
    #expect(draft.reference == Array("Réf 😀".utf8))
    #expect(draft.id.text == "t-1")
  }

  @Test func `currency and id have defaults`() throws {
    let draft = try draft(body()).get()
    #expect(draft.currency == .usd)
    #expect(draft.id == testMadeID)
    #expect(draft.reference == nil)
  }

  @Test func `0.1 is ten cents, three times thirty`() throws {
    #expect(try draft(body(amount: "0.1")).get().amountMinorUnits == 10)
    #expect(try draft(body(amount: "1e2")).get().amountMinorUnits == 10_000)
    #expect(try draft(body(amount: "1000000.00")).get().amountMinorUnits == 100_000_000)
  }

  @Test func `unknown fields are ignored`() throws {
    let more = #""note":{"deep":[1,{"x":null}]},"":0,"Amount":"x""#
    #expect(try draft(body(more: more)).get().amountMinorUnits == 15_075)
  }

  static let bad: [(body: String, code: String, field: String?)] = [
    ("", "body_empty", nil), ("  \n", "body_empty", nil), ("amount=1", "json_invalid", nil),
    ("[1]", "body_not_object", nil), ("null", "body_not_object", nil),
    (#""text""#, "body_not_object", nil), ("17", "body_not_object", nil),
    ("{", "json_invalid", nil), (body() + "x", "json_invalid", nil),
    ("\u{feff}" + body(), "json_invalid", nil),
    ("{}", "amount_missing", "amount"), (body(amount: nil), "amount_missing", "amount"),
    (body(sender: nil), "sender_missing", "sender"),
    (body(receiver: nil), "receiver_missing", "receiver"),
    (body(sender: "null"), "sender_not_text", "sender"),
    (body(sender: "5"), "sender_not_text", "sender"),
    (body(receiver: #"{"name":"bob"}"#), "receiver_not_text", "receiver"),
    (body(receiver: #"["bob"]"#), "receiver_not_text", "receiver"),
    (body(sender: #""""#), "sender_empty", "sender"),
    (body(sender: #"" \t ""#), "sender_empty", "sender"),
    (body(sender: #""bob""#), "same_account", "receiver"),
    (body(sender: #"" bob ""#), "same_account", "receiver"),
    (body(sender: "\"" + String(repeating: "é", count: 101) + "\""), "sender_too_long", "sender"),
    (body(sender: #""a\u0000b""#), "sender_invalid", "sender"),
    (body(sender: #""a\nb""#), "sender_invalid", "sender"),
    (body(sender: "\"a\u{1}b\""), "json_control_character", "sender"),
    (body(sender: #""a\ud800b""#), "json_lone_surrogate", "sender"),
    (
      body(sender: "\"" + String(repeating: "x", count: 5_000) + "\""), "json_string_too_long",
      "sender"
    ),
    (body(amount: "true"), "amount_not_a_number", "amount"),
    (body(amount: "null"), "amount_not_a_number", "amount"),
    (body(amount: #""12.50""#), "amount_not_a_number", "amount"),
    (body(amount: #""12.5x""#), "amount_not_a_number", "amount"),
    (body(amount: "{}"), "amount_not_a_number", "amount"),
    (body(amount: "12.5x"), "json_invalid", "amount"),
    (body(amount: "NaN"), "json_invalid", "amount"),
    (body(amount: "Infinity"), "json_invalid", "amount"),
    (body(amount: "-Infinity"), "json_invalid", "amount"),
    (body(amount: "-1"), "amount_not_positive", "amount"),
    (body(amount: "0"), "amount_not_positive", "amount"),
    (body(amount: "-0.00"), "amount_not_positive", "amount"),
    (body(amount: "0e9"), "amount_not_positive", "amount"),
    (body(amount: "1e400"), "amount_too_large", "amount"),
    (body(amount: "1000000.01"), "amount_too_large", "amount"),
    (body(amount: String(repeating: "9", count: 5_000)), "json_number_too_long", "amount"),
    (body(amount: "0.001"), "amount_too_precise", "amount"),
    (body(amount: "1.5", more: #""currency":"JPY""#), "amount_too_precise", "amount"),
    (body(more: #""currency":"usd""#), "currency_unknown", "currency"),
    (body(more: #""currency":"XXX""#), "currency_unknown", "currency"),
    (body(more: #""currency":null"#), "currency_not_text", "currency"),
    (body(more: #""transaction_id":7"#), "transaction_id_not_text", "transaction_id"),
    (body(more: #""transaction_id":"""#), "transaction_id_invalid", "transaction_id"),
    (body(more: #""transaction_id":"a b""#), "transaction_id_invalid", "transaction_id"),
    (body(more: #""reference":["x"]"#), "reference_not_text", "reference"),
    (body(more: #""amount":1"#), "json_duplicate_key", "amount"),
    (body(more: #""\u0061mount":1"#), "json_duplicate_key", "amount"),
    (body(more: #""x":1,"x":2"#), "json_duplicate_key", nil),
    (body(more: #""x":1,"\u0078":2"#), "json_duplicate_key", nil),
    (body(more: #""x":"# + String(repeating: "[", count: 20_000)), "json_too_deep", nil),
    (
      body(more: (0..<64).map { "\"k\($0)\":0" }.joined(separator: ",")), "json_too_many_members",
      nil
    ),
  ]

  @Test(arguments: bad)
  func `a bad body gets its code, its field and a sentence`(
    body: String, code: String, field: String?
  ) {
    guard case .failure(let problem) = draft(body) else {
      Issue.record("taken: \(body.prefix(200))")
      return
    }
    #expect(problem.status == 400)
    #expect(problem.code == code)
    #expect(problem.field == field)
    #expect(problem.sentence.count > 15)
  }

  @Test func `bytes that are not UTF-8 are refused`() {
    var bytes = Array(body().utf8)
    let place = bytes.firstIndex(of: UInt8(ascii: "l")) ?? 0
    bytes[place] = 0xff
    guard case .failure(let problem) = draft(bytes) else {
      Issue.record("taken")
      return
    }
    #expect(problem.code == "json_not_utf8")
    #expect(problem.field == "sender")
  }

  @Test func `no mutation of a body traps`() {
    let seed: UInt64 = 0x7061_79
    var random = SeededGenerator(seed: seed)
    var taken = 0
    for _ in 0..<40_000 {
      var bytes = Array(
        body(more: #""currency":"EUR","transaction_id":"t","reference":"\u00e9\n""#).utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = .random(in: 0...255, using: &random)
        case 1: bytes.remove(at: place)
        default: bytes.insert(.random(in: 0x20...0x7f, using: &random), at: place)
        }
      }
      switch draft(bytes) {
      case .success(let draft):
        taken += 1
        #expect(draft.amountMinorUnits > 0, "seed \(seed)")
        #expect(draft.sender != draft.receiver, "seed \(seed)")
      case .failure(let problem): #expect(problem.status == 400, "seed \(seed)")
      }
    }
    #expect(taken > 100, "some mutations leave a payment: \(taken)")
  }
}

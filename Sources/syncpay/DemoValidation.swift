import ArgumentParser

/// `syncpay demo validation`.
struct DemoValidation: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "validation",
    abstract: "Send bad requests; each must get the right 4xx and a sentence.",
    discussion: """
      Prints a table of what was sent and what was answered. Afterwards the node must still answer, \
      and none of the bad payments may have been recorded.
      """)

  @OptionGroup var options: ClusterOptions

  func perform() async throws {
    try await DemoStage.with(options) { stage, narrator in
      let accounts = DemoAccounts()
      let cases = BadRequest.all(accounts)
      let node = try await stage.leader()
      narrator.begin("\(cases.count) bad requests to \(node.name).")
      var table = Table([
        .init("request"), .init("status", .right), .init("code"), .init("sentence"), .init(""),
      ])
      var wrong: [String] = []
      for bad in cases {
        let (row, isRight) = await bad.row(at: node.address, client: stage.client)
        table.add(row)
        if !isRight { wrong.append(bad.name) }
      }
      table.show(indent: "   ")
      narrator.check(
        wrong.isEmpty,
        wrong.isEmpty
          ? "each got the expected status, a code and a sentence"
          : "not as expected: " + wrong.joined(separator: "; "))
      let listed = try await stage.listed(account: accounts.sender, at: node)
      narrator.check(listed.isEmpty, "none of them was recorded")
      let ping = try? await stage.client.send(
        .get("/ping"), to: node.address, within: .seconds(2))
      narrator.check(ping?.status == 200, "the node answers as before")
    }
  }
}

/// A request that a node must refuse.
struct BadRequest: Sendable {
  let name: String
  let request: NodeRequest
  let expected: Set<Int>

  func row(at node: NodeAddress, client: NodeClient) async -> (row: [String], isRight: Bool) {
    do throws(NoAnswer) {
      let answer = try await client.send(request, to: node, within: .seconds(10))
      let code = answer.body?["code"]?.text
      let sentence = answer.body?["error"]?.text
      let isRight = expected.contains(answer.status) && code != nil && sentence != nil
      let shown = String((sentence ?? answer.text).prefix(90))
      return ([name, String(answer.status), code ?? "-", shown, isRight ? "✔" : "✘"], isRight)
    } catch {
      return ([name, "-", "-", error.reason, "✘"], false)
    }
  }

  static func all(_ accounts: DemoAccounts) -> [BadRequest] {
    shapes(accounts) + names(accounts) + amounts(accounts) + requests(accounts)
  }

  private static func shapes(_ accounts: DemoAccounts) -> [BadRequest] {
    let (sender, receiver) = (accounts.sender, accounts.receiver)
    let pair = #""sender":"\#(sender)","receiver":"\#(receiver)""#
    let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
    return [
      payment("an empty body", ""),
      payment("not JSON", #"{"amount":"#),
      payment("an array", "[1]"),
      payment("no amount", "{\(pair)}"),
      payment("no sender", #"{"amount":1,"receiver":"\#(receiver)"}"#),
      payment("no receiver", #"{"amount":1,"sender":"\#(sender)"}"#),
      payment("a key twice", #"{"amount":1,"amount":2,\#(pair)}"#),
      payment(
        "10,000 levels deep", #"{"amount":1,\#(pair),"reference":\#(deep)}"#, [400, 413, 422]),
      payment(
        "2 MiB of body",
        #"{"amount":1,\#(pair),"reference":"\#(String(repeating: "x", count: 2 << 20))"}"#, [413]),
      payment(
        "bytes that are not UTF-8", #"{"amount":1,"sender":""#, tail: [0xFF, 0xFE, 0x22, 0x7D]),
    ]
  }

  private static func names(_ accounts: DemoAccounts) -> [BadRequest] {
    let receiver = accounts.receiver
    func sender(_ name: String, _ json: String) -> BadRequest {
      payment(name, #"{"amount":1,"sender":\#(json),"receiver":"\#(receiver)"}"#)
    }
    return [
      sender("null as a name", "null"),
      sender("a number as a name", "7"),
      sender("an object as a name", #"{"a":1}"#),
      sender("a blank name", #""  ""#),
      sender("101 characters", "\"" + String(repeating: "n", count: 101) + "\""),
      sender("control characters", #""al\u0000ice""#),
      sender("a lone surrogate", #""\ud800""#),
      sender("paying oneself", "\"\(receiver)\""),
    ]
  }

  private static func amounts(_ accounts: DemoAccounts) -> [BadRequest] {
    func amount(_ name: String, _ json: String, _ expected: Set<Int> = [400, 422]) -> BadRequest {
      let (sender, receiver) = (accounts.sender, accounts.receiver)
      return payment(
        name, #"{"amount":\#(json),"sender":"\#(sender)","receiver":"\#(receiver)"}"#, expected)
    }
    return [
      amount("true as an amount", "true"),
      amount("\"12.5x\" as an amount", #""12.5x""#),
      amount("a null amount", "null"),
      amount("a negative amount", "-5"),
      amount("an amount of zero", "0"),
      amount("NaN", "NaN"),
      amount("Infinity", "Infinity"),
      amount("1e400", "1e400"),
      amount("5,000 digits", String(repeating: "9", count: 5_000), [400, 413, 422]),
      amount("a third decimal", "10.005"),
      amount("over the limit", "1000000000000.00"),
    ]
  }

  private static func requests(_ accounts: DemoAccounts) -> [BadRequest] {
    let (sender, receiver) = (accounts.sender, accounts.receiver)
    let start = #"{"amount":1,"sender":"\#(sender)","receiver":"\#(receiver)""#
    var form = NodeRequest(method: "POST", path: "/payment", body: Array("\(start)}".utf8))
    form.contentType = "text/plain"
    let listing = { (name: String, query: String) in
      BadRequest(name: name, request: .get("/transactions?" + query), expected: [400, 422])
    }
    return [
      payment("an unknown currency", #"\#(start),"currency":"ZZZZ"}"#),
      payment("an empty transaction id", #"\#(start),"transaction_id":""}"#),
      payment(
        "a transaction id of 300",
        #"\#(start),"transaction_id":"\#(String(repeating: "t", count: 300))"}"#),
      BadRequest(name: "text/plain", request: form, expected: [415]),
      BadRequest(name: "GET /payment", request: .get("/payment"), expected: [405]),
      BadRequest(name: "an unknown path", request: .get("/nowhere"), expected: [404]),
      listing("limit=many", "limit=many"), listing("limit=-1", "limit=-1"),
      listing("a made-up cursor", "cursor=%00nonsense"),
      listing("from=yesterday", "from=yesterday"),
    ]
  }

  private static func payment(
    _ name: String, _ body: String, _ expected: Set<Int> = [400, 422], tail: [UInt8] = []
  ) -> BadRequest {
    let request = NodeRequest(method: "POST", path: "/payment", body: Array(body.utf8) + tail)
    return BadRequest(name: name, request: request, expected: expected)
  }
}

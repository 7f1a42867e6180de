import Testing

@testable import syncpay

@Suite struct `What a person reads` {
  @Test func `a table aligns its columns and ends lines without spaces`() {
    var table = Table([.init("account"), .init("balance", .right), .init("note")])
    table.add(["alice", "-150.75", ""])
    table.add(["bo", "1.00", "x"])
    #expect(
      table.lines() == [
        "ACCOUNT  BALANCE  NOTE", "alice    -150.75", "bo          1.00  x",
      ])
    #expect(table.lines(withTitles: false).count == 2)
  }

  @Test func `what a node sends cannot steer the terminal`() {
    var table = Table([.init("a")])
    table.add(["x\u{1B}[2J\n\u{202E}y"])
    #expect(table.lines(withTitles: false) == ["x\\u{1B}[2J\\u{A}\\u{202E}y"])
  }

  @Test func `members and rules are tables`() throws {
    let members = try JSONParser.parse(
      #"{"leader":"a","leader_id":1,"members":[{"id":1,"name":"a","role":"voter","peer":"h:1","#
        + #""client":null,"health":"healthy","match_index":9,"lag_batches":0},{"id":12,"#
        + #""name":"b","role":"learner","peer":"h:2","client":"h:3","health":"down","#
        + #""match_index":null,"lag_batches":null}]}"#)
    #expect(
      MembersList.table(members).lines() == [
        "ID  NAME  ROLE           STATE    MATCH  LAG  PEER  CLIENT",
        " 1  a     voter, leader  healthy      9    0  h:1   -",
        "12  b     learner        down         -    -  h:2   h:3",
      ])
    let policy = try JSONParser.parse(
      #"{"policy":[{"key":"retain.days","value":"30","set":true,"values":"days"},"#
        + #"{"key":"segment.bytes","value":null,"set":false,"values":"bytes"}]}"#)
    #expect(
      PolicyGet.table(try PolicyGet.rules(policy, key: nil)).lines() == [
        "RULE           VALUE  SET  VALUES", "retain.days       30  yes  days",
        "segment.bytes      -  no   bytes",
      ])
    #expect(try PolicyGet.rules(policy, key: "retain.days").count == 1)
    #expect(throws: CommandFailure.self) { try PolicyGet.rules(policy, key: "retain") }
  }

  @Test func `times are printed with all their digits`() {
    #expect(Moment.utc(secondsText: "1727123456.789") == "2024-09-23T20:30:56.789Z")
    #expect(Moment.utc(secondsText: "0") == "1970-01-01T00:00:00Z")
    #expect(Moment.utc(secondsText: "951782400") == "2000-02-29T00:00:00Z")
    #expect(Moment.utc(secondsText: "1e9") == nil)
    #expect(Moment.utc(secondsText: "-1") == nil)
  }

  @Test(arguments: [
    ("1727123456.789", "1727123456.789"), ("2024-09-23", "1727049600"),
    ("2024-09-23T20:30:56.789Z", "1727123456.789"), ("2024-09-23 22:30:56+02:00", "1727123456"),
    ("2000-02-29T00:00", "951782400"),
  ])
  func `typed times become seconds`(_ typed: String, _ seconds: String) {
    #expect(Moment.secondsText(typed: typed) == seconds)
  }

  @Test(arguments: [
    "yesterday", "2024-13-01", "2023-02-29", "2024-9-1", "2024-09-23T25:00", "2024-09-23T", "",
    "2024-09-23T10:61", "1969-12-31", "2024-09-23T10:00:00.12x", "2024-09-23T10:00+2",
  ])
  func `what is not a time is refused`(_ typed: String) {
    #expect(Moment.secondsText(typed: typed) == nil)
  }

  @Test func `decimals are rounded and keep their zeros`() {
    #expect(fixed(0.0005, decimals: 3) == "0.001")
    #expect(fixed(-1.05, decimals: 1) == "-1.1" || fixed(-1.05, decimals: 1) == "-1.0")
    #expect(fixed(12, decimals: 2) == "12.00")
    #expect(fixed(-0.0001, decimals: 2) == "0.00")
    #expect(fixed(.nan, decimals: 2) == "-")
    #expect(milliseconds(0.001234) == "1.234 ms")
  }

  @Test func `queries are encoded by RFC 3986`() {
    #expect("al ice/ü&=".queryEncoded == "al%20ice%2F%C3%BC%26%3D")
    #expect("aZ09-._~".queryEncoded == "aZ09-._~")
    let request = NodeRequest.get("/transactions", [("limit", "5"), ("cursor", nil), ("a", "b c")])
    #expect(request.path == "/transactions?limit=5&a=b%20c")
  }

  @Test func `an id is txn_ and a ULID in Crockford's base 32`() {
    struct Zero: RandomNumberGenerator { mutating func next() -> UInt64 { 0 } }
    struct Ones: RandomNumberGenerator { mutating func next() -> UInt64 { .max } }
    var zero = Zero()
    var ones = Ones()
    // The ULID specification's example time: 1469918176385 is 01ARYZ6S41.
    #expect(
      TransactionID.make(milliseconds: 1_469_918_176_385, using: &zero)
        == "txn_01ARYZ6S41" + String(repeating: "0", count: 16))
    #expect(
      TransactionID.make(milliseconds: 0xFFFF_FFFF_FFFF, using: &ones)
        == "txn_7" + String(repeating: "Z", count: 25))
    #expect(Set((0..<1_000).map { _ in TransactionID.make() }).count == 1_000)
  }
}

@Suite struct `What nodes answer` {
  @Test(arguments: [
    #"{"balances":{"alice":-1},"balances_by_currency":{"USD":{"alice":-150.75}}}"#,
    #"{"balances":{"alice":{"USD":"-150.75"}}}"#, #"{"balances":{"alice":{"USD":-150.75}}}"#,
    #"{"balances":{"alice":"-150.75"}}"#, #"{"balances":{"alice":-150.75},"total":1}"#,
    #"{"balances":{"alice":{"USD":{"balance":"-150.75"}}}}"#,
    #"[{"account":"alice","currency":"USD","balance":"-150.75"}]"#,
    #"{"accounts":[{"account":"alice","balances":{"USD":"-150.75"}}]}"#,
    #"{"account":"alice","currency":"USD","balance":-150.75}"#,
  ])
  func `balances are read in every known shape`(_ text: String) throws {
    let rows = LedgerRow.all(in: try JSONParser.parse(text))
    #expect(rows == [LedgerRow(account: "alice", currency: "USD", balance: "-150.75")])
  }

  @Test func `ledgers are compared exactly and must sum to zero`() {
    let rows = [("a", "-900000000000.01"), ("b", "900000000000.01"), ("c", "0.00")]
      .map { LedgerRow(account: $0.0, currency: "USD", balance: $0.1) }
    let totals = LedgerTotals(rows)
    #expect(totals.sumsToZero)
    #expect(totals.balances.count == 2)
    #expect(totals == LedgerTotals(rows.dropLast() + []))
    let off =
      rows.dropFirst() + [LedgerRow(account: "a", currency: "USD", balance: "-900000000000")]
    #expect(!LedgerTotals(Array(off)).sumsToZero)
    #expect(!LedgerTotals(rows + [rows[2]]).sumsToZero)
  }

  @Test func `only some answers are worth another try`() {
    func answer(_ status: Int) -> Answer {
      Answer(status: status, body: nil, text: "", bytes: [], retryAfter: nil)
    }
    #expect([500, 502, 503, 504, 408, 429].allSatisfy { answer($0).isWorthRetrying })
    #expect([200, 400, 404, 405, 409, 413, 415, 422].allSatisfy { !answer($0).isWorthRetrying })
  }

  @Test func `pauses double up to the most and heed Retry-After`() {
    let policy = RetryPolicy()
    #expect(policy.pause(afterRound: 0, retryAfter: nil) == .milliseconds(50))
    #expect(policy.pause(afterRound: 2, retryAfter: nil) == .milliseconds(200))
    #expect(policy.pause(afterRound: 60, retryAfter: nil) == policy.backoffMax)
    #expect(policy.pause(afterRound: 0, retryAfter: .milliseconds(400)) == .milliseconds(400))
    #expect(policy.pause(afterRound: 0, retryAfter: .seconds(90)) == policy.backoffMax)
  }

  @Test func `status judges by majority`() throws {
    func report(_ status: JSONValue?) -> NodeReport {
      NodeReport(address: NodeAddress(url: "http://x"), status: status, health: nil)
    }
    let up = report(try JSONParser.parse(#"{"leader":"node1","is_leader":false}"#))
    let leaderless = report(try JSONParser.parse(#"{"leader":null,"is_leader":false}"#))
    let down = report(nil)
    try StatusCommand.judge([up, up, down])
    #expect(throws: CommandFailure.self) { try StatusCommand.judge([up, leaderless, down]) }
    #expect {
      try StatusCommand.judge([down, down, down])
    } throws: {
      ($0 as? CommandFailure)?.reason == .unreachable
    }
    #expect(NodeReport.table([up, leaderless, down]).rows.count == 3)
  }

  @Test func `a load's order sums to what was planned and percentiles take the nearest rank`() {
    let plan = LoadPlan(clients: 1, payments: 3, nodes: [], sender: "s", receivers: ["a", "b"])
    #expect((0..<3).map { plan.order($0).amount } == ["0.01", "0.38", "0.75"])
    var report = LoadReport()
    #expect(report.percentile(500) == .zero)
    report.latencies = (1...100).reversed().map { .milliseconds($0) }
    #expect(report.percentile(500) == .milliseconds(50))
    #expect(report.percentile(990) == .milliseconds(99))
    #expect(report.percentile(1_000) == .milliseconds(100))
  }
}

import Bytes
@testable import NodeServer
import Testing

private func transactions(_ query: String) -> Result<TransactionQuery, HTTPProblem> {
  do throws(HTTPProblem) { return .success(try TransactionQuery(query[...])) } catch {
    return .failure(error)
  }
}

private func balances(_ query: String) -> Result<BalanceQuery, HTTPProblem> {
  do throws(HTTPProblem) { return .success(try BalanceQuery(query[...])) } catch {
    return .failure(error)
  }
}

private func route(_ method: String, _ target: String) -> Result<Route, HTTPProblem> {
  do throws(HTTPProblem) { return .success(try Route(method: method, target: target)) } catch {
    return .failure(error)
  }
}

@Suite struct HTTPQueryTests {
  @Test func `a query without parameters has the defaults`() throws {
    let query = try transactions("").get()
    #expect(query == TransactionQuery())
    #expect(query.limit == 100)
    #expect(query.consistency == .local)
    // Who asks for a balance wants the one that is true now.
    #expect(try balances("").get().consistency == .linearizable)
    #expect(try balances("consistency=local").get().consistency == .local)
    #expect(try transactions("consistency=linearizable").get().consistency == .linearizable)
  }

  @Test func `all parameters are read`() throws {
    let query = try transactions(
      "limit=1000&cursor=s1f&account=al%20i+ce%C3%A9&from=1727123456.789&to=2024-09-23T20:30:56Z"
        + "&node=node2&order=desc"
    ).get()
    #expect(query.limit == 1000)
    #expect(query.cursor == EventSequence(31))
    #expect(query.account == Array("al i ceé".utf8))
    #expect(query.fromNanoseconds == 1_727_123_456_789_000_000)
    #expect(query.toNanoseconds == 1_727_123_456_000_000_000)
    #expect(query.node == "node2")
    #expect(query.newestFirst)
  }

  @Test(arguments: [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=ten", "limit"), ("limit=", "limit"),
    ("limit=99999999999999999999", "limit"), ("cursor=17", "cursor"), ("cursor=s", "cursor"),
    ("cursor=s-1", "cursor"), ("cursor=s+1", "cursor"), ("cursor=s%2B1", "cursor"),
    ("cursor=s11112222333344445", "cursor"), ("account=", "account"), ("account=%ff", "account"),
    ("account=.%0a.", "account"), ("from=yesterday", "from"), ("to=1e9", "to"), ("to=", "to"),
    ("order=up", "order"), ("limti=5", "limti"), ("limit=1&limit=2", "limit"),
    ("account=%zz", "account"), ("account=%4", "account"), ("consistency=", "consistency"),
    ("consistency=strong", "consistency"), ("consistency=local&consistency=local", "consistency"),
  ])
  func `a wrong parameter is named`(query: String, field: String) {
    guard case .failure(let problem) = transactions(query) else {
      Issue.record("taken: \(query)")
      return
    }
    #expect(problem.status == 400)
    #expect(problem.field == field)
  }

  @Test func `cursors read back what they write`() throws {
    for value in [1, 255, 1 << 40, UInt64.max] {
      let text = CursorText.text(EventSequence(value))
      #expect(CursorText.sequence(Array(text.utf8)) == EventSequence(value))
    }
    let name = Array("żółć & co".utf8)
    let query = try balances("limit=5&cursor=" + CursorText.text(account: name)).get()
    #expect(query.cursor == name)
    #expect(query.limit == 5)
    #expect(throws: HTTPProblem.self) { try balances("cursor=a").get() }
    #expect(throws: HTTPProblem.self) { try balances("cursor=axyz").get() }
    #expect(throws: HTTPProblem.self) { try balances("from=1").get() }
  }
}

@Suite struct HTTPTimeTextTests {
  @Test(
    arguments: [
      ("0", 0), ("-1.5", -1_500_000_000), ("1727123456.789012345", 1_727_123_456_789_012_345),
      ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00.5z", 500_000_000),
      ("2024-09-23T22:30:56.789+02:00", 1_727_123_456_789_000_000),
      ("2024-09-23T22:30:56 02:00", 1_727_123_456_000_000_000),
      ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
      ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
      ("1969-12-31T23:59:59Z", -1_000_000_000),
    ] as [(String, Int64)])
  func `seconds and RFC 3339 are read exactly`(text: String, nanoseconds: Int64) {
    #expect(TimeText.nanoseconds(Array(text.utf8)) == nanoseconds)
  }

  @Test(arguments: [
    "", "-", "1.", ".5", "1e9", "+1", "99999999999", "9999999999.5", "1.0000000001",
    "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
    "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00Z", "9999-01-01T00:00:00Z",
    "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00Zx", "T",
  ])
  func `other text is no time`(text: String) {
    #expect(TimeText.nanoseconds(Array(text.utf8)) == nil)
  }

  @Test func `the date field is an IMF-fixdate`() {  // RFC 9110 §5.6.7
    #expect(TimeText.httpDate(unixSeconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(TimeText.httpDate(unixSeconds: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
  }
}

@Suite struct HTTPRouteTests {
  @Test func `every path has its route`() throws {
    #expect(try route("POST", "/payment").get() == .pay(query: ""))
    #expect(try route("POST", "/payment?time=certain").get() == .pay(query: "time=certain"))
    #expect(try route("POST", "/pay").get() == .pay(query: ""))
    #expect(try route("GET", "/transactions").get() == .transactions(query: ""))
    #expect(try route("GET", "/transactions?limit=5&x").get() == .transactions(query: "limit=5&x"))
    #expect(try route("GET", "/transactions/txn%5F1").get() == .transaction(id: "txn_1", query: ""))
    #expect(
      try route("GET", "/transactions/x?consistency=local").get()
        == .transaction(id: "x", query: "consistency=local"))
    #expect(try route("GET", "/get_ledger?").get() == .ledger(query: ""))
    #expect(try route("HEAD", "/health").get() == .health(query: ""))
    #expect(try route("GET", "/status?x=1").get() == .status(query: "x=1"))
    #expect(try route("GET", "/ping").get() == .ping)
    #expect(try route("GET", "/livez").get() == .live)
    #expect(try route("GET", "/readyz").get() == .ready)
    #expect(try route("GET", "/v1/members").get() == .members(query: ""))
    #expect(try route("POST", "/v1/members").get() == .operate(.members))
    #expect(try route("GET", "/v1/leader").get() == .leader(query: ""))
    #expect(try route("POST", "/v1/leader").get() == .operate(.leader))
    #expect(try route("GET", "/v1/policy").get() == .policy(query: ""))
    #expect(try route("POST", "/v1/policy").get() == .operate(.policy))
    #expect(try route("PUT", "/v1/policy").get() == .operate(.policy))
  }

  @Test func `what has no route says why`() {
    func problem(_ method: String, _ target: String) -> HTTPProblem? {
      if case .failure(let problem) = route(method, target) { problem } else { nil }
    }
    #expect(problem("GET", "/")?.status == 404)
    #expect(problem("GET", "")?.status == 404)
    #expect(problem("POST", "/payments")?.code == "path_unknown")
    #expect(problem("GET", "/transactions/")?.status == 404)
    #expect(problem("GET", "/transactions/%4")?.status == 400)
    #expect(problem("GET", "/payment")?.status == 405)
    #expect(problem("GET", "/payment")?.allow == "POST")
    #expect(problem("DELETE", "/transactions")?.allow == "GET, HEAD")
    #expect(problem("POST", "/health")?.allow == "GET, HEAD")
    #expect(problem("get", "/health")?.status == 405)
    #expect(problem("PUT", "/v1/members")?.allow == "GET, HEAD, POST")
    #expect(problem("DELETE", "/v1/policy")?.allow == "GET, HEAD, POST, PUT")
    #expect(problem("PUT", "/payment")?.allow == "POST")
    #expect(problem("GET", "/ping?" + String(repeating: "x", count: 9000))?.status == 414)
  }

  @Test func `only application json is taken as JSON`() {
    for type in [
      "application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8",
    ] {
      #expect(MediaTypeText.isJSON(type))
    }
    for type in [
      "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp",
      "application/json-patch+json", "json", "text/plain; application/json",
    ] {
      #expect(!MediaTypeText.isJSON(type))
    }
  }
}

import Foundation
import Testing

/// One bad request body, and what it is answered.
struct BadBody: Sendable, CustomTestStringConvertible {
  var name: String
  var body: [UInt8]
  var code: String
  var field: String?
  var status: Int

  init(_ name: String, _ body: [UInt8], _ code: String, field: String? = nil, status: Int = 400) {
    self.name = name
    self.body = body
    self.code = code
    self.field = field
    self.status = status
  }

  init(_ name: String, _ body: String, _ code: String, field: String? = nil) {
    self.init(name, Array(body.utf8), code, field: field)
  }

  var testDescription: String { name }

  /// A payment with one field set to a JSON text.
  private static func with(_ field: String, _ value: String) -> String {
    var fields = ["amount": "1.00", "sender": "\"ann\"", "receiver": "\"ben\""]
    fields[field] = value
    return "{"
      + fields.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
      .joined(separator: ",") + "}"
  }

  private static func without(_ field: String) -> String {
    let fields = ["amount": "1.00", "sender": "\"ann\"", "receiver": "\"ben\""]
    return "{"
      + fields.filter { $0.key != field }.map { "\"\($0.key)\":\($0.value)" }
      .joined(separator: ",") + "}"
  }

  static let shapes: [BadBody] = [
    BadBody("not JSON", "hello", "json_invalid"),
    BadBody("a form", "amount=1&sender=a&receiver=b", "json_invalid"),
    BadBody("nothing", "", "body_empty"),
    BadBody("blanks", "  \n ", "body_empty"),
    BadBody("an array", "[]", "body_not_object"),
    BadBody("a string", "\"pay\"", "body_not_object"),
    BadBody("null", "null", "body_not_object"),
    BadBody("half an object", "{\"amount\":1", "json_invalid"),
    BadBody("two objects", "{}{}", "json_invalid"),
    BadBody("a trailing comma", "{\"amount\":1,}", "json_invalid"),
    BadBody("single quotes", "{'amount':1}", "json_invalid"),
    BadBody("a comment", "{/*a*/\"amount\":1}", "json_invalid"),
    BadBody("a byte order mark", [0xef, 0xbb, 0xbf] + Array("{}".utf8), "json_invalid"),
    BadBody(
      "not UTF-8", Array("{\"sender\":\"".utf8) + [0xff, 0xfe] + Array("\"}".utf8),
      "json_not_utf8", field: "sender"),
    BadBody("deep nesting", "{\"x\":" + String(repeating: "[", count: 30_000), "json_too_deep"),
    BadBody(
      "deep objects", String(repeating: "{\"x\":", count: 10_000), "json_too_deep"),
    BadBody(
      "duplicate keys", "{\"amount\":1,\"amount\":2,\"sender\":\"a\",\"receiver\":\"b\"}",
      "json_duplicate_key"),
    BadBody(
      "a key twice in another spelling",
      "{\"amount\":1,\"\\u0061mount\":2,\"sender\":\"a\",\"receiver\":\"b\"}",
      "json_duplicate_key"),
    BadBody(
      "many members",
      "{" + (0..<2000).map { "\"k\($0)\":1" }.joined(separator: ",") + "}",
      "json_too_many_members"),
  ]

  static let amounts: [BadBody] = [
    BadBody("no amount", without("amount"), "amount_missing", field: "amount"),
    BadBody("amount null", with("amount", "null"), "amount_not_a_number", field: "amount"),
    BadBody("amount true", with("amount", "true"), "amount_not_a_number", field: "amount"),
    BadBody("amount 12.5x", with("amount", "\"12.5x\""), "amount_not_a_number", field: "amount"),
    BadBody("amount as text", with("amount", "\"12.50\""), "amount_not_a_number", field: "amount"),
    BadBody("amount object", with("amount", "{}"), "amount_not_a_number", field: "amount"),
    BadBody("negative", with("amount", "-5"), "amount_not_positive", field: "amount"),
    BadBody("zero", with("amount", "0"), "amount_not_positive", field: "amount"),
    BadBody("zero with decimals", with("amount", "0.00"), "amount_not_positive", field: "amount"),
    BadBody("minus zero", with("amount", "-0"), "amount_not_positive", field: "amount"),
    BadBody("NaN", with("amount", "NaN"), "json_invalid", field: "amount"),
    BadBody("Infinity", with("amount", "Infinity"), "json_invalid", field: "amount"),
    BadBody("-Infinity", with("amount", "-Infinity"), "json_invalid", field: "amount"),
    BadBody("1e400", with("amount", "1e400"), "amount_too_large", field: "amount"),
    BadBody(
      "1e999999999999", with("amount", "1e999999999999"), "amount_too_large", field: "amount"),
    BadBody(
      "1e-999999999999", with("amount", "1e-999999999999"), "amount_too_precise",
      field: "amount"),
    BadBody("over the limit", with("amount", "1000000.01"), "amount_too_large", field: "amount"),
    BadBody(
      "5,000 digits", with("amount", String(repeating: "9", count: 5000)),
      "json_number_too_long", field: "amount"),
    BadBody("more digits", with("amount", "1.001"), "amount_too_precise", field: "amount"),
    BadBody("a leading zero", with("amount", "01"), "json_invalid", field: "amount"),
    BadBody("a leading plus", with("amount", "+1"), "json_invalid", field: "amount"),
    BadBody("hexadecimal", with("amount", "0x10"), "json_invalid", field: "amount"),
  ]

  static let names: [BadBody] = [
    BadBody("no sender", without("sender"), "sender_missing", field: "sender"),
    BadBody("no receiver", without("receiver"), "receiver_missing", field: "receiver"),
    BadBody("sender null", with("sender", "null"), "sender_not_text", field: "sender"),
    BadBody("sender number", with("sender", "5"), "sender_not_text", field: "sender"),
    BadBody("sender object", with("sender", "{\"a\":1}"), "sender_not_text", field: "sender"),
    BadBody("receiver list", with("receiver", "[\"b\"]"), "receiver_not_text", field: "receiver"),
    BadBody("sender empty", with("sender", "\"\""), "sender_empty", field: "sender"),
    BadBody("sender blank", with("sender", "\" \\t \""), "sender_empty", field: "sender"),
    BadBody(
      "101 characters", with("sender", "\"" + String(repeating: "é", count: 101) + "\""),
      "sender_too_long", field: "sender"),
    BadBody(
      "60,000 characters", with("sender", "\"" + String(repeating: "a", count: 60_000) + "\""),
      "json_string_too_long", field: "sender"),
    BadBody("the same", with("receiver", "\" ann \""), "same_account", field: "receiver"),
    BadBody("escaped control", with("sender", "\"a\\u0000b\""), "sender_invalid", field: "sender"),
    BadBody("line break", with("sender", "\"a\\nb\""), "sender_invalid", field: "sender"),
    BadBody(
      "raw control", with("sender", "\"a\u{1}b\""), "json_control_character", field: "sender"),
    BadBody("turned text", with("sender", "\"a\\u202eb\""), "sender_invalid", field: "sender"),
    BadBody(
      "a lone surrogate", with("sender", "\"a\\ud800\""), "json_lone_surrogate",
      field: "sender"),
    BadBody(
      "a lone low surrogate", with("sender", "\"a\\udc00\""), "json_lone_surrogate",
      field: "sender"),
    BadBody("currency unknown", with("currency", "\"ZZZ\""), "currency_unknown", field: "currency"),
    BadBody("currency small", with("currency", "\"usd\""), "currency_unknown", field: "currency"),
    BadBody("currency null", with("currency", "null"), "currency_not_text", field: "currency"),
    BadBody(
      "an id with a space", with("transaction_id", "\"a b\""), "transaction_id_invalid",
      field: "transaction_id"),
    BadBody(
      "an empty id", with("transaction_id", "\"\""), "transaction_id_invalid",
      field: "transaction_id"),
    BadBody(
      "a reference of 201", with("reference", "\"" + String(repeating: "r", count: 201) + "\""),
      "reference_too_long", field: "reference"),
  ]
}

/// One whole request that is not a payment's body, and the status it is answered.
struct BadRequest: Sendable, CustomTestStringConvertible {
  var name: String
  var bytes: String
  var statuses: [Int]
  var code: String?
  var header: String?

  init(
    _ name: String, _ bytes: String, _ statuses: [Int], code: String? = nil,
    header: String? = nil
  ) {
    self.name = name
    self.bytes = bytes
    self.statuses = statuses
    self.code = code
    self.header = header
  }

  var testDescription: String { name }

  private static func line(
    _ method: String, _ target: String, _ headers: String = "", body: String = ""
  ) -> String {
    "\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n\(body)"
  }

  private static let json = "Content-Type: application/json\r\n"
  private static let payment = "{\"amount\":1,\"sender\":\"a\",\"receiver\":\"b\"}"
  private static let length = "Content-Length: \(payment.utf8.count)\r\n"

  static let all: [BadRequest] = [
    BadRequest("unknown path", line("GET", "/nothing"), [404], code: "path_unknown"),
    BadRequest("path upwards", line("GET", "/../etc/passwd"), [404], code: "path_unknown"),
    BadRequest("GET /payment", line("GET", "/payment"), [405], header: "allow"),
    BadRequest(
      "PUT /payment", line("PUT", "/payment", length + json, body: payment), [405],
      code: "method_not_allowed", header: "allow"),
    BadRequest("DELETE /transactions", line("DELETE", "/transactions"), [405], header: "allow"),
    BadRequest(
      "POST /status", line("POST", "/status", "Content-Length: 0\r\n"), [405],
      header: "allow"),
    BadRequest(
      "no content type", line("POST", "/payment", length, body: payment), [415],
      code: "content_type_missing"),
    BadRequest(
      "plain text",
      line("POST", "/payment", length + "Content-Type: text/plain\r\n", body: payment), [415],
      code: "content_type_not_json"),
    BadRequest(
      "a form",
      line(
        "POST", "/payment",
        length
          + "Content-Type: application/x-www-form-urlencoded\r\n", body: payment), [415]),
    BadRequest(
      "a bad limit", line("GET", "/transactions?limit=0"), [400],
      code: "parameter_invalid"),
    BadRequest(
      "an endless limit", line("GET", "/transactions?limit=1000000000"), [400],
      code: "parameter_invalid"),
    BadRequest(
      "a bad cursor", line("GET", "/transactions?cursor=zz"), [400],
      code: "cursor_invalid"),
    BadRequest(
      "a bad time", line("GET", "/transactions?from=yesterday"), [400],
      code: "parameter_invalid"),
    BadRequest("a bad escape", line("GET", "/transactions/%zz"), [400], code: "path_malformed"),
    BadRequest(
      "a long target",
      line("GET", "/transactions?account=" + String(repeating: "a", count: 9000)), [414, 431]),
    BadRequest(
      "an announced body over the limit",
      line("POST", "/payment", json + "Content-Length: 999999999\r\n"), [413],
      code: "body_too_large"),
    BadRequest(
      "a body over the limit",
      line(
        "POST", "/payment", json + "Content-Length: 70000\r\n",
        body: String(repeating: " ", count: 70_000)), [413], code: "body_too_large"),
    BadRequest(
      "a chunked body over the limit",
      line(
        "POST", "/payment", json + "Transfer-Encoding: chunked\r\n",
        body: String(
          repeating: "1000\r\n" + String(repeating: " ", count: 4096) + "\r\n", count: 20)
          + "0\r\n\r\n"), [413], code: "body_too_large"),
  ]

  /// What is not HTTP at all: a 400 or a closed connection, at once.
  static let garbage: [BadRequest] = [
    BadRequest("bytes", "\u{0}\u{1}\u{2}garbage\r\n\r\n", [400]),
    BadRequest("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n", [400]),
    BadRequest("words", "pay me now\r\n\r\n", [400]),
    BadRequest(
      "a negative length", line("POST", "/payment", json + "Content-Length: -1\r\n"),
      [400]),
    BadRequest(
      "a length of words", line("POST", "/payment", json + "Content-Length: ten\r\n"),
      [400]),
    BadRequest(
      "two lengths",
      line("POST", "/payment", json + "Content-Length: 5\r\nContent-Length: 6\r\n", body: "hello!"),
      [400]),
    BadRequest(
      "length and chunks",
      line("POST", "/payment", json + length + "Transfer-Encoding: chunked\r\n", body: payment),
      [400]),
    BadRequest(
      "a bad chunk",
      line("POST", "/payment", json + "Transfer-Encoding: chunked\r\n", body: "xyz\r\n"), [400]),
    BadRequest(
      "a huge header",
      line("GET", "/ping", "X: " + String(repeating: "x", count: 100_000) + "\r\n"), [400, 431]),
    BadRequest(
      "many headers",
      line("GET", "/ping", String(repeating: "X: y\r\n", count: 5000)), [400, 431]),
  ]
}

extension EndToEnd {
  /// "Nothing a client sends may stop or slow a node for others."
  @Suite struct BadInput {
    @Test func `every bad body gets its 400 and the connection stays usable`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[0]
        var connection = try HTTPConnection(port: node.httpPort)
        for bad in BadBody.shapes + BadBody.amounts + BadBody.names {
          let reply = try connection.request("POST", "/payment", body: bad.body)
          #expect(reply.status == bad.status, "\(bad.name): \(reply)")
          #expect(reply.json["code"].string == bad.code, "\(bad.name): \(reply)")
          #expect(reply.json["error"].string?.isEmpty == false, "\(bad.name): \(reply)")
          if let field = bad.field {
            #expect(reply.json["field"].string == field, "\(bad.name): \(reply)")
          }
          #expect(!reply.closes, "\(bad.name) closes the connection")
          if reply.closes { connection = try HTTPConnection(port: node.httpPort) }
        }
        let good = try connection.request(
          "POST", "/payment", body: Array(Order.random("good-\(UUID())", 1).body.utf8))
        try #require(good.status == 200, "\(good)")
      }
    }

    @Test func `every bad request gets its 4xx`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[1]
        for bad in BadRequest.all {
          let connection = try HTTPConnection(port: node.httpPort)
          do {
            try connection.send(bad.bytes)
            let reply = try connection.reply()
            #expect(bad.statuses.contains(reply.status), "\(bad.name): \(reply)")
            #expect(reply.json["error"].string?.isEmpty == false, "\(bad.name): \(reply)")
            if let code = bad.code {
              #expect(reply.json["code"].string == code, "\(bad.name): \(reply)")
            }
            if let header = bad.header {
              #expect(reply.headers[header] != nil, "\(bad.name): \(reply)")
            }
            if !reply.closes {
              let next = try connection.request("GET", "/ping")
              #expect(next.status == 200, "\(bad.name): the next request got \(next)")
            }
          } catch {
            Issue.record("\(bad.name): \(error)")
          }
        }
        try requirePaysPromptly(node)
      }
    }

    @Test func `what is not HTTP is answered 400 or closed at once`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[2]
        for bad in BadRequest.garbage {
          let connection = try HTTPConnection(port: node.httpPort)
          do {
            try connection.send(bad.bytes)
            let reply = try connection.reply()
            #expect(bad.statuses.contains(reply.status), "\(bad.name): \(reply)")
          } catch ConnectionProblem.closedBeforeAnswer, ConnectionProblem.reset,
            ConnectionProblem.sendFailed
          {
          } catch {
            Issue.record("\(bad.name): \(error)")
          }
        }
        try requirePaysPromptly(node)
      }
    }

    @Test func `slow and idle connections do not stop others`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[0]
        var held: [HTTPConnection] = []
        for number in 0..<200 {
          let connection = try HTTPConnection(port: node.httpPort)
          if number % 2 == 0 { try connection.send("POST /payment HTTP/1.1\r\nHost: a\r\nX-") }
          if number % 10 == 1 {
            // A body of which only a part comes.
            try connection.send(
              "POST /payment HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: 60\r\n\r\n{\"amount\":")
          }
          held.append(connection)
        }
        for number in 0..<20 {
          try held[number * 2].send("a")
          try requirePaysPromptly(node)
        }
        // A client that never reads its answers is only its own problem.
        let deaf = try HTTPConnection(port: node.httpPort, timeoutMilliseconds: 500)
        let request = "GET /transactions?limit=1000 HTTP/1.1\r\nHost: a\r\n\r\n"
        try? deaf.send(String(repeating: request, count: 500))
        try requirePaysPromptly(node)
        withExtendedLifetime((held, deaf)) {}
      }
    }

    @Test func `clients that go away in the middle leave nothing behind`() async throws {
      try await SharedCluster.use { cluster in
        let node = cluster.nodes[1]
        for number in 0..<100 {
          let connection = try HTTPConnection(port: node.httpPort)
          let body = Order.random("gone-\(UUID())", number).body
          let text =
            "POST /payment HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
          let bytes = Array(text.utf8)
          try connection.send(Array(bytes.prefix(number * 7 % bytes.count + 1)))
        }
        try requirePaysPromptly(node)
        try eventually("no payment waits for a client that has gone") {
          node.status()?["replication_status", "pending_payments"].integer == 0
        }
      }
    }

    private func requirePaysPromptly(_ node: TestNode) throws {
      let reply = try node.post(
        Order.random("prompt-\(UUID())", 1).body, timeoutMilliseconds: 4000)
      try #require(reply.status == 200, "\(reply)")
    }
  }
}

import Bytes
import JSONText
import NIOCore
import Testing

@testable import syncpay_bench

@Suite struct `Payment requests` {
  private let address = HTTPAddress(host: "127.0.0.1", port: 5_001)

  private func requests(stream: UInt16, accounts: Int = 3) -> PaymentRequests {
    PaymentRequests(
      to: address, accounts: accounts, seed: 1, stream: stream,
      unixMilliseconds: 1_700_000_000_000)
  }

  @Test func `each is whole HTTP/1.1 with a body of the announced length`() throws {
    var stream = requests(stream: 3)
    var buffer = ByteBuffer()
    for _ in 0..<100 {
      stream.next(into: &buffer)
      let text = String(buffer: buffer)
      let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
      #expect(parts.count == 2)
      #expect(parts[0].hasPrefix("POST /payment HTTP/1.1\r\nHost: 127.0.0.1:5001\r\n"))
      #expect(parts[0].hasSuffix("Content-Length: \(parts[1].utf8.count)"))
      let body = try object(Array(parts[1].utf8))
      let sender = try #require(body["sender"] as? String)
      let receiver = try #require(body["receiver"] as? String)
      #expect(sender != receiver)
      #expect(["account-000000", "account-000001", "account-000002"].contains(sender))
      let amount = try #require(body["amount"] as? Double)
      #expect((100..<1_000).contains(amount))
      #expect(try #require(body["transaction_id"] as? String).count == 30)
    }
  }

  @Test func `ids are distinct within and between connections`() throws {
    var ids: Set<String> = []
    for number in 0..<50 {
      var stream = requests(stream: UInt16(number), accounts: 1_000)
      var buffer = ByteBuffer()
      for _ in 0..<200 {
        stream.next(into: &buffer)
        let text = String(buffer: buffer)
        let id = try #require(text.firstRange(of: "txn_"))
        ids.insert(String(text[id.lowerBound...].prefix(30)))
      }
    }
    #expect(ids.count == 50 * 200)
  }
}

@Suite struct `Response heads` {
  private func parse(_ text: String) throws(ResponseProblem) -> ResponseHead? {
    try ResponseHead.parse(ByteBuffer(string: text))
  }

  @Test func `a head is read once it is whole, whatever the case of its names`() throws {
    let text =
      "HTTP/1.1 503 Service Unavailable\r\nserver: x\r\ncontent-LENGTH: 12\r\n"
      + "Connection: Close\r\n\r\n"
    let count = text.utf8.count
    #expect(
      try parse(text + "{}")
        == ResponseHead(status: 503, headByteCount: count, bodyByteCount: 12, closes: true))
    for length in 0..<count {
      #expect(try ResponseHead.parse(ByteBuffer(bytes: text.utf8.prefix(length))) == nil)
    }
  }

  // RFC 9112 §6.3: without a length only the connection's end tells where a body ends.
  @Test(arguments: [
    "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "ICY 200 OK\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 1\n\n",
  ])
  func `what no node sends is refused`(_ text: String) {
    #expect(throws: ResponseProblem.self) { try parse(text) }
  }

  @Test func `a head without an end is refused before it fills the memory`() {
    #expect(throws: ResponseProblem.self) {
      try parse("HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 5_000))
    }
  }
}

@Suite struct `Node states` {
  @Test func `are read from the status document, wherever the fields stand`() throws {
    let text = #"""
      {"node_id":"node1","clock":{"term":9},"is_leader":true,"leader":"node1","term":4,\#
      "transaction_count":42,"peer_health":{}}
      """#
    let state = try #require(NodeState(json: Array(text.utf8)))
    #expect(state.isLeader && state.hasLeader)
    #expect((state.term, state.transactionCount) == (4, 42))
  }

  @Test(arguments: ["", "[]", "{}", #"{"is_leader":true}"#, "nonsense"])
  func `anything else is none`(_ text: String) {
    #expect(NodeState(json: Array(text.utf8)) == nil)
  }
}

// MARK: - JSON for the tests

/// The members of a JSON object, with numbers as `Int` or `Double`.
func object(_ json: [UInt8]) throws -> [String: Any] {
  let bytes = json.span.bytes
  var scanner = JSONScanner(bytes)
  let value = try tree(try scanner.value(in: bytes), &scanner, bytes)
  try scanner.finish(in: bytes)
  return try #require(value as? [String: Any])
}

private func tree(
  _ value: JSONValue, _ scanner: inout JSONScanner, _ bytes: borrowing RawSpan
) throws -> Any {
  switch value {
  case .object:
    var members: [String: Any] = [:]
    while let key = try scanner.member(in: bytes) {
      let value = try scanner.value(in: bytes)
      members[key.text(in: bytes)] = try tree(value, &scanner, bytes)
    }
    return members
  case .array:
    var elements: [Any] = []
    while try scanner.element(in: bytes) {
      let value = try scanner.value(in: bytes)
      elements.append(try tree(value, &scanner, bytes))
    }
    return elements
  case .string(let string): return string.text(in: bytes)
  case .number(let number):
    let text = String(decoding: number.text(in: bytes), as: UTF8.self)
    return try Int(text) ?? #require(Double(text))
  case .boolean(let flag): return flag
  case .null: return ()
  }
}

extension [String: Any] {
  /// A number, whole or not.
  func number(_ name: String) throws -> Double {
    if let whole = self[name] as? Int { return Double(whole) }
    return try #require(self[name] as? Double)
  }
}

import Bytes
import Evidence
import Glibc
import HybridTime
import Ledger
import Logging
@testable import NodeServer
import NIOPosix
import Replica
import SegmentLog
import ServiceLifecycle
import Testing

/// Holds payments until they are let go.
private struct HeldGateway: NodeGateway {
  var scripted = ScriptedGateway()
  var arrived: AsyncStream<Void>.Continuation
  var release: AsyncStream<Void>

  var identity: NodeIdentity { scripted.identity }
  func submit(_ draft: PaymentDraft) async -> PaymentAnswer {
    arrived.yield()
    for await _ in release {}
    return await scripted.submit(draft)
  }
  var retryAfterSeconds: Int { scripted.retryAfterSeconds }
  func status() -> NodeStatus { scripted.status() }
  func freshStatus() async -> NodeStatus { await scripted.freshStatus() }
  func confirmReads() async throws(ReadProblem) { try await scripted.confirmReads() }
  func administer(_ request: OperatorRequest) async throws(OperatorRefusal) -> LogIndex {
    try await scripted.administer(request)
  }
  func balances(_ query: BalanceQuery) async -> BalancePage { await scripted.balances(query) }
  func transactions(_ query: TransactionQuery) async throws(ReadProblem) -> TransactionPage {
    try await scripted.transactions(query)
  }
  func transaction(_ id: TransactionID) async -> TransactionState { .unknown }
  func receipt(_ id: TransactionID) async -> ReceiptState { .unknown }
  func checkpoint() -> SignedNote? { nil }
  func segments() async throws(ReadProblem) -> [SegmentExtent] { [] }
  func bytes(of segment: SegmentID, from offset: UInt64) async throws(ReadProblem) -> [UInt8]? {
    nil
  }
  func trustPolicy() -> TrustPolicy? { nil }
  func awaitPassed(_ stamp: Stamp) async -> Bool { true }
  func consistency(
    from oldSize: UInt64, to size: UInt64
  ) async throws(ReadProblem) -> [Digest256] { [] }
}

/// Runs a server on a free port, then `body`, then graceful shutdown, and waits for its end.
private func withServer(
  _ gateway: some NodeGateway = ScriptedGateway(),
  configure: (inout HTTPServerConfiguration) -> Void = { _ in },
  _ body: (_ port: Int, _ group: ServiceGroup) async throws -> Void
) async throws {
  var configuration = HTTPServerConfiguration()
  configuration.port = 0
  configure(&configuration)
  let (ports, found) = AsyncStream.makeStream(of: Int.self)
  let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
  let server = try makeHTTPServer(
    configuration: configuration, gateway: gateway,
    wallNanoseconds: { 1_727_123_456_000_000_000 }, logger: logger,
    onRunning: {
      found.yield($0)
      found.finish()
    })
  let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask { try await group.run() }
    var port = 0
    for await running in ports { port = running }
    try await body(port, group)
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
  }
}

private func request(
  _ method: String, _ target: String, _ fields: [String] = [], body: String? = nil
) -> String {
  var lines = ["\(method) \(target) HTTP/1.1", "Host: test"] + fields
  if let body { lines.append("Content-Length: \(body.utf8.count)") }
  return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
}

private let json = "Content-Type: application/json"
private let good = #"{"amount":150.75,"sender":"alice","receiver":"bob"}"#

@Suite struct HTTPServerTests {
  @Test func `a connection serves many payments`() async throws {
    try await withServer { port, _ in
      let answers = try await blocking { () -> [RawConnection.Answer] in
        let connection = try #require(RawConnection(port: port))
        return (0..<3).compactMap { _ in
          connection.send(request("POST", "/payment", [json], body: good))
          return connection.answer()
        }
      }
      #expect(answers.map(\.status) == [200, 200, 200])
      #expect(answers[0].field("Content-Type") == "application/json")
      #expect(answers[0].field("Date") == "Mon, 23 Sep 2024 20:30:56 GMT")
      #expect(answers[0].body.contains(#""amount":150.75"#))
      // Ids are made here, and each is another.
      #expect(Set(answers.map(\.body)).count == 3)
    }
  }

  @Test func `pipelined requests are answered in order`() async throws {  // RFC 9112 §9.3.2
    try await withServer { port, _ in
      let answers = try await blocking { () -> [Int] in
        let connection = try #require(RawConnection(port: port))
        var text = ""
        for _ in 0..<100 {
          text +=
            request("GET", "/ping") + request("POST", "/payment", [json], body: good)
            + request("GET", "/nowhere")
        }
        connection.send(text)
        return (0..<300).compactMap { _ in connection.answer()?.status }
      }
      #expect(answers == Array(repeating: [200, 200, 404], count: 100).flatMap { $0 })
    }
  }

  @Test func `a wrong request keeps its connection and says why`() async throws {
    try await withServer { port, _ in
      let answers = try await blocking { () -> [RawConnection.Answer] in
        let connection = try #require(RawConnection(port: port))
        let requests = [
          request(
            "POST", "/payment", ["Content-Type: application/x-www-form-urlencoded"], body: good),
          request("POST", "/payment", body: good), request("GET", "/payment"),
          request("POST", "/payment", [json], body: ""),
          request("POST", "/payment", [json], body: "{}"),
          request("GET", "/transactions?limit=x"), request("POST", "/nowhere", body: "x"),
        ]
        return requests.compactMap {
          connection.send($0)
          return connection.answer()
        }
      }
      #expect(answers.map(\.status) == [415, 415, 405, 400, 400, 400, 404])
      #expect(answers[0].body.contains("Content-Type: application/json"))
      #expect(answers[2].field("Allow") == "POST")
      #expect(answers[3].body.contains("body_empty"))
    }
  }

  @Test func `an operator's request is read like a payment: JSON within the limit`() async throws {
    try await withServer { port, _ in
      let answers = try await blocking { () -> [RawConnection.Answer] in
        let connection = try #require(RawConnection(port: port))
        let requests = [
          request("POST", "/v1/policy", [json], body: #"{"key":"retain.days","value":30}"#),
          request("PUT", "/v1/policy", [json], body: #"{"key":"retain.days","value":"30"}"#),
          request("POST", "/v1/members", body: #"{"action":"remove","id":3}"#),
          request("POST", "/v1/members", [json], body: #"{"action":"remove","id":3}"#),
          request("POST", "/v1/leader", [json], body: "{}"), request("DELETE", "/v1/leader"),
          request("POST", "/v1/leader", [json, "Content-Length: 70000"]),
        ]
        return requests.compactMap {
          connection.send($0)
          return connection.answer()
        }
      }
      #expect(answers.map(\.status) == [200, 200, 415, 200, 200, 405, 413])
      #expect(answers[0].body == #"{"status":"done","index":77,"node_id":"node1"}"#)
      #expect(answers[5].field("Allow") == "GET, HEAD, POST")
    }
  }

  @Test func `a body over the limit is refused before it is sent`() async throws {
    try await withServer { port, _ in
      let (answer, ended) = try await blocking { () -> (RawConnection.Answer?, Bool) in
        let connection = try #require(RawConnection(port: port))
        connection.send(request("POST", "/payment", [json, "Content-Length: 65537"]))
        let answer = connection.answer()
        // What a client sends blindly does not lose it the answer.
        connection.send(String(repeating: "x", count: 65_537))
        return (answer, connection.ends())
      }
      #expect(answer?.status == 413)
      #expect(answer?.field("Connection") == "close")
      #expect(ended)
    }
  }

  @Test func `a chunked body is read up to the limit`() async throws {
    try await withServer { port, _ in
      let statuses = try await blocking { () -> [Int?] in
        let connection = try #require(RawConnection(port: port))
        let head = request("POST", "/payment", [json, "Transfer-Encoding: chunked"])
        let half = good.utf8.count / 2
        let parts = [good.prefix(half), good.dropFirst(half)].map {
          String($0.utf8.count, radix: 16) + "\r\n" + $0 + "\r\n"
        }
        connection.send(head + parts.joined() + "0\r\n\r\n")
        let first = connection.answer()?.status
        connection.send(head)
        for _ in 0..<20 {
          connection.send("2000\r\n" + String(repeating: " ", count: 8192) + "\r\n")
        }
        return [first, connection.answer()?.status, connection.ends() ? 0 : 1]
      }
      #expect(statuses == [200, 413, 0])
    }
  }

  @Test func `a client may wait for leave to send its body`() async throws {  // RFC 9110 §10.1.1
    try await withServer { port, _ in
      let statuses = try await blocking { () -> [Int?] in
        let connection = try #require(RawConnection(port: port))
        connection.send(
          request(
            "POST", "/payment",
            [json, "Expect: 100-continue", "Content-Length: \(good.utf8.count)"]))
        let first = connection.answer(hasBody: false)?.status
        connection.send(good)
        return [first, connection.answer()?.status]
      }
      #expect(statuses == [100, 200])
    }
  }

  @Test func `HEAD has the header of GET and no body`() async throws {  // RFC 9110 §9.3.2
    try await withServer { port, _ in
      let (head, next) = try await blocking { () -> (RawConnection.Answer?, Int?) in
        let connection = try #require(RawConnection(port: port))
        connection.send(request("HEAD", "/ping"))
        let head = connection.answer(hasBody: false)
        connection.send(request("GET", "/ping"))
        return (head, connection.answer()?.status)
      }
      #expect(head?.status == 200)
      #expect(head?.field("Content-Length") == "33")
      #expect(next == 200)
    }
  }

  @Test func `what is not HTTP ends its own connection only`() async throws {
    try await withServer { port, _ in
      let status = try await blocking { () -> Int? in
        for text in [
          "\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
          "POST /payment HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
          "GET /ping HTTP/1.1\r\nX: " + String(repeating: "y", count: 40_000) + "\r\n\r\n",
        ] {
          let bad = try #require(RawConnection(port: port))
          bad.send(text)
          #expect(bad.ends())
        }
        let connection = try #require(RawConnection(port: port))
        connection.send(request("GET", "/ping"))
        return connection.answer()?.status
      }
      #expect(status == 200)
    }
  }

  @Test func `requests that never end are closed, headers and bodies`() async throws {
    try await withServer(configure: {
      $0.idleNanosecondsMax = 300_000_000
      $0.requestNanosecondsMax = 300_000_000
    }) { port, _ in
      let ended = try await blocking { () -> [Bool] in
        let texts = [
          "", "GET /ping HTT", request("POST", "/payment", [json, "Content-Length: 9"]),
        ]
        return try texts.map {
          let connection = try #require(RawConnection(port: port))
          connection.send($0)
          return connection.ends()
        }
      }
      #expect(ended == [true, true, true])
    }
  }

  @Test func `a body that drips is closed all the same`() async throws {
    try await withServer(configure: { $0.requestNanosecondsMax = 300_000_000 }) { port, _ in
      let taken = try await blocking { () -> Int in
        let connection = try #require(RawConnection(port: port))
        connection.send(request("POST", "/payment", [json, "Content-Length: 60000"]))
        // A byte each 20 ms would take twenty minutes.
        for count in 0..<60_000 {
          usleep(20_000)
          connection.send(" ")
          if count % 25 == 24, connection.isClosed { return count }
        }
        return 60_000
      }
      #expect(taken < 60_000)
    }
  }

  @Test func `graceful shutdown answers what is in flight and lets go of the rest`() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let (release, gate) = AsyncStream.makeStream(of: Void.self)
    let gateway = HeldGateway(arrived: arrived, release: release)
    try await withServer(gateway) { port, group in
      async let statuses = blocking { () -> [Int?] in
        let idle = try #require(RawConnection(port: port))
        idle.send(request("GET", "/ping"))
        let ping = idle.answer()?.status
        let connection = try #require(RawConnection(port: port))
        connection.send(request("POST", "/payment", [json], body: good))
        let paid = connection.answer()?.status
        return [ping, paid, idle.ends() ? 0 : 1, connection.ends() ? 0 : 1]
      }
      for await _ in arrivals { break }
      await group.triggerGracefulShutdown()
      gate.finish()
      let all = try await statuses
      #expect(all == [200, 200, 0, 0])
    }
  }

  @Test func `connections are kept below the limit of open files`() {
    var configuration = HTTPServerConfiguration()
    configuration.connectionsMax = 8192
    #expect(configuration.connectionsMaxWithinDescriptors(1024) == 768)
    #expect(configuration.connectionsMaxWithinDescriptors(100) == 16)
    #expect(configuration.connectionsMaxWithinDescriptors(1 << 20) == 8192)
  }
}

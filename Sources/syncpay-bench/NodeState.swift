import Bytes
import JSONText
import NIOCore

/// What `GET /status` of a node says, as far as this command asks.
struct NodeState: Equatable, Sendable {
  var isLeader = false
  var hasLeader = false
  var term: UInt64 = 0
  var transactionCount: UInt64 = 0

  /// Reads the answer's body; nil where it is not one.
  init?(json: [UInt8]) {
    let bytes = json.span.bytes
    var scanner = JSONScanner(bytes)
    do {
      guard case .object = try scanner.value(in: bytes) else { return nil }
      var found = 0
      while let key = try scanner.member(in: bytes) {
        found += 1
        if key.equals("is_leader", in: bytes) {
          isLeader = try scanner.value(in: bytes) == .boolean(true)
        } else if key.equals("leader", in: bytes) {
          if case .string = try scanner.value(in: bytes) { hasLeader = true }
        } else if key.equals("term", in: bytes) {
          term = try scanner.value(in: bytes).unsigned(in: bytes)
        } else if key.equals("transaction_count", in: bytes) {
          transactionCount = try scanner.value(in: bytes).unsigned(in: bytes)
        } else {
          found -= 1
          try scanner.skip(in: bytes)
        }
      }
      guard found == 4 else { return nil }
    } catch {
      return nil
    }
  }

  /// Asks a node.
  static func ask(_ address: HTTPAddress, on group: any EventLoopGroup) async throws -> NodeState {
    let (status, body): (Int, [UInt8])
    do { (status, body) = try await get("/status", from: address, on: group.next()) } catch {
      throw BenchFailure("\(address) does not answer GET /status: \(error)")
    }
    guard status == 200, let state = NodeState(json: body) else {
      throw BenchFailure("\(address) answers GET /status with \(status), which cannot be read.")
    }
    return state
  }

  /// Waits until a node takes payments: `GET /readyz`, asked again and again.
  static func untilReady(_ address: HTTPAddress, on group: any EventLoopGroup) async throws {
    let deadline = ContinuousClock.now + .seconds(600)
    while ContinuousClock.now < deadline {
      if let (status, _) = try? await get("/readyz", from: address, on: group.next()), status == 200
      {
        return
      }
      try await Task.sleep(for: .milliseconds(2))
    }
    throw BenchFailure("\(address) is not ready after 600 s.")
  }

  /// Asks nodes, one after the other.
  static func ask(
    _ addresses: [HTTPAddress], on group: any EventLoopGroup
  ) async throws -> [NodeState] {
    var states: [NodeState] = []
    for address in addresses { states.append(try await ask(address, on: group)) }
    return states
  }

  /// The states when all nodes have applied the same, or after 10 seconds.
  static func settled(
    _ addresses: [HTTPAddress], on group: any EventLoopGroup
  ) async throws -> [NodeState] {
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      let states = try await ask(addresses, on: group)
      let isEqual = states.allSatisfy { $0.transactionCount == states[0].transactionCount }
      if isEqual || ContinuousClock.now > deadline { return states }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}

extension JSONValue {
  fileprivate func unsigned(in bytes: borrowing RawSpan) -> UInt64 {
    guard case .number(let number) = self else { return 0 }
    return UInt64(String(decoding: number.text(in: bytes), as: UTF8.self)) ?? 0
  }
}

/// One request on a connection of its own, answered within 5 seconds.
private func get(
  _ path: String, from address: HTTPAddress, on loop: any EventLoop
) async throws -> (status: Int, body: [UInt8]) {
  let connection = try await RequestConnection.open(address, on: loop)
  defer { connection.close() }
  let text = "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
  let answer = try await connection.ask(ByteBuffer(string: text), within: .seconds(5))
  return (answer.status, answer.body)
}

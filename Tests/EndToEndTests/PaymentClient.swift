import Foundation
import Glibc
import Synchronization
import Testing

/// One payment as its client means it.
struct Order: Sendable {
  var id: String
  var sender: String
  var receiver: String
  var amount: String
  var reference: String?

  var body: String {
    let reference = reference.map { ",\"reference\":\"\($0)\"" } ?? ""
    return "{\"transaction_id\":\"\(id)\",\"sender\":\"\(sender)\",\"receiver\":\"\(receiver)\","
      + "\"amount\":\(amount)\(reference)}"
  }

  /// A payment between two of twenty accounts; its text is as random as its id, so that it fills
  /// segments.
  static func random(_ label: String, _ number: Int) -> Order {
    let noise = (0..<4).map { _ in UUID().uuidString.lowercased() }.joined()
    return Order(
      id: "\(label)-\(number)", sender: "payer\(number % 10)",
      receiver: "payee\(number / 10 % 10)", amount: "\(number % 97 + 1).\(number % 90 + 10)",
      reference: noise)
  }
}

/// How a payment ended for its client.
enum PaymentEnd: Sendable, Equatable {
  case acknowledged
  case refused(Int, String)
  case undecided(String)
}

/// Pays with the documented policy: the same transaction id to the next node where a node answers
/// 503, 507 or not at all, a pause after each round that doubles from 50 ms to 1 s, half of it random.
final class PaymentClient {
  private let endpoints: [Endpoint]
  private let attemptMilliseconds: Int
  private var connections: [Endpoint: HTTPConnection] = [:]

  init(_ nodes: [TestNode], attemptMilliseconds: Int = 6000) {
    endpoints = nodes.map(\.endpoint)
    self.attemptMilliseconds = attemptMilliseconds
  }

  func pay(_ order: Order, first: Int, seconds: Double = 40) -> PaymentEnd {
    let end = ContinuousClock.now + .seconds(seconds)
    var reason = "no try was made"
    var pauseMilliseconds = 50
    while ContinuousClock.now < end {
      for step in endpoints.indices {
        let endpoint = endpoints[(first + step) % endpoints.count]
        do {
          let reply = try send(order, to: endpoint)
          if reply.status == 200 { return .acknowledged }
          guard reply.status == 503 || reply.status == 507 else {
            return .refused(reply.status, reply.body)
          }
          reason = reply.body
        } catch {
          connections[endpoint] = nil
          if case .closedInsideAnswer = error { return .undecided("\(error)") }
          reason = "\(error)"
        }
      }
      usleep(UInt32(Double(pauseMilliseconds) * Double.random(in: 0.5...1) * 1000))
      pauseMilliseconds = min(pauseMilliseconds * 2, 1000)
    }
    return .undecided(reason)
  }

  private func send(_ order: Order, to endpoint: Endpoint) throws(ConnectionProblem) -> HTTPReply {
    let connection: HTTPConnection
    if let open = connections[endpoint] {
      connection = open
    } else {
      connection = try HTTPConnection(endpoint, timeoutMilliseconds: attemptMilliseconds)
      connections[endpoint] = connection
    }
    let reply = try connection.request("POST", "/payment", body: Array(order.body.utf8))
    if reply.closes { connections[endpoint] = nil }
    return reply
  }
}

/// What a load of payments came to.
final class LoadRecord: Sendable {
  private let state = Mutex<(ids: [String], others: [String])>(([], []))
  private let hasEnded = Mutex(false)

  var acknowledged: [String] { state.withLock { $0.ids } }
  var others: [String] { state.withLock { $0.others } }
  var count: Int { state.withLock { $0.ids.count } }
  /// Whether clients without a number of payments of their own are to stop.
  var isOver: Bool { hasEnded.withLock { $0 } }

  func end() { hasEnded.withLock { $0 = true } }

  func note(_ id: String, _ end: PaymentEnd) {
    state.withLock { state in
      if end == .acknowledged { state.ids.append(id) } else { state.others.append("\(id): \(end)") }
    }
  }
}

/// Pays `total` payments from `clients` clients at once over all nodes, while `during` runs.
func load(
  _ cluster: Cluster, label: String, total: Int, clients: Int, record: LoadRecord = LoadRecord(),
  over nodes: [TestNode]? = nil, attemptMilliseconds: Int = 6000,
  during: @Sendable (LoadRecord) throws -> Void = { _ in }
) async throws -> LoadRecord {
  let targets = nodes ?? cluster.nodes
  try await withThrowingTaskGroup(of: Void.self) { group in
    for client in 0..<clients {
      group.addTask {
        let payer = PaymentClient(targets, attemptMilliseconds: attemptMilliseconds)
        for number in stride(from: client, to: total, by: clients) {
          let order = Order.random(label, number)
          record.note(order.id, payer.pay(order, first: number))
        }
      }
    }
    try during(record)
    try await group.waitForAll()
  }
  return record
}

/// Pays from `clients` clients at once over all nodes for as long as `during` runs, with a pause
/// after each payment: a load that lasts, not one that fills the machine.
func load(
  _ cluster: Cluster, label: String, clients: Int, record: LoadRecord = LoadRecord(),
  attemptMilliseconds: Int = 6000, during: @Sendable (LoadRecord) throws -> Void
) async throws -> LoadRecord {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for client in 0..<clients {
      group.addTask {
        let payer = PaymentClient(cluster.nodes, attemptMilliseconds: attemptMilliseconds)
        var number = client
        while !record.isOver {
          let order = Order.random(label, number)
          record.note(order.id, payer.pay(order, first: number))
          number += clients
          usleep(5000)
        }
      }
    }
    defer { record.end() }
    try during(record)
    record.end()
    try await group.waitForAll()
  }
  return record
}

/// Waits until so many payments are acknowledged.
func wait(for count: Int, in record: LoadRecord) throws {
  try eventually("\(count) payments are acknowledged", seconds: 60) { record.count >= count }
}

/// Requires that every acknowledged id stands exactly once on every node.
func requireOnceEverywhere(_ record: LoadRecord, _ cluster: Cluster) throws {
  for node in cluster.running {
    var counts: [String: Int] = [:]
    let transactions = try node.transactions()
    for transaction in transactions {
      counts[transaction["transaction_id"].string ?? "", default: 0] += 1
    }
    let missing = record.acknowledged.filter { counts[$0] == nil }
    let repeated = counts.filter { $0.value > 1 }.keys.sorted()
    try #require(missing.isEmpty, "\(node.name) lost acknowledged payments: \(missing.prefix(5))")
    try #require(repeated.isEmpty, "\(node.name) has payments twice: \(repeated.prefix(5))")
    let sequences = transactions.compactMap { $0["event", "sequence"].integer }
    try #require(sequences == sequences.sorted(), "\(node.name) lists out of order")
  }
}

/// Chance that can be repeated (SplitMix64).
struct Chance: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

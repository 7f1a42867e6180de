/// One payment as the client means it. The id is the client's, so that it can be sent again.
struct PaymentOrder: Sendable, Equatable {
  var id: String
  var sender: String
  var receiver: String
  /// The digits as typed; a JSON number.
  var amount: String
  var currency: String?
  var reference: String?

  var body: JSONValue {
    var members: [JSONValue.Member] = [
      .init(name: "transaction_id", value: .string(id)),
      .init(name: "sender", value: .string(sender)),
      .init(name: "receiver", value: .string(receiver)),
      .init(name: "amount", value: .number(amount)),
    ]
    if let currency { members.append(.init(name: "currency", value: .string(currency))) }
    if let reference { members.append(.init(name: "reference", value: .string(reference))) }
    return .object(members)
  }
}

/// How a payment is sent again: the same id to the next node, and after every round over all nodes
/// a pause that doubles, from `backoffMin` to `backoffMax`, half of it random. A node's
/// `Retry-After` lengthens the pause up to `backoffMax`.
struct RetryPolicy: Sendable {
  /// All tries together.
  var total: Duration = .seconds(10)
  /// One try.
  var attempt: Duration = .seconds(4)
  var backoffMin: Duration = .milliseconds(50)
  var backoffMax: Duration = .seconds(1)

  /// The pause after a round, before its random part is taken off. Rounds count from 0.
  func pause(afterRound round: Int, retryAfter: Duration?) -> Duration {
    let doubled = backoffMin * (1 << min(round, 16))
    return min(backoffMax, max(doubled, retryAfter ?? .zero))
  }
}

/// How a payment ended.
enum PaymentResult: Sendable {
  case acknowledged(Answer)
  /// A definite no: sending it again would give the same answer.
  case refused(Answer)
  /// The time is up. The payment may or may not have been made; its id tells.
  case undecided(reason: String)
}

/// Sends payments until there is a definite answer or the time is up.
struct Payer: Sendable {
  let client: NodeClient
  /// Invariant: not empty.
  let nodes: [NodeAddress]
  let policy: RetryPolicy

  /// - Parameter first: the place in `nodes` of the node that is tried first.
  /// - Returns: the result and how many tries it took.
  func pay(_ order: PaymentOrder, startingAt first: Int = 0) async -> (PaymentResult, tries: Int) {
    let clock = ContinuousClock()
    let deadline = clock.now + policy.total
    let request = NodeRequest.post("/payment", order.body)
    var reason = "no try was made"
    var tries = 0
    var round = 0
    while true {
      var retryAfter: Duration?
      for step in nodes.indices {
        let left = clock.now.duration(to: deadline)
        guard left > .zero, !Task.isCancelled else { return (.undecided(reason: reason), tries) }
        let node = nodes[(first + step) % nodes.count]
        tries += 1
        do throws(NoAnswer) {
          let answer = try await client.send(request, to: node, within: min(left, policy.attempt))
          if answer.isSuccess { return (.acknowledged(answer), tries) }
          guard answer.isWorthRetrying else { return (.refused(answer), tries) }
          retryAfter = answer.retryAfter ?? retryAfter
          reason = "\(node.name): \(answer.sentence)"
        } catch {
          reason = "\(node.name): \(error.reason)"
        }
      }
      let pause = policy.pause(afterRound: round, retryAfter: retryAfter)
      round += 1
      let left = clock.now.duration(to: deadline)
      try? await clock.sleep(for: min(left, pause * Double.random(in: 0.5...1)))
    }
  }
}

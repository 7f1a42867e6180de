import Bytes
import Ledger

/// An answer before it becomes a server's type: what tests look at.
struct HTTPAnswer: Hashable {
  /// The status code.
  var status: Int
  /// JSON.
  var body: [UInt8]
  /// Retry-After, seconds.
  var retryAfterSeconds: Int?
  /// Allow, on 405.
  var allow: String?
  /// Whether the body is that of an earlier, identical payment: `Idempotency-Hit: true`.
  var isIdempotencyHit = false
  /// Whether the connection is closed after it.
  var closes = false

  init(_ status: Int, _ body: [UInt8]) {
    self.status = status
    self.body = body
  }

  init(_ problem: HTTPProblem) {
    status = problem.status
    body = problem.body
    retryAfterSeconds = problem.retryAfterSeconds
    allow = problem.allow
    closes = problem.closes
  }
}

/// Turns routes and payments into answers by asking the gateway. Knows nothing of sockets.
struct Answerer<Gateway: NodeGateway>: Sendable {
  let gateway: Gateway
  let text: AnswerText

  init(gateway: Gateway) {
    self.gateway = gateway
    text = AnswerText(identity: gateway.identity)
  }

  /// What payments may be.
  var rules: PaymentRules { text.identity.rules }

  /// Answers `POST /payment`.
  func pay(_ draft: PaymentDraft) async -> HTTPAnswer {
    switch await gateway.submit(draft) {
    case .settled(let record, let duplicate):
      var answer = HTTPAnswer(200, text.settled(record, duplicate: duplicate))
      answer.isIdempotencyHit = duplicate
      return answer
    case .rejected(let code, let sequence):
      return HTTPAnswer(.rejected(code, sequence: sequence))
    case .refused(let refusal):
      return HTTPAnswer(HTTPProblem(refusal, id: draft.id.text))
    }
  }

  /// Answers a route that reads.
  func read(_ route: Route) async -> HTTPAnswer {
    do throws(HTTPProblem) {
      switch route {
      case .pay: preconditionFailure("a payment has a body")
      case .transactions(let query): return try await transactions(TransactionQuery(query))
      case .transaction(let id): return try await transaction(id)
      case .ledger(let query):
        return HTTPAnswer(200, text.balances(await gateway.balances(try BalanceQuery(query))))
      case .health: return HTTPAnswer(200, text.health(gateway.status()))
      case .status: return HTTPAnswer(200, text.status(gateway.status()))
      case .ping, .live: return HTTPAnswer(200, text.alive())
      case .ready: return ready()
      }
    } catch {
      return HTTPAnswer(error)
    }
  }

  private func transactions(_ query: TransactionQuery) async throws(HTTPProblem) -> HTTPAnswer {
    do { return HTTPAnswer(200, text.page(try await gateway.transactions(query))) } catch {
      throw HTTPProblem(error)
    }
  }

  private func transaction(_ given: String) async throws(HTTPProblem) -> HTTPAnswer {
    let id: TransactionID
    do { id = try TransactionID(validating: given) } catch {
      throw HTTPProblem(.transactionIDInvalid)
    }
    switch await gateway.transaction(id) {
    case .applied(let record): return HTTPAnswer(200, text.applied(record))
    case .rejected(let code, let sequence):
      return HTTPAnswer(200, text.rejected(id, code: code, sequence: sequence))
    case .pending: return HTTPAnswer(200, text.pending(id))
    case .unknown: throw .transactionUnknown(id.text)
    }
  }

  private func ready() -> HTTPAnswer {
    let status = gateway.status()
    guard !status.isReady else { return HTTPAnswer(200, text.alive()) }
    let reasons =
      status.reasons.isEmpty ? "no leader is known" : status.reasons.joined(separator: "; ")
    return HTTPAnswer(
      HTTPProblem(
        503, "not_ready", "This node cannot take payments now: \(reasons)", retryAfterSeconds: 1))
  }
}

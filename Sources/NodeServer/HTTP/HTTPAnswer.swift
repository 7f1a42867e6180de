import Bytes
import Evidence
import Ledger
import Replica
import SegmentLog

/// An answer before it becomes a server's type: what tests look at.
struct HTTPAnswer: Hashable {
  /// The status code.
  var status: Int
  /// JSON, text, or bytes.
  var body: [UInt8]
  /// Content-Type.
  var contentType = "application/json"
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

  /// Evidence, which is text.
  init(text: String) {
    self.init(200, Array(text.utf8))
    contentType = "text/plain; charset=utf-8"
  }

  /// Bytes of a file.
  init(bytes: [UInt8]) {
    self.init(200, bytes)
    contentType = "application/octet-stream"
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
  func pay(_ draft: PaymentDraft, _ wait: PaymentWait) async -> HTTPAnswer {
    switch await gateway.submit(draft) {
    case .settled(let record, let duplicate):
      let isCertain: Bool? =
        switch wait {
        case .none: nil
        case .certain: await gateway.awaitPassed(record.stamp)
        }
      var answer = HTTPAnswer(
        200, text.settled(record, duplicate: duplicate, isTimeCertain: isCertain))
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
      case .pay, .operate: preconditionFailure("it has a body")
      case .transactions(let query): return try await transactions(TransactionQuery(query))
      case .transaction(let id, let query): return try await transaction(id, query)
      case .ledger(let query):
        let query = try BalanceQuery(query)
        try await confirm(query.consistency)
        return HTTPAnswer(200, text.balances(await gateway.balances(query), query.consistency))
      case .health(let query): return try await status(query, fresh: false, text.health)
      case .status(let query): return try await status(query, fresh: false, text.status)
      case .members(let query): return try await status(query, fresh: true, text.members)
      case .leader(let query): return try await status(query, fresh: true, text.leader)
      case .policy(let query): return try await status(query, fresh: true, text.policy)
      case .ping, .live: return HTTPAnswer(200, text.alive())
      case .ready: return ready()
      case .receipt(let id): return try await receipt(id)
      case .checkpoint:
        guard let note = gateway.checkpoint() else { throw .unsigned }
        return HTTPAnswer(text: note.description)
      case .trustPolicy:
        guard let policy = gateway.trustPolicy() else { throw .keysUnknown }
        return HTTPAnswer(text: policy.description)
      case .consistency(let query): return try await consistency(query)
      case .log: return try await log()
      case .segment(let name, let query): return try await segment(name, query)
      }
    } catch {
      return HTTPAnswer(error)
    }
  }

  /// Answers an operator's request.
  func operate(_ request: OperatorRequest) async -> HTTPAnswer {
    do throws(OperatorRefusal) {
      return HTTPAnswer(200, text.done(try await gateway.administer(request)))
    } catch {
      return HTTPAnswer(HTTPProblem(error, retryAfterSeconds: gateway.retryAfterSeconds))
    }
  }

  /// Makes sure that what is read next is as new as was asked for.
  private func confirm(_ consistency: ReadConsistency) async throws(HTTPProblem) {
    guard consistency == .linearizable else { return }
    do { try await gateway.confirmReads() } catch { throw HTTPProblem(error) }
  }

  private func status(
    _ query: Substring, fresh: Bool, _ write: (NodeStatus, ReadConsistency) -> [UInt8]
  ) async throws(HTTPProblem) -> HTTPAnswer {
    let consistency = try ReadConsistency(query, default: .local)
    try await confirm(consistency)
    let isFresh = fresh || consistency == .linearizable
    let status = isFresh ? await gateway.freshStatus() : gateway.status()
    return HTTPAnswer(200, write(status, consistency))
  }

  private func transactions(_ query: TransactionQuery) async throws(HTTPProblem) -> HTTPAnswer {
    try await confirm(query.consistency)
    do {
      return HTTPAnswer(200, text.page(try await gateway.transactions(query), query.consistency))
    } catch {
      throw HTTPProblem(error)
    }
  }

  private func transaction(
    _ given: String, _ query: Substring
  ) async throws(HTTPProblem) -> HTTPAnswer {
    let id: TransactionID
    do { id = try TransactionID(validating: given) } catch {
      throw HTTPProblem(.transactionIDInvalid)
    }
    let consistency = try ReadConsistency(query, default: .local)
    try await confirm(consistency)
    switch await gateway.transaction(id) {
    case .applied(let record): return HTTPAnswer(200, text.applied(record, consistency))
    case .rejected(let code, let sequence):
      return HTTPAnswer(200, text.rejected(id, code: code, sequence: sequence, consistency))
    case .pending: return HTTPAnswer(200, text.pending(id, consistency))
    case .unknown: throw .transactionUnknown(id.text, consistency)
    }
  }

  private func receipt(_ given: String) async throws(HTTPProblem) -> HTTPAnswer {
    let id: TransactionID
    do { id = try TransactionID(validating: given) } catch {
      throw HTTPProblem(.transactionIDInvalid)
    }
    var state = await gateway.receipt(id)
    if case .unknown = state {
      // Another node may have taken it a moment ago.
      try await confirm(.linearizable)
      state = await gateway.receipt(id)
    }
    switch state {
    case .proven(let proof): return HTTPAnswer(text: proof.description)
    case .rejected(let code): throw .notApplied(code)
    case .pending: throw .unsigned
    case .unknown: throw .transactionUnknown(id.text, .linearizable)
    case .unreadable(let problem): throw HTTPProblem(problem)
    }
  }

  private func consistency(_ query: Substring) async throws(HTTPProblem) -> HTTPAnswer {
    let oldSize = try ConsistencyQuery(query).from
    guard let newest = gateway.checkpoint(), let checkpoint = try? LogCheckpoint(newest) else {
      throw .unsigned
    }
    let size = checkpoint.lastSequence.rawValue
    guard oldSize <= size else { throw .beyondCheckpoint(size) }
    do throws(ReadProblem) {
      let path = try await gateway.consistency(from: oldSize, to: size)
      return HTTPAnswer(
        text: ConsistencyFile(oldSize: oldSize, path: path, checkpoint: newest).description)
    } catch {
      throw HTTPProblem(error)
    }
  }

  private func log() async throws(HTTPProblem) -> HTTPAnswer {
    do throws(ReadProblem) {
      return HTTPAnswer(200, text.segments(try await gateway.segments()))
    } catch {
      throw HTTPProblem(error)
    }
  }

  private func segment(
    _ name: String, _ query: Substring
  ) async throws(HTTPProblem) -> HTTPAnswer {
    let offset = try SegmentQuery(query).offset
    guard let id = SegmentID(fileName: name) else { throw .segmentUnknown(name) }
    let bytes: [UInt8]?
    do throws(ReadProblem) {
      bytes = try await gateway.bytes(of: id, from: offset)
    } catch {
      throw HTTPProblem(error)
    }
    guard let bytes else { throw .segmentUnknown(name) }
    return HTTPAnswer(bytes: bytes)
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

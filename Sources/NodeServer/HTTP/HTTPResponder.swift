import HTTPTypes
import HummingbirdCore
import Ledger
import NIOCore
import Replica
import Synchronization

/// Thrown to end a connection after its last answer.
private struct ConnectionEnd: Error {}

/// One request to one answer, over Hummingbird's parts; no router, no middleware, nothing logged.
struct HTTPResponder<Gateway: NodeGateway>: Sendable {
  /// After an answer that ends a connection, this much of the request is read and thrown away, so
  /// that the client sees the answer and not a reset (RFC 9112 §9.6).
  static var lingerByteCountMax: Int { 256 << 10 }

  let answerer: Answerer<Gateway>
  let bodyByteCountMax: Int
  let dates: DateCache
  /// Nanoseconds since 1970 by the system clock.
  let wallNanoseconds: @Sendable () -> Int64

  /// Answers one request. Throws to end the connection.
  func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
    let facts = RequestFacts(request.head)
    var body = request.body.makeAsyncIterator()
    var answer: HTTPAnswer
    switch facts.route {
    case .failure(let problem): answer = HTTPAnswer(problem)
    case .success(let route) where route.hasBody:
      if let problem = facts.bodyProblem(limit: bodyByteCountMax) {
        answer = HTTPAnswer(problem)
      } else {
        if facts.expectsContinue {
          try await writer.writeInformationalHead(.init(status: .continue))
        }
        answer = try await answerBody(of: route, &body)
      }
    case .success(let route): answer = await answerer.read(route)
    }
    if facts.hasLongBody(limit: bodyByteCountMax) { answer.closes = true }
    let closes = answer.closes
    let head = head(of: answer)
    if request.method == .head {
      try await writer.writeResponse(head)
    } else {
      try await writer.write(
        response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
    guard closes else { return }
    var left = Self.lingerByteCountMax
    while left > 0, let chunk = try await body.next() { left -= chunk.readableBytes }
    throw ConnectionEnd()
  }

  private func answerBody(
    of route: Route, _ body: inout RequestBody.AsyncIterator
  ) async throws -> HTTPAnswer {
    var buffer = try await body.next() ?? ByteBuffer()
    while buffer.readableBytes <= bodyByteCountMax, let more = try await body.next() {
      buffer.writeImmutableBuffer(more)
    }
    guard buffer.readableBytes <= bodyByteCountMax else {
      return HTTPAnswer(.bodyTooLarge(limit: bodyByteCountMax))
    }
    switch route {
    case .operate(let action): return await operate(action, buffer)
    case .pay(let query): return await pay(buffer, query)
    default: preconditionFailure("it has no body")
    }
  }

  private func pay(_ buffer: ByteBuffer, _ query: Substring) async -> HTTPAnswer {
    let wait: PaymentWait
    do throws(HTTPProblem) { wait = try PaymentWait(query) } catch { return HTTPAnswer(error) }
    let draft: Result<PaymentDraft, HTTPProblem> = buffer.withUnsafeReadableBytes { raw in
      do throws(HTTPProblem) {
        return .success(
          try PaymentBody.draft(raw.bytes, rules: answerer.rules, makeID: makeTransactionID))
      } catch {
        return .failure(error)
      }
    }
    switch draft {
    case .success(let draft): return await answerer.pay(draft, wait)
    case .failure(let problem): return HTTPAnswer(problem)
    }
  }

  private func operate(_ action: OperatorAction, _ buffer: ByteBuffer) async -> HTTPAnswer {
    let request: Result<OperatorRequest, HTTPProblem> = buffer.withUnsafeReadableBytes { raw in
      do throws(HTTPProblem) {
        return .success(try OperatorBody.request(action, raw.bytes))
      } catch {
        return .failure(error)
      }
    }
    switch request {
    case .success(let request): return await answerer.operate(request)
    case .failure(let problem): return HTTPAnswer(problem)
    }
  }

  private func makeTransactionID() -> TransactionID {
    var random = SystemRandomNumberGenerator()
    return TransactionID(
      unixMilliseconds: UInt64(max(wallNanoseconds() / 1_000_000, 0)) & (1 << 48 - 1),
      randomHigh: random.next(), randomLow: random.next())
  }

  private func head(of answer: HTTPAnswer) -> HTTPResponse {
    var fields = HTTPFields()
    fields.reserveCapacity(4)
    fields.append(HTTPField(name: .contentType, value: answer.contentType))
    fields.append(HTTPField(name: .contentLength, value: String(answer.body.count)))
    fields.append(
      HTTPField(name: .date, value: dates.text(unixSeconds: wallNanoseconds() / 1_000_000_000)))
    if let seconds = answer.retryAfterSeconds {
      fields.append(HTTPField(name: .retryAfter, value: String(seconds)))
    }
    if let allow = answer.allow { fields.append(HTTPField(name: .allow, value: allow)) }
    if answer.isIdempotencyHit, let name = HTTPField.Name("Idempotency-Hit") {
      fields.append(HTTPField(name: name, value: "true"))
    }
    if answer.closes { fields.append(HTTPField(name: .connection, value: "close")) }
    return HTTPResponse(status: Self.status(answer.status), headerFields: fields)
  }

  /// The status with its usual phrase.
  private static func status(_ code: Int) -> HTTPResponse.Status {
    switch code {
    case 200: .ok
    case 400: .badRequest
    case 404: .notFound
    case 405: .methodNotAllowed
    case 409: .conflict
    case 413: .contentTooLarge
    case 414: .uriTooLong
    case 415: .unsupportedMediaType
    case 422: .unprocessableContent
    case 503: .serviceUnavailable
    default: .init(code: code)
    }
  }
}

/// What is asked of a request's header, found in one pass over its fields.
private struct RequestFacts {
  let route: Result<Route, HTTPProblem>
  private(set) var expectsContinue = false
  private var contentType: String?
  private var contentLength: Int?
  private var isChunked = false

  init(_ head: HTTPRequest) {
    do throws(HTTPProblem) {
      route = .success(try Route(method: head.method.rawValue, target: head.path ?? ""))
    } catch {
      route = .failure(error)
    }
    for field in head.headerFields {
      switch field.name.canonicalName {
      case "content-type": contentType = field.value
      case "content-length": contentLength = Int(field.value)
      case "transfer-encoding": isChunked = true
      case "expect": expectsContinue = field.value.lowercased() == "100-continue"
      default: break
      }
    }
  }

  /// Whether the body cannot be skipped cheaply to reach the next request.
  func hasLongBody(limit: Int) -> Bool {
    if case .success(let route) = route, route.hasBody, bodyProblem(limit: limit) == nil {
      return false
    }
    return isChunked || contentLength ?? 0 > limit
  }

  /// What is wrong with a body before it is read.
  func bodyProblem(limit: Int) -> HTTPProblem? {
    guard contentLength ?? 0 <= limit else { return .bodyTooLarge(limit: limit) }
    guard let contentType else { return .contentTypeMissing }
    return MediaTypeText.isJSON(contentType) ? nil : .contentTypeWrong(contentType)
  }
}

/// The Date field's text, made once a second.
final class DateCache: Sendable {
  private let last = Mutex<(unixSeconds: Int64, text: String)>((-1, ""))

  func text(unixSeconds: Int64) -> String {
    last.withLock { last in
      if last.unixSeconds != unixSeconds {
        last = (unixSeconds, TimeText.httpDate(unixSeconds: max(unixSeconds, 0)))
      }
      return last.text
    }
  }
}

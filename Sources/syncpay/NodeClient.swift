import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// What a node answered.
struct Answer: Sendable {
  let status: Int
  /// The body as JSON; `nil` when it is not JSON.
  let body: JSONValue?
  let text: String
  let bytes: [UInt8]
  /// From `Retry-After`, in seconds.
  let retryAfter: Duration?

  var isSuccess: Bool { (200..<300).contains(status) }

  /// Whether the same request may do better later or elsewhere. Payments carry their id, so sending
  /// one again is always safe.
  var isWorthRetrying: Bool { [408, 425, 429].contains(status) || status >= 500 }

  /// The node's own sentence, with its code.
  var sentence: String {
    let sentence = body?["error"]?.text ?? "the node answered \(status)"
    guard let code = body?["code"]?.text else { return sentence.printable }
    return "\(sentence) (\(code))".printable
  }
}

/// Why there was no answer.
struct NoAnswer: Error, Equatable {
  let reason: String
  /// Whether it is certain that the node never got the request.
  var isUnsent = false
}

/// A request to a node.
struct NodeRequest: Sendable {
  var method: String
  var path: String
  var body: [UInt8]?
  var contentType = "application/json"

  static func get(_ path: String, _ query: [(String, String?)] = []) -> NodeRequest {
    let pairs = query.compactMap { name, value in value.map { name + "=" + $0.queryEncoded } }
    let tail = pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")
    return NodeRequest(method: "GET", path: path + tail, body: nil)
  }

  static func post(_ path: String, _ body: JSONValue) -> NodeRequest {
    NodeRequest(method: "POST", path: path, body: Array(body.description.utf8))
  }
}

/// Sends requests to nodes over kept-alive connections.
struct NodeClient: Sendable {
  /// A bigger answer is refused: pages are bounded on the node's side.
  static let answerBytesMax = 64 << 20

  private let http: HTTPClient

  /// Runs the body with a client and closes it afterwards.
  static func with<Result>(
    connectionsPerNode: Int = 64, _ body: (NodeClient) async throws -> Result
  ) async throws -> Result {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.timeout.connect = .seconds(2)
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionsPerNode
    configuration.connectionPool.retryConnectionEstablishment = false
    let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let result = try await body(NodeClient(http: http))
      try await http.shutdown()
      return result
    } catch {
      try? await http.shutdown()
      throw error
    }
  }

  /// One request, one try.
  func send(
    _ request: NodeRequest, to node: NodeAddress, within timeout: Duration
  ) async throws(NoAnswer) -> Answer {
    var wire = HTTPClientRequest(url: node.url + request.path)
    wire.method = HTTPMethod(rawValue: request.method)
    wire.headers.add(name: "accept", value: "application/json")
    if let body = request.body {
      wire.headers.add(name: "content-type", value: request.contentType)
      wire.body = .bytes(ByteBuffer(bytes: body))
    }
    do {
      let response = try await http.execute(wire, timeout: TimeAmount(timeout))
      let body = try await response.body.collect(upTo: Self.answerBytesMax)
      let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) }
      return Answer(
        status: Int(response.status.code),
        body: try? JSONParser.parse(Array(body.readableBytesView)),
        text: String(buffer: body), bytes: Array(body.readableBytesView),
        retryAfter: seconds.map { .seconds(min(max($0, 0), 3_600)) })
    } catch {
      throw Self.noAnswer(error)
    }
  }

  private static func noAnswer(_ error: any Error) -> NoAnswer {
    if let error = error as? HTTPClientError {
      switch error {
      case .deadlineExceeded, .readTimeout: return NoAnswer(reason: "no answer in time")
      case .connectTimeout: return NoAnswer(reason: "no connection in time", isUnsent: true)
      case .remoteConnectionClosed: return NoAnswer(reason: "closed the connection")
      default: return NoAnswer(reason: error.shortDescription)
      }
    }
    let text = String(describing: error)
    if text.contains("errno: 111") || text.contains("refused") {
      return NoAnswer(reason: "connection refused", isUnsent: true)
    }
    if text.contains("errno: 104") || text.contains("reset") {
      return NoAnswer(reason: "connection reset")
    }
    return NoAnswer(reason: String(text.prefix(120)).printable)
  }
}

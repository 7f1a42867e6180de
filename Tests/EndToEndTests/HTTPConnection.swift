import Glibc

/// What a node answered over HTTP.
struct HTTPReply: Sendable, CustomStringConvertible {
  var status: Int
  /// Names in lower case.
  var headers: [String: String]
  var body: String

  /// The body as JSON; `null` where it is none.
  var json: JSON { (try? JSON(body)) ?? .null }
  var closes: Bool { headers["connection"]?.lowercased() == "close" }
  var description: String { "\(status) \(headers) \(body)" }
}

/// Why no answer came.
enum ConnectionProblem: Error, Equatable {
  case cannotConnect(Int32)
  case sendFailed(Int32)
  /// The node closed before the first byte of an answer.
  case closedBeforeAnswer
  /// The node closed in the middle of an answer: nobody may ever see that.
  case closedInsideAnswer(String)
  case reset
  case timedOut
  case malformed(String)
}

/// Where a node answers HTTP.
struct Endpoint: Hashable, Sendable {
  /// An IPv4 address.
  var host: String
  var port: Int
}

/// One HTTP/1.1 connection over a plain socket: it can send what no HTTP library would.
final class HTTPConnection {
  private let descriptor: Int32
  private var unread: [UInt8] = []

  convenience init(port: Int, timeoutMilliseconds: Int = 8000) throws(ConnectionProblem) {
    try self.init(
      Endpoint(host: "127.0.0.1", port: port), timeoutMilliseconds: timeoutMilliseconds)
  }

  init(_ endpoint: Endpoint, timeoutMilliseconds: Int = 8000) throws(ConnectionProblem) {
    descriptor = streamSocket()
    guard descriptor >= 0 else { throw .cannotConnect(errno) }
    setTimeout(timeoutMilliseconds)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    var address = socketAddress(endpoint)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw .cannotConnect(errno) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// How long a read or write may take.
  func setTimeout(_ milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Sends bytes as they are.
  func send(_ bytes: [UInt8]) throws(ConnectionProblem) {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress.map { $0 + start }, $0.count - start,
          Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        start += count
      } else if errno == EAGAIN {
        throw .timedOut
      } else if errno != EINTR {
        throw .sendFailed(errno)
      }
    }
  }

  func send(_ text: String) throws(ConnectionProblem) { try send(Array(text.utf8)) }

  /// Sends a request and reads its answer.
  func request(
    _ method: String, _ target: String, body: [UInt8]? = nil,
    contentType: String? = "application/json", headers: [String] = []
  ) throws(ConnectionProblem) -> HTTPReply {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
    for header in headers { head += header + "\r\n" }
    if let body {
      if let contentType { head += "Content-Type: \(contentType)\r\n" }
      head += "Content-Length: \(body.count)\r\n"
    }
    try send(Array((head + "\r\n").utf8) + (body ?? []))
    return try reply(hasBody: method != "HEAD")
  }

  /// Reads one answer.
  func reply(hasBody: Bool = true) throws(ConnectionProblem) -> HTTPReply {
    let head = try readHead()
    var lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
    guard let line = lines.popFirst(), line.hasPrefix("HTTP/1.1 "),
      let status = Int(line.dropFirst(9).prefix(3))
    else { throw .malformed(head) }
    var headers: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":") else { throw .malformed(head) }
      headers[line[..<colon].lowercased()] = String(
        line[line.index(after: colon)...].drop { $0 == " " })
    }
    if status == 100 { return try reply(hasBody: hasBody) }
    guard hasBody else { return HTTPReply(status: status, headers: headers, body: "") }
    guard let length = headers["content-length"].flatMap({ Int($0) }) else {
      throw .malformed("no Content-Length: \(head)")
    }
    while unread.count < length { try fill(isInside: true) }
    let body = String(decoding: unread.prefix(length), as: UTF8.self)
    unread.removeFirst(length)
    return HTTPReply(status: status, headers: headers, body: body)
  }

  /// Waits until the node closes the connection.
  func waitForClose() throws(ConnectionProblem) {
    while true {
      do { try fill(isInside: false) } catch {
        if error == .closedBeforeAnswer || error == .reset { return }
        throw error
      }
    }
  }

  private func readHead() throws(ConnectionProblem) -> String {
    let end = Array("\r\n\r\n".utf8)
    var searched = 0
    while true {
      if unread.count >= 4 {
        for place in searched...(unread.count - 4)
        where unread[place..<place + 4].elementsEqual(end) {
          let head = String(decoding: unread[..<place], as: UTF8.self)
          unread.removeFirst(place + 4)
          return head
        }
        searched = unread.count - 3
      }
      try fill(isInside: !unread.isEmpty)
    }
  }

  private func fill(isInside: Bool) throws(ConnectionProblem) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count > 0 {
      unread += buffer.prefix(count)
    } else if count == 0 {
      throw isInside
        ? .closedInsideAnswer(String(decoding: unread, as: UTF8.self)) : .closedBeforeAnswer
    } else if errno == EAGAIN {
      throw .timedOut
    } else if errno != EINTR {
      throw isInside
        ? .closedInsideAnswer(String(decoding: unread, as: UTF8.self)) : .reset
    }
  }
}

/// A TCP socket that child processes do not inherit.
func streamSocket() -> Int32 {
  socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
}

/// The kernel's form of an endpoint.
func socketAddress(_ endpoint: Endpoint) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(endpoint.port).bigEndian
  precondition(inet_pton(AF_INET, endpoint.host, &address.sin_addr) == 1, "no IPv4 address")
  return address
}

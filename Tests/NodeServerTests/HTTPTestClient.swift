import Glibc
import NIOPosix

/// One blocking connection that sends what it is told and reads whole answers: a client that can
/// misbehave, as no HTTP library would.
final class RawConnection {
  struct Answer {
    var head: String
    var body: String

    var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }

    func field(_ name: String) -> String? {
      for line in head.split(separator: "\r\n").dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == name.lowercased() {
          return String(parts[1].drop { $0 == " " })
        }
      }
      return nil
    }
  }

  private let descriptor: Int32
  private var buffer: [UInt8] = []

  init?(port: Int) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if connected != 0 {
      close(descriptor)
      return nil
    }
  }

  deinit { close(descriptor) }

  /// Sends all of it, or as much as the other side takes before it closes.
  func send(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { return }
      bytes = bytes.dropFirst(sent)
    }
  }

  /// The next answer, or nil where the connection ends first.
  func answer(hasBody: Bool = true) -> Answer? {
    let mark = Array("\r\n\r\n".utf8)
    while true {
      if let end = find(mark) {
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeFirst(end + mark.count)
        var answer = Answer(head: head, body: "")
        guard hasBody, let length = answer.field("content-length").flatMap({ Int($0) }) else {
          return answer
        }
        while buffer.count < length { guard fill() else { return nil } }
        answer.body = String(decoding: buffer[..<length], as: UTF8.self)
        buffer.removeFirst(length)
        return answer
      }
      guard fill() else { return nil }
    }
  }

  /// Whether the other side ends the connection, whatever it still sends.
  func ends() -> Bool {
    while true {
      errno = 0
      if !fill() { return errno != EAGAIN && errno != EWOULDBLOCK }
    }
  }

  /// Whether the other side has ended the connection already.
  var isClosed: Bool {
    var byte: UInt8 = 0
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)
    let count = recv(descriptor, &byte, 1, flags)
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
  }

  private func find(_ mark: [UInt8]) -> Int? {
    guard buffer.count >= mark.count else { return nil }
    return (0...buffer.count - mark.count).first {
      buffer[$0..<$0 + mark.count].elementsEqual(mark)
    }
  }

  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { return false }
    buffer.append(contentsOf: chunk[..<count])
    return true
  }
}

/// Runs blocking work off the tasks' threads.
func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await NIOThreadPool.singleton.runIfActive(work)
}

import Glibc
import NIOCore

/// Why bytes are not a response that this client reads.
enum ResponseProblem: Error {
  case malformed
  /// More bytes than a head of a node's has.
  case tooLong
}

/// What a client must know of an HTTP/1.1 response (RFC 9112) of a node: its status, its length,
/// and whether the connection ends. Nodes give a Content-Length; a response without one is refused.
struct ResponseHead: Equatable {
  private static let byteCountMax = 16_384

  let status: Int
  let headByteCount: Int
  let bodyByteCount: Int
  let closes: Bool

  var byteCount: Int { headByteCount + bodyByteCount }

  /// Reads the head at the start of the readable bytes; nil while it is not whole.
  static func parse(_ buffer: ByteBuffer) throws(ResponseProblem) -> ResponseHead? {
    let result = buffer.withUnsafeReadableBytes { raw -> Result<ResponseHead?, ResponseProblem> in
      do throws(ResponseProblem) { return .success(try parse(raw)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private static func parse(_ raw: UnsafeRawBufferPointer) throws(ResponseProblem) -> ResponseHead?
  {
    guard let base = raw.baseAddress else { return nil }
    var status: Int?
    var bodyByteCount: Int?
    var closes = false
    var start = 0
    while start < raw.count, let found = memchr(base + start, 0x0A, raw.count - start) {
      let end = UnsafeRawPointer(found) - base
      guard end > start, raw[end - 1] == 0x0D else { throw .malformed }
      let line = UnsafeRawBufferPointer(rebasing: raw[start..<end - 1])
      start = end + 1
      if line.isEmpty {
        guard let status, let bodyByteCount else { throw .malformed }
        return ResponseHead(
          status: status, headByteCount: start, bodyByteCount: bodyByteCount, closes: closes)
      }
      if status == nil {
        status = try statusCode(line)
      } else if let length = value(of: "content-length:", in: line) {
        bodyByteCount = try number(length)
      } else if let tokens = value(of: "connection:", in: line) {
        closes = closes || isClose(tokens)
      }
    }
    guard raw.count < byteCountMax else { throw .tooLong }
    return nil
  }

  /// `HTTP/1.1 200 …`
  private static func statusCode(_ line: UnsafeRawBufferPointer) throws(ResponseProblem) -> Int {
    guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == 0x20 else {
      throw .malformed
    }
    return try number(UnsafeRawBufferPointer(rebasing: line[9..<12]))
  }

  /// The field's value where the line is that field; names are compared without case.
  private static func value(
    of name: StaticString, in line: UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer? {
    let count = name.utf8CodeUnitCount
    guard line.count > count else { return nil }
    for offset in 0..<count where line[offset] | 0x20 != name.utf8Start[offset] | 0x20 {
      return nil
    }
    var start = count
    while start < line.count, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
    return UnsafeRawBufferPointer(rebasing: line[start...])
  }

  private static func number(_ digits: UnsafeRawBufferPointer) throws(ResponseProblem) -> Int {
    guard !digits.isEmpty, digits.count <= 9 else { throw .malformed }
    var value = 0
    for byte in digits {
      guard byte &- 0x30 < 10 else { throw .malformed }
      value = value * 10 + Int(byte - 0x30)
    }
    return value
  }

  private static func isClose(_ value: UnsafeRawBufferPointer) -> Bool {
    value.count == 5 && zip(value, "close".utf8).allSatisfy { $0 | 0x20 == $1 }
  }
}

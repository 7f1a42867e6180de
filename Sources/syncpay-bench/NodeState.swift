import Bytes
import JSONText
import NIOCore
import NIOPosix

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
    do { (status, body) = try await get("/status", from: address, on: group) } catch {
      throw BenchFailure("\(address) does not answer GET /status: \(error)")
    }
    guard status == 200, let state = NodeState(json: body) else {
      throw BenchFailure("\(address) answers GET /status with \(status), which cannot be read.")
    }
    return state
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
  _ path: String, from address: HTTPAddress, on group: any EventLoopGroup
) async throws -> (status: Int, body: [UInt8]) {
  let loop = group.next()
  let answer = loop.makePromise(of: (status: Int, body: [UInt8]).self)
  let text = "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
  let channel = try await ClientBootstrap(group: loop)
    .connectTimeout(.seconds(2))
    .channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(SingleAnswer(request: text, answer))
      }
    }
    .connect(host: address.host, port: address.port).flatMapErrorThrowing { error in
      answer.fail(error)
      throw error
    }.get()
  let timeout = loop.scheduleTask(in: .seconds(5)) {
    answer.fail(BenchFailure("\(address) does not answer."))
  }
  defer {
    timeout.cancel()
    channel.close(promise: nil)
  }
  return try await answer.futureResult.get()
}

/// Sends one request and keeps its answer.
private final class SingleAnswer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let request: String
  private let answer: EventLoopPromise<(status: Int, body: [UInt8])>
  private var received = ByteBuffer()

  init(request: String, _ answer: EventLoopPromise<(status: Int, body: [UInt8])>) {
    self.request = request
    self.answer = answer
  }

  func channelActive(context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.writeBuffer(&bytes)
    do {
      guard let head = try ResponseHead.parse(received), received.readableBytes >= head.byteCount
      else { return }
      received.moveReaderIndex(forwardBy: head.headByteCount)
      answer.succeed((head.status, received.readBytes(length: head.bodyByteCount) ?? []))
    } catch {
      answer.fail(error)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    answer.fail(BenchFailure("a node closed the connection without an answer."))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answer.fail(error)
    context.close(promise: nil)
  }
}

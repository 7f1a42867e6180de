import NIOCore
import NIOPosix

/// What a node answered.
struct RequestAnswer: Sendable {
  var status: Int
  var body: [UInt8]
  /// Whether the node closes the connection after it.
  var closes: Bool
}

/// A connection that carries one request at a time.
struct RequestConnection: Sendable {
  private let channel: any Channel

  /// Connects, within 2 seconds.
  static func open(
    _ address: HTTPAddress, on loop: any EventLoop
  ) async throws -> RequestConnection {
    let channel = try await ClientBootstrap(group: loop)
      .connectTimeout(.seconds(2))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(RequestHandler())
        }
      }
      .connect(host: address.host, port: address.port).get()
    return RequestConnection(channel: channel)
  }

  /// Sends a request and waits for its answer. After an error the connection is of no use.
  func ask(_ request: ByteBuffer, within limit: TimeAmount) async throws -> RequestAnswer {
    let answer = channel.eventLoop.makePromise(of: RequestAnswer.self)
    let timeout = channel.eventLoop.scheduleTask(in: limit) {
      answer.fail(BenchFailure("a node does not answer."))
    }
    defer { timeout.cancel() }
    channel.writeAndFlush(Question(request: request, answer: answer)).whenFailure {
      answer.fail($0)
    }
    return try await answer.futureResult.get()
  }

  /// Ends it.
  func close() { channel.close(promise: nil) }
}

private struct Question: Sendable {
  let request: ByteBuffer
  let answer: EventLoopPromise<RequestAnswer>
}

/// Sends requests and keeps the promise of the one under way.
private final class RequestHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = Question
  typealias OutboundOut = ByteBuffer

  private var answer: EventLoopPromise<RequestAnswer>?
  private var received = ByteBuffer()

  func write(
    context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
  ) {
    let question = unwrapOutboundIn(data)
    answer = question.answer
    context.write(wrapOutboundOut(question.request), promise: promise)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.writeBuffer(&bytes)
    do {
      guard let head = try ResponseHead.parse(received), received.readableBytes >= head.byteCount
      else { return }
      received.moveReaderIndex(forwardBy: head.headByteCount)
      let body = received.readBytes(length: head.bodyByteCount) ?? []
      answer?.succeed(RequestAnswer(status: head.status, body: body, closes: head.closes))
      answer = nil
    } catch {
      fail(error)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(BenchFailure("a node closed the connection without an answer."))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail(error)
    context.close(promise: nil)
  }

  private func fail(_ error: any Error) {
    answer?.fail(error)
    answer = nil
  }
}

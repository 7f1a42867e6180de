import NIOCore

/// A connection that pays, waits for the answer, and pays again. Lives on one event loop.
final class PayingConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  let number: Int
  private let worker: LoadWorker
  private var requests: PaymentRequests
  private var request = ByteBuffer()
  private var received = ByteBuffer()
  private var context: ChannelHandlerContext?
  /// When the request that waits for its answer was sent.
  private var sentAt: NIODeadline?

  init(number: Int, worker: LoadWorker, requests: PaymentRequests) {
    self.number = number
    self.worker = worker
    self.requests = requests
  }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    worker.opened(self)
  }

  /// Sends the next payment.
  func pay() {
    guard let context else { return }
    requests.next(into: &request)
    sentAt = .now()
    context.writeAndFlush(wrapOutboundOut(request), promise: nil)
  }

  /// Ends the connection.
  func close() { context?.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if received.readableBytes == 0 { swap(&received, &bytes) } else { received.writeBuffer(&bytes) }
    do {
      while let head = try ResponseHead.parse(received), received.readableBytes >= head.byteCount {
        received.moveReaderIndex(forwardBy: head.byteCount)
        answered(head)
      }
    } catch {
      context.close(promise: nil)
    }
  }

  private func answered(_ head: ResponseHead) {
    guard let sentAt else { return close() }
    self.sentAt = nil
    worker.answered(status: head.status, after: .now() - sentAt)
    if worker.isRunning, !head.closes { pay() } else { close() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    worker.closed(self, isInDoubt: sentAt != nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}

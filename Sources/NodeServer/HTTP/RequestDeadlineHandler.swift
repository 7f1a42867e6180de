import Logging
import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request does not end in time: a body that drips byte by byte would
/// otherwise hold it for ever. Headers that drip are the idle timeout's to close, because it counts
/// whole headers only.
///
/// A request that comes whole in one read, as nearly all do, costs no timer.
final class RequestDeadlineHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart

  /// From the header's end to the body's end.
  private let limit: TimeAmount
  /// Whether a header was read and its body has not ended.
  private var isReading = false
  /// Runs while a request has been left open at the end of a read.
  private var timer: Scheduled<Void>?

  init(limit: TimeAmount) { self.limit = limit }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head: isReading = true
    case .body: break
    case .end:
      isReading = false
      stop()
    }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isReading && timer == nil {
      timer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
        // Only a request that is still open has a timer that fires.
        context.close(promise: nil)
      }
    }
    context.fireChannelReadComplete()
  }

  func handlerRemoved(context: ChannelHandlerContext) { stop() }

  func channelInactive(context: ChannelHandlerContext) {
    stop()
    context.fireChannelInactive()
  }

  private func stop() {
    timer?.cancel()
    timer = nil
  }
}

/// Keeps the listening socket open when a connection cannot be accepted: for want of a file
/// descriptor, say. HAZARD: without it one such error ends the server's accept loop.
final class AcceptErrorHandler: ChannelInboundHandler, Sendable {
  typealias InboundIn = Any

  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is IOError else {
      context.fireErrorCaught(error)
      return
    }
    logger.warning("a connection was not accepted", metadata: ["error": "\(error)"])
  }
}

import ClockSync
import HybridTime
import Logging
import NIOCore
import NIOPosix

/// Answers NTP requests over UDP with this node's corrected time (RFC 5905 §9.2, mode 3 to mode 4).
///
/// Root dispersion is the bound, so that a client's own root distance takes it in. A node that follows no
/// time server says that it is not synchronized: cluster time is agreed on, and not true time. An answer is
/// never longer than the request, so nobody can make it amplify.
///
/// `@unchecked Sendable`: everything after `init` happens on `loop`.
final class TimeServer: @unchecked Sendable {
  private let loop: any EventLoop
  private let address: HostPort
  private let reading: @Sendable () -> ServedTime
  private var channel: (any Channel)?

  /// What a request is answered from.
  struct ServedTime: Sendable {
    /// The clock, now.
    var reading: ClockReading
    /// Hops from a reference clock, where time servers decide.
    var stratum: UInt8
    /// When corrected time was last estimated, corrected nanoseconds since 1970.
    var estimatedNanoseconds: Int64
  }

  init(
    loop: any EventLoop, address: HostPort, reading: @escaping @Sendable () -> ServedTime
  ) {
    self.loop = loop
    self.address = address
    self.reading = reading
  }

  /// Binds the socket.
  func start() -> EventLoopFuture<Void> {
    DatagramBootstrap(group: loop)
      .channelOption(.socketOption(.so_reuseaddr), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Responder(self.reading))
        }
      }
      .bind(host: address.host, port: address.port)
      .hop(to: loop)
      .map { self.channel = $0 }
  }

  func close() { channel?.close(promise: nil) }

  private final class Responder: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let reading: @Sendable () -> ServedTime

    init(_ reading: @escaping @Sendable () -> ServedTime) { self.reading = reading }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let received = reading()
      let envelope = unwrapInboundIn(data)
      guard envelope.data.readableBytes >= NTPPacket.byteCount,
        let request = try? NTPPacket(
          datagram: Array(envelope.data.readableBytesView.prefix(NTPPacket.byteCount)))
      else { return }
      let state = Self.state(received)
      guard
        let answer = NTPPacket.makeServerResponse(
          to: request, receiveNanoseconds: received.reading.correctedNanoseconds,
          transmitNanoseconds: reading().reading.correctedNanoseconds, state: state)
      else { return }
      let buffer = context.channel.allocator.buffer(bytes: answer.datagram)
      context.writeAndFlush(
        wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: buffer)),
        promise: nil)
    }

    /// A port that nobody listens on any more answers with an error: that is the client's affair.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    private static func state(_ time: ServedTime) -> NTPPacket.ServerState {
      let isTrue =
        time.reading.reference == .external
        && (time.reading.status == .synchronized || time.reading.status == .holdover)
      return NTPPacket.ServerState(
        leap: isTrue ? .none : .unsynchronized, stratum: isTrue ? time.stratum : 16,
        rootDelayNanoseconds: 0, rootDispersionNanoseconds: time.reading.boundNanoseconds,
        // "SYNC": a reference id of four letters, which is no IPv4 address of a server to be looped to.
        referenceID: 0x5359_4e43, referenceTimeNanoseconds: time.estimatedNanoseconds)
    }
  }
}

import Logging
import NIOCore
import NIOPosix
import NodeRuntime

/// Asks NTP servers over UDP (RFC 5905): one socket each, connected, so that the kernel drops
/// datagrams of others.
///
/// `@unchecked Sendable`: everything after `init` happens on `loop`.
final class TimeServerClient: @unchecked Sendable {
  private let loop: any EventLoop
  private let servers: [HostPort]
  private let clock: HostClock
  private let logger: Logger
  private var channels: [UInt16: any Channel] = [:]
  /// Called on `loop` with each datagram.
  var answered: ((UInt16, [UInt8], HostTime) -> Void)?

  init(loop: any EventLoop, servers: [HostPort], clock: HostClock, logger: Logger) {
    self.loop = loop
    self.servers = servers
    self.clock = clock
    self.logger = logger
  }

  /// Sends a request; where the name does not resolve or the socket fails, it is lost, and the
  /// next one tries again.
  func ask(_ server: UInt16, datagram: [UInt8]) {
    loop.preconditionInEventLoop()
    if let channel = channels[server], channel.isActive {
      send(datagram, on: channel, server)
      return
    }
    let address = servers[Int(server)]
    DatagramBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Receiver(client: self, server: server))
        }
      }
      .connect(host: address.host, port: address.port)
      .whenComplete { result in
        switch result {
        case .success(let channel):
          self.channels[server] = channel
          self.send(datagram, on: channel, server)
        case .failure(let error):
          self.logger.debug(
            "time server unreachable",
            metadata: ["server": "\(address)", "error": "\(error)"])
        }
      }
  }

  func close() {
    for channel in channels.values { channel.close(promise: nil) }
  }

  private func send(_ datagram: [UInt8], on channel: any Channel, _ server: UInt16) {
    guard let remote = channel.remoteAddress else { return }
    let envelope = AddressedEnvelope(
      remoteAddress: remote, data: channel.allocator.buffer(bytes: datagram))
    channel.writeAndFlush(envelope, promise: nil)
  }

  private final class Receiver: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let client: TimeServerClient
    private let server: UInt16

    init(client: TimeServerClient, server: UInt16) {
      self.client = client
      self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let time = client.clock.now()
      let bytes = Array(unwrapInboundIn(data).data.readableBytesView)
      client.answered?(server, bytes, time)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      client.channels.removeValue(forKey: server)
      context.close(promise: nil)
    }
  }
}

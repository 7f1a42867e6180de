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
  private let resolvers: NIOThreadPool
  private let servers: [HostPort]
  private let clock: HostClock
  private let logger: Logger
  private var channels: [UInt16: any Channel] = [:]
  /// Servers whose name is being looked up.
  private var resolving: Set<UInt16> = []
  /// Called on `loop` with each datagram.
  var answered: ((UInt16, [UInt8], HostTime) -> Void)?

  /// Names are looked up on `resolvers`: that may take as long as a name server is silent.
  init(
    loop: any EventLoop, resolvers: NIOThreadPool, servers: [HostPort], clock: HostClock,
    logger: Logger
  ) {
    self.loop = loop
    self.resolvers = resolvers
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
    guard resolving.insert(server).inserted else { return }
    let address = servers[Int(server)]
    resolvers.runIfActive(eventLoop: loop) {
      try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
    }.flatMap { resolved in
      DatagramBootstrap(group: self.loop)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(
              Receiver(client: self, server: server))
          }
        }
        .connect(to: resolved)
    }.whenComplete { result in
      self.resolving.remove(server)
      switch result {
      case .success(let channel):
        self.channels[server] = channel
        self.send(datagram, on: channel, server)
      case .failure(let error):
        self.logger.debug(
          "time server unreachable", metadata: ["server": "\(address)", "error": "\(error)"])
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
      if client.channels[server] === context.channel {
        client.channels.removeValue(forKey: server)
      }
      context.close(promise: nil)
    }
  }
}

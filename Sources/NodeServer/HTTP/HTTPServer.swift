import Glibc
import HummingbirdCore
package import Logging
package import NIOCore
import NIOPosix
package import ServiceLifecycle

/// A server of the HTTP API, not yet listening: `run()` listens until graceful shutdown, which
/// lets requests in flight be answered and closes every connection.
///
/// - Parameters:
///   - configuration: Where to listen, and all limits.
///   - gateway: The node behind it.
///   - eventLoopGroup: Whose threads read, answer and write.
///   - wallNanoseconds: The system clock: for the Date field and for ids made here.
///   - logger: For the server's own events; no request is logged.
///   - onRunning: Called with the port once the server listens.
package func makeHTTPServer<Gateway: NodeGateway>(
  configuration: HTTPServerConfiguration, gateway: Gateway,
  eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
  wallNanoseconds: @escaping @Sendable () -> Int64, logger: Logger,
  onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
) throws -> some Service {
  let responder = HTTPResponder(
    answerer: Answerer(gateway: gateway), bodyByteCountMax: configuration.bodyByteCountMax,
    dates: DateCache(), wallNanoseconds: wallNanoseconds)
  let connectionsMax = configuration.connectionsMaxWithinDescriptors(descriptorLimit())
  if connectionsMax < configuration.connectionsMax {
    logger.warning(
      "fewer HTTP connections than configured: the limit of open files is low",
      metadata: ["connections_max": "\(connectionsMax)"])
  }
  let server = try HTTPServerBuilder.http1(configuration: configuration.channel).buildServer(
    configuration: ServerConfiguration(
      address: .hostname(configuration.host, port: configuration.port),
      backlog: configuration.backlog,
      availableConnectionsDelegate: MaximumAvailableConnections(connectionsMax, logger: logger)),
    eventLoopGroup: eventLoopGroup, logger: logger,
    responder: { request, writer, _ in try await responder.respond(to: request, writer) },
    onServerRunning: { channel in
      try? await channel.pipeline.addHandler(
        AcceptErrorHandler(logger: logger), position: .first
      ).get()
      await onRunning(channel.localAddress?.port ?? configuration.port)
    })
  return HTTPServer(server: server)
}

/// Hummingbird's server under a type of ours.
private struct HTTPServer: Service {
  let server: any Service

  func run() async throws { try await server.run() }
}

extension HTTPServerConfiguration {
  /// Connections that fit beside the reserve in so many file descriptors; never fewer than 16.
  func connectionsMaxWithinDescriptors(_ limit: Int) -> Int {
    max(16, min(connectionsMax, limit - Self.descriptorReserve))
  }

  fileprivate var channel: HTTP1Channel.Configuration {
    let deadline = requestNanosecondsMax
    return HTTP1Channel.Configuration(
      additionalChannelHandlers: [RequestDeadlineHandler(limit: .nanoseconds(deadline))],
      idleTimeout: .nanoseconds(idleNanosecondsMax),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: headerByteCountMax, maxHeaderListSize: headerByteCountMax,
        maxHeaderFieldCount: headerCountMax))
  }
}

/// Lets this process open as many files as the system allows it: every connection is one.
package func raiseDescriptorLimit() {
  let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  var limits = rlimit()
  guard getrlimit(resource, &limits) == 0, limits.rlim_cur < limits.rlim_max else { return }
  limits.rlim_cur = limits.rlim_max
  _ = setrlimit(resource, &limits)
}

/// How many files this process may have open.
private func descriptorLimit() -> Int {
  var limits = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1024 }
  return Int(min(limits.rlim_cur, rlim_t(Int32.max)))
}

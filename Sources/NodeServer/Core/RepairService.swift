import Bytes
import HostFiles
import Logging
import NIOCore
import NodeRuntime
import Replica
import SegmentLog
import ServiceLifecycle

/// Makes a damaged log whole with the other nodes' batches, before the node is started.
///
/// `@unchecked Sendable`: everything after `init` happens on `loop`.
final class RepairService: @unchecked Sendable {
  private let loop: any EventLoop
  private let transport: PeerTransport
  private let logger: Logger
  private var repair: NodeRepair<PosixFileSystem>
  private var failure: LogError?

  private init(
    loop: any EventLoop, transport: PeerTransport, logger: Logger,
    repair: consuming NodeRepair<PosixFileSystem>
  ) {
    self.loop = loop
    self.transport = transport
    self.logger = logger
    self.repair = repair
  }

  /// Returns when the log can be opened. Errors: no node has what is missing, or a file's.
  static func run(
    _ settings: NodeSettings, loop: any EventLoop, clock: HostClock, logger: Logger
  ) async throws {
    let repair: NodeRepair<PosixFileSystem>
    do throws(LogError) {
      repair = try NodeRepair.begin(
        PosixFileSystem(), directory: settings.dataDirectory, configuration: settings.replica)
    } catch { throw StartProblem.log(error) }
    for stretch in repair.stretches {
      logger.error(
        "a part of the log is damaged; it is fetched from the other nodes",
        metadata: stretch.metadata)
    }
    let transport = PeerTransport(
      loop: loop, hello: PeerHello(cluster: settings.replica.cluster, node: settings.id),
      members: settings.addresses(of: repair.members), bind: settings.peerBind,
      silenceNanosecondsMax: settings.silenceNanosecondsMax, clock: clock, logger: logger)
    let service = RepairService(loop: loop, transport: transport, logger: logger, repair: repair)
    do {
      try await loop.flatSubmit { () -> EventLoopFuture<Void> in
        transport.delegate = service
        return transport.start()
      }.get()
    } catch { throw StartProblem.bind(address: "\(settings.peerBind)", reason: "\(error)") }
    let outcome = await service.wait()
    try? await loop.flatSubmit { transport.close() }.get()
    if let outcome { throw outcome }
    logger.notice("the log is whole again")
  }

  /// Ticks until it is over; returns why it failed, if it did.
  private func wait() async -> (any Error)? {
    var lingering = Self.lingerSteps
    while true {
      let step = try? await loop.submit { self.step() }.get()
      switch step {
      case .underway: break
      case .whole: return nil
      case .failed(let error):
        // The others may still ask this node, and stop only when they have heard from all.
        guard case .everyCopyDamaged = error, lingering > 0 else { return error }
        lingering -= 1
      case nil: return CancellationError()
      }
      if Task.isCancelled || Task.isShuttingDownGracefully { return CancellationError() }
      try? await Task.sleep(for: .milliseconds(NodeSettings.tickMilliseconds))
    }
  }

  /// For how many ticks a node whose batches are lost still answers the others.
  private static let lingerSteps = 500

  private enum Step: Sendable {
    case underway
    case whole
    case failed(StartProblem)
  }

  private func step() -> Step {
    if let failure { return .failed(.log(failure)) }
    switch repair.state {
    case .whole: return .whole
    case .hopeless(let index): return .failed(.everyCopyDamaged(index))
    case .underway: break
    }
    for sending in repair.tick() { transport.send(sending.message, to: sending.to) }
    transport.flush()
    return .underway
  }
}

extension RepairService: PeerTransportDelegate {
  func admits(_ peer: NodeID, store: UInt64) -> Bool { true }

  func peerConnected(_ peer: NodeID, store: UInt64) { repair.setConnected(peer, true) }

  func peerLost(_ peer: NodeID) { repair.setConnected(peer, false) }

  func peerSaid(_ message: PeerMessage, peer: NodeID, at time: HostTime) {
    do throws(LogError) {
      for sending in try repair.receive(message, from: peer) {
        transport.send(sending.message, to: sending.to)
      }
    } catch { failure = failure ?? error }
  }

  func peersRead() { transport.flush() }
}

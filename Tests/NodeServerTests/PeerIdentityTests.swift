import Bytes
import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Replica
import SegmentLog
import Synchronization
import Testing

@testable import NodeServer

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A port of this host that nobody listens on.
private func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafeMutablePointer(to: &address) { address in
    address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
    }
  }
  try #require(result == 0)
  return Int(UInt16(bigEndian: address.sin_port))
}

/// Waits until `condition` holds; 20 seconds at most.
private func eventually(_ what: String, _ condition: () -> Bool) async throws {
  for _ in 0..<2000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  throw TooLate(what: what)
}

/// What did not happen in time.
private struct TooLate: Error { let what: String }

/// A peer that says who it is, by real connections, and then only listens.
private final class SilentPeer: PeerTransportDelegate, Sendable {
  struct Heard {
    var connectionCount = 0
    var messageCount = 0
    /// On which of the connections it was refused first.
    var refusedConnection: Int?
    var wasLost: Bool { lostCount > 0 }
    var lostCount = 0
  }

  let port: Int
  private let loop: any EventLoop
  private let transport: PeerTransport
  private let state = Mutex(Heard())

  var heard: Heard { state.withLock { $0 } }

  init(
    _ id: NodeID, store: UInt64, cluster: ClusterID, port: Int? = nil,
    members: [(id: NodeID, address: HostPort)] = []
  ) async throws {
    let port = try port ?? freePort()
    self.port = port
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    self.loop = loop
    let transport = PeerTransport(
      loop: loop, hello: PeerHello(cluster: cluster, node: id, store: store), members: members,
      bind: try #require(HostPort("127.0.0.1:\(port)")), silenceNanosecondsMax: .max,
      clock: HostClock(), logger: quiet)
    self.transport = transport
    try await loop.flatSubmit {
      transport.delegate = self
      return transport.start()
    }.get()
  }

  func stop() async throws {
    try await loop.flatSubmit { self.transport.close() }.get()
  }

  func say(to peer: NodeID) {
    loop.execute {
      self.transport.send(.digest(index: LogIndex(1), .zero), to: peer)
      self.transport.flush()
    }
  }

  func admits(_ peer: NodeID, store: UInt64) -> Bool { true }
  func peerConnected(_ peer: NodeID, store: UInt64) {
    state.withLock { $0.connectionCount += 1 }
  }
  func peerLost(_ peer: NodeID) { state.withLock { $0.lostCount += 1 } }
  func peerSaid(_ message: PeerMessage, peer: NodeID, at time: HostTime) {
    state.withLock { state in
      state.messageCount += 1
      if case .storeRefused = message, state.refusedConnection == nil {
        state.refusedConnection = state.connectionCount
      }
    }
  }
  func peersRead() {}
}

/// A number in the cluster is one data directory's (``Replica/admits(_:store:)``), whenever the log
/// says whose.
@Suite struct PeerIdentityTests {
  @Test(.timeLimit(.minutes(2)))
  func `a peer is refused when the log names another data directory while it is connected`()
    async throws
  {
    let directory = NSTemporaryDirectory() + "syncpay-identity-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let ports = [try freePort(), try freePort()]
    let three = NodeID(3)
    let cluster = ClusterID(name: "syncpay")
    let stranger = try await SilentPeer(three, store: 33, cluster: cluster)
    let member = try await SilentPeer(three, store: 44, cluster: cluster)
    func start(_ number: Int, third port: Int, _ flags: [String]) async throws -> RunningNode {
      let addresses = "1=127.0.0.1:\(ports[0]),2=127.0.0.1:\(ports[1]),3=127.0.0.1:\(port)"
      let settings = try await SettingsLoader(
        file: nil, environment: [:],
        flags: [
          "node.id=\(number)", "cluster.members=\(addresses)",
          "node.data_directory=\(directory)/node\(number)",
          // And no silence of a peer is too long.
          "time.peer_poll_milliseconds=30000",
        ] + flags
      ).load()
      return try await RunningNode.start(settings, logger: quiet)
    }
    // Node 1 does not campaign, and nobody leads before node 2 runs: the log is empty.
    let first = try await start(
      1, third: stranger.port,
      ["raft.election_milliseconds_min=50000", "raft.election_milliseconds_max=60000"])
    try await eventually("node 1 talks to the stranger") { stranger.heard.messageCount > 0 }
    #expect(stranger.heard.refusedConnection == nil && stranger.heard.connectionCount == 1)
    // Node 2 leads, and writes down whom it knows by the number 3.
    let second = try await start(2, third: member.port, [])
    try await eventually("node 1 refuses the stranger") {
      stranger.heard.refusedConnection != nil && stranger.heard.wasLost
    }
    // It is dialled again, and refused again: the first time was on the connection that it had.
    #expect(stranger.heard.refusedConnection == 1)
    #expect(member.heard.refusedConnection == nil && !member.heard.wasLost)
    await second.stop()
    await first.stop()
    for peer in [stranger, member] { try await peer.stop() }
  }
}

@Suite struct PeerCrossingTests {
  @Test(.timeLimit(.minutes(2)))
  func `two nodes that dial each other at once end with one connection`() async throws {
    let cluster = ClusterID(name: "syncpay")
    for round in 1...20 {
      let ports = [try freePort(), try freePort()]
      let members = try ports.enumerated().map { number, port in
        (id: NodeID(UInt16(number + 1)), address: try #require(HostPort("127.0.0.1:\(port)")))
      }
      async let first = SilentPeer(
        NodeID(1), store: 11, cluster: cluster, port: ports[0], members: members)
      async let second = SilentPeer(
        NodeID(2), store: 22, cluster: cluster, port: ports[1], members: members)
      let peers = [try await first, try await second]
      var before = peers.map(\.heard)
      var calm = 0
      try await eventually("round \(round): both hear each other, and keep their connection") {
        for (peer, other) in zip(peers, [NodeID(2), NodeID(1)]) { peer.say(to: other) }
        let now = peers.map(\.heard)
        let isCalm = zip(before, now).allSatisfy {
          $1.messageCount > $0.messageCount && $1.connectionCount == $0.connectionCount
            && $1.lostCount == $0.lostCount
        }
        calm = isCalm ? calm + 1 : 0
        before = now
        return calm == 10
      }
      for peer in peers { try await peer.stop() }
    }
  }
}

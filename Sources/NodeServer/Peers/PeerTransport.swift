import Bytes
import Ledger
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Replica

/// What the transport tells the node. All calls come on the node's event loop.
protocol PeerTransportDelegate: AnyObject {
  /// Whether the peer may be talked to, with the number of its data directory.
  func admits(_ peer: NodeID, store: UInt64) -> Bool
  /// A connection to the peer is up.
  func peerConnected(_ peer: NodeID, store: UInt64)
  /// The connection to the peer broke.
  func peerLost(_ peer: NodeID)
  /// A message came in.
  func peerSaid(_ message: PeerMessage, peer: NodeID, at time: HostTime)
  /// Everything that had arrived has been delivered.
  func peersRead()
}

/// The connections to all peers: one each, dialled by the node with the lower number; by the other one
/// when it starts, and where nobody has connected for some seconds (the first one may not know that it
/// exists).
///
/// `@unchecked Sendable`: everything after `init` happens on `loop`, which every entry asserts.
final class PeerTransport: PeerConnectionOwner, @unchecked Sendable {
  private let loop: any EventLoop
  private let hello: PeerHello
  /// Where the other members are; changes with them.
  private var addresses: [(id: NodeID, address: HostPort)]
  private let bind: HostPort
  private let clock: HostClock
  private let logger: Logger
  weak var delegate: (any PeerTransportDelegate)?
  private var connections: [NodeID: PeerConnection] = [:]
  private var dials: [NodeID: Dial] = [:]
  private var listener: (any Channel)?
  private var isClosing = false
  private var closed: EventLoopPromise<Void>?
  /// Connections of others that have not said who they are.
  private var accepted: [ObjectIdentifier: PeerConnection] = [:]
  private let silenceNanosecondsMax: Int64
  /// Since when members with lower numbers have not been connected.
  private var unconnectedSince: [NodeID: Int64] = [:]

  /// Invariant: of `isUnderWay`, `isScheduled` and a `connection` that waits for its hello, at most
  /// one at a time, so that a peer is dialled by one chain of attempts.
  private struct Dial {
    var failures = 0
    var isUnderWay = false
    var isScheduled = false
    var connection: PeerConnection?
  }

  /// Connections of others that may wait for their hello.
  private static let unnamedMax = 64
  /// For so long they may, nanoseconds.
  private static let helloNanosecondsMax: Int64 = 4_000_000_000
  /// Connections of nodes that are no members as far as is known here.
  private static let unlistedMax = 16
  /// A member with a lower number that has not connected for so long is dialled, nanoseconds.
  private static let lowerNanoseconds: Int64 = 5_000_000_000
  /// Two connections made within so long may have crossed, nanoseconds.
  private static let crossingNanosecondsMax: Int64 = 1_000_000_000
  private static let connectTimeout = TimeAmount.seconds(1)
  private static let retryMillisecondsMin: Int64 = 50
  private static let retryMillisecondsMax: Int64 = 1000
  /// A connection on which nothing came for `silenceNanosecondsMax` is closed and dialled anew:
  /// after a partition heals, TCP's own retransmission may wait for minutes.
  init(
    loop: any EventLoop, hello: PeerHello, members: [(id: NodeID, address: HostPort)],
    bind: HostPort, silenceNanosecondsMax: Int64, clock: HostClock, logger: Logger
  ) {
    self.loop = loop
    self.silenceNanosecondsMax = silenceNanosecondsMax
    self.hello = hello
    addresses = members.filter { $0.id != hello.node }
    self.bind = bind
    self.clock = clock
    self.logger = logger
  }

  /// Binds the listener and begins to dial.
  func start() -> EventLoopFuture<Void> {
    loop.preconditionInEventLoop()
    return ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
      }
      .bind(host: bind.host, port: bind.port)
      .map { channel in
        self.listener = channel
        // Those with lower numbers, too, once: they may have tried in vain for a while, and wait.
        for peer in self.addresses { self.dial(peer.id) }
        self.watchSilence()
      }
  }

  /// Leaves a message for ``flush()``; without a connection it is dropped.
  func send(_ message: PeerMessage, to peer: NodeID) { connections[peer]?.write(message) }

  /// Talks to these nodes from now on, and to no others, and to nobody any more that the node does
  /// not admit by what it knows now. A known address goes before the log's: it may be the one that
  /// an operator has configured.
  func setMembers(_ members: [ClusterMember]) {
    loop.preconditionInEventLoop()
    let before = addresses
    addresses = members.filter { $0.id != hello.node }.compactMap { member in
      let known = before.first { $0.id == member.id }?.address
      return (known ?? HostPort(member.peerAddress)).map { (member.id, $0) }
    }
    let gone = before.map(\.id).filter { id in !addresses.contains { $0.id == id } }
    // Later: the node, which is asked and is told of a connection's end, is in the middle of a step.
    loop.execute {
      for peer in gone { self.hangUp(peer) }
      self.review()
    }
    for peer in addresses where peer.id > hello.node { dial(peer.id) }
  }

  private func hangUp(_ peer: NodeID) {
    guard !addresses.contains(where: { $0.id == peer }) else { return }
    // What was written last tells it that it has left.
    connections[peer]?.flush()
    connections[peer]?.fail("node \(peer.rawValue) is a member no more")
    dials[peer]?.connection?.fail("node \(peer.rawValue) is a member no more")
  }

  /// Ends the connections to peers that would not be admitted now: a peer says who it is once, and
  /// the log may have named another data directory since.
  private func review() {
    for (peer, connection) in Array(connections) where !admits(peer, store: connection.peerStore) {
      connection.refuseStore()
    }
  }

  private func admits(_ peer: NodeID, store: UInt64) -> Bool {
    guard let delegate, !delegate.admits(peer, store: store) else { return true }
    logger.warning(
      "a peer has another data directory than the one known by its number",
      metadata: ["peer": "\(peer.rawValue)"])
    return false
  }

  /// Hands all written messages to the kernel.
  func flush() {
    for connection in connections.values { connection.flush() }
  }

  /// Closes everything. Succeeds when no dial is under way any more: one that ended on a loop that
  /// has been shut down would have nobody to tell.
  func close() -> EventLoopFuture<Void> {
    loop.preconditionInEventLoop()
    isClosing = true
    let promise = loop.makePromise(of: Void.self)
    closed = promise
    listener?.close(promise: nil)
    for connection in Array(connections.values) { connection.fail("this node stops") }
    for connection in Array(accepted.values) + dials.values.compactMap(\.connection) {
      connection.fail("this node stops")
    }
    endClosing()
    return promise.futureResult
  }

  private func endClosing() {
    guard isClosing, !dials.values.contains(where: \.isUnderWay) else { return }
    closed?.succeed()
    closed = nil
  }

  private func accept(_ channel: any Channel) throws {
    guard accepted.count < Self.unnamedMax, !isClosing else {
      throw ChannelError.operationUnsupported
    }
    let connection = PeerConnection(hello: hello, clock: clock, owner: self, isDialled: false)
    try channel.pipeline.syncOperations.addHandler(connection)
    accepted[ObjectIdentifier(connection)] = connection
  }

  private func dial(_ peer: NodeID) {
    let known = dials[peer, default: Dial()]
    guard !isClosing, connections[peer] == nil, !known.isUnderWay, !known.isScheduled,
      known.connection == nil, let address = addresses.first(where: { $0.id == peer })?.address
    else { return }
    dials[peer, default: Dial()].isUnderWay = true
    ClientBootstrap(group: loop)
      .connectTimeout(Self.connectTimeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          // A name may resolve to several addresses: each attempt has a connection of its own.
          let connection = PeerConnection(
            hello: self.hello, clock: self.clock, owner: self, isDialled: true)
          try channel.pipeline.syncOperations.addHandler(connection)
          self.dials[peer]?.connection = connection
        }
      }
      .connect(host: address.host, port: address.port)
      .whenComplete { result in
        self.dials[peer]?.isUnderWay = false
        self.endClosing()
        if case .failure = result {
          self.dials[peer]?.connection = nil
          self.dialLater(peer)
        }
      }
  }

  private func dialLater(_ peer: NodeID) {
    guard !isClosing, peer > hello.node, !dials[peer, default: Dial()].isScheduled else { return }
    let failures = dials[peer, default: Dial()].failures
    dials[peer]?.failures = min(failures + 1, 10)
    let ceiling = min(Self.retryMillisecondsMax, Self.retryMillisecondsMin << Int64(failures))
    let delay = Int64.random(
      in: Self.retryMillisecondsMin...max(ceiling, Self.retryMillisecondsMin + 1))
    dials[peer]?.isScheduled = true
    loop.scheduleTask(in: .milliseconds(delay)) {
      self.dials[peer]?.isScheduled = false
      self.dial(peer)
    }
  }

  private func watchSilence() {
    loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { task in
      guard !self.isClosing else { return task.cancel() }
      let now = self.clock.now().monotonicNanoseconds
      self.dialLower(now)
      for connection in Array(self.connections.values)
      where now - connection.lastReadMonotonicNanoseconds > self.silenceNanosecondsMax {
        connection.fail("nothing was heard for \(self.silenceNanosecondsMax / 1_000_000) ms")
      }
      let unnamed = Array(self.accepted.values) + self.dials.values.compactMap(\.connection)
      for connection in unnamed
      where now - connection.createdMonotonicNanoseconds > Self.helloNanosecondsMax {
        connection.fail("it did not say who it is")
      }
    }
  }

  /// Dials the members with lower numbers that have not connected for long: they may have been away
  /// when this node became a member.
  private func dialLower(_ now: Int64) {
    for peer in addresses where peer.id < hello.node {
      guard connections[peer.id] == nil else {
        unconnectedSince[peer.id] = nil
        continue
      }
      let since = unconnectedSince[peer.id, default: now]
      unconnectedSince[peer.id] = since
      if now - since > Self.lowerNanoseconds { dial(peer.id) }
    }
  }

  func established(
    _ connection: PeerConnection, peer: NodeID, store: UInt64
  ) -> PeerAdmission {
    // A node of this cluster may know of members that this one has not heard of yet.
    let isListed = addresses.contains { $0.id == peer }
    guard !isClosing, peer != hello.node,
      isListed || connections.count < addresses.count + Self.unlistedMax
    else { return .unexpected }
    guard admits(peer, store: store) else { return .otherStore }
    accepted.removeValue(forKey: ObjectIdentifier(connection))
    if let dialled = dialledPeer(connection), dialled != peer { return .unexpected }
    if let old = connections[peer], hasCrossed(old, connection, peer) { return .unexpected }
    dials[peer]?.connection = nil
    // A new connection means that the peer gave up the old one.
    let old = connections.updateValue(connection, forKey: peer)
    old?.fail("the peer connected anew")
    logger.info("peer connected", metadata: ["peer": "\(peer.rawValue)"])
    // Later: the connection itself takes messages only when this has returned.
    loop.execute {
      if self.connections[peer] != nil { self.delegate?.peerConnected(peer, store: store) }
    }
    return .admitted
  }

  /// Whether both nodes have dialled at once, and this is the connection that is given up: on both of
  /// them that of the node with the higher number.
  private func hasCrossed(
    _ old: PeerConnection, _ new: PeerConnection, _ peer: NodeID
  ) -> Bool {
    func isLowers(_ connection: PeerConnection) -> Bool {
      connection.isDialled == (hello.node < peer)
    }
    return isLowers(old) && !isLowers(new)
      && new.createdMonotonicNanoseconds - old.createdMonotonicNanoseconds
        < Self.crossingNanosecondsMax
  }

  func received(_ message: PeerMessage, from peer: NodeID, at time: HostTime) {
    delegate?.peerSaid(message, peer: peer, at: time)
  }

  func readComplete() { delegate?.peersRead() }

  func closed(_ connection: PeerConnection, peer: NodeID?, reason: String) {
    accepted.removeValue(forKey: ObjectIdentifier(connection))
    guard let peer else {
      logger.debug("connection without a hello ended", metadata: ["reason": "\(reason)"])
      if let dialled = dialledPeer(connection) {
        dials[dialled]?.connection = nil
        dialLater(dialled)
      }
      return
    }
    guard connections[peer] === connection else { return }
    connections.removeValue(forKey: peer)
    logger.info(
      "peer lost", metadata: ["peer": "\(peer.rawValue)", "reason": "\(reason)"])
    delegate?.peerLost(peer)
    // One that ended at once may have been refused, and would be again.
    let age = clock.now().monotonicNanoseconds - connection.createdMonotonicNanoseconds
    if age > Self.helloNanosecondsMax { dials[peer]?.failures = 0 }
    dialLater(peer)
  }

  /// The peer that a connection without a hello was dialled for, if it was dialled.
  private func dialledPeer(_ connection: PeerConnection) -> NodeID? {
    addresses.first { dials[$0.id]?.connection === connection }?.id
  }
}

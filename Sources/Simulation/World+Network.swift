import Bytes
import Ledger
import NodeRuntime
import Raft
import Replica

extension World {
  /// A connection on which nothing came for so long is closed, as ``NodeServer`` does.
  static let silenceNanosecondsMax = 4 * Span.second

  func send(_ message: PeerMessage, from host: SimulatedHost, to peer: NodeID) {
    guard let target = self.host(of: peer)?.place,
      let connection = network[side: host.place, target].connection
    else { return }
    var writer = ByteWriter(capacity: 64)
    PeerFrame.encode(message, into: &writer)
    let frame = Frame(
      from: host.place, to: target, ids: (host.id, peer), connection: connection,
      bytes: Array(writer.bytes.dropFirst(4)))
    for time in network.arrivals(of: frame, now: now) {
      schedule(.frame(frame, life: hosts[target].life), in: time - now)
    }
    crashAfter(message, host)
  }

  private func crashAfter(_ message: PeerMessage, _ host: SimulatedHost) {
    guard options.faults.crashAfterVotePermille > 0, !isSettling, case .raft(let raft) = message
    else { return }
    switch raft {
    case .voteRequest, .voteResponse(_, granted: true):
      if faultRandom.chance(options.faults.crashAfterVotePermille) { host.crashesSoon = true }
    case .voteResponse, .preVoteRequest, .preVoteResponse, .appendRequest, .appendResponse,
      .heartbeatRequest, .heartbeatResponse, .timeoutNow, .readRequest, .readResponse:
      break
    }
  }

  func deliver(_ frame: Frame, _ life: Int) {
    let host = hosts[frame.to]
    // A copy that outlived the number of either end is nobody's.
    guard frame.ids.to == host.id, frame.ids.from == hosts[frame.from].id else { return }
    switch network.options.transport {
    case .stream:
      guard network[side: frame.to, frame.from].connection == frame.connection else { return }
    case .messages:
      // A late copy may even meet the next process.
      guard network[side: frame.to, frame.from].connection != nil else { return }
    }
    network[side: frame.to, frame.from].heard = now
    let message: PeerMessage
    do {
      message = try PeerFrame.decode(frame.bytes.span.bytes, opener: &opener)
    } catch {
      return check { () throws(Violation) in
        throw Violation("frames decode", "from node \(frame.ids.from.rawValue): \(error)")
      }
    }
    if host.repair != nil { return receiveInRepair(message, from: frame.ids.from, at: host) }
    if case .operatorRequest(_, let request) = message, !isBearable(request, at: host) { return }
    act(host, host.life) { node, time in
      node.receive(message, from: frame.ids.from, at: time)
    }
  }

  // MARK: - Connections: whoever knows the other dials, again and again

  func dial(_ one: Int, _ other: Int) {
    guard network[side: one, other].connection == nil else { return }
    guard mayTalk(one, other), network.isOpen(one, other) else {
      let retry = network.random.span(50 * Span.millisecond...Span.second)
      return schedule(.dial(one, other), in: retry)
    }
    let roundTrip = network.latency(one, other, now: now) + network.latency(other, one, now: now)
    schedule(
      .connected(
        one, other, connection: network.makeConnection(),
        lives: (hosts[one].life, hosts[other].life)),
      in: roundTrip)
  }

  func connect(_ one: Int, _ other: Int, _ connection: Int, _ lives: (Int, Int)) {
    guard hosts[one].life == lives.0, hosts[other].life == lives.1, mayTalk(one, other),
      network.isOpen(one, other), network[side: one, other].connection == nil
    else { return schedule(.dial(one, other), in: 100 * Span.millisecond) }
    let isRefused = [refuses(one, other), refuses(other, one)].contains(true)
    guard !isRefused else { return schedule(.dial(one, other), in: Span.second) }
    // The other side may still hold an older one whose end it has not seen.
    if network[side: other, one].connection != nil { notice(other, one, isUp: false) }
    network[side: one, other] = ConnectionSide(connection: connection, heard: now)
    network[side: other, one] = ConnectionSide(connection: connection, heard: now)
    notice(one, other, isUp: true)
    notice(other, one, isUp: true)
  }

  /// Whether both are up, and one of them has the other among those it talks to.
  private func mayTalk(_ one: Int, _ other: Int) -> Bool {
    hosts[one].isUp && hosts[other].isUp
      && (hosts[one].listed.contains(hosts[other].id)
        || hosts[other].listed.contains(hosts[one].id))
  }

  /// Whether a node does not talk to a peer because it knows the peer's number by another data
  /// directory; then the peer is told.
  private func refuses(_ owner: Int, _ peer: Int) -> Bool {
    let id = hosts[owner].id
    guard options.canary != .lostDiskAdmitted, let process = hosts[owner].process,
      !process.node.admits(hosts[peer].id, store: hosts[peer].helloStore)
    else { return false }
    statistics.storesRefused += 1
    check { () throws(Violation) in
      guard hosts[peer].isGhost || hosts[owner].isGhost else {
        throw Violation(
          "a member with its disk is spoken to",
          "node \(id.rawValue) refuses node \(hosts[peer].id.rawValue)")
      }
    }
    act(hosts[peer], hosts[peer].life) { node, time in
      node.receive(.storeRefused, from: id, at: time)
    }
    return true
  }

  private func notice(_ owner: Int, _ peer: Int, isUp: Bool) {
    let notice = PeerNotice(
      peer: hosts[peer].id, store: hosts[peer].helloStore, isUp: isUp)
    schedule(.peerNotice(owner: owner, life: hosts[owner].life, notice), in: 0)
  }

  func notify(_ owner: SimulatedHost, _ life: Int, _ notice: PeerNotice) {
    if owner.life == life {
      owner.repair?.log.setConnected(notice.peer, notice.isUp)
      owner.process?.scrub.plan.setConnected(notice.peer, notice.isUp)
    }
    act(owner, life) { node, _ in
      if notice.isUp {
        node.peerConnected(notice.peer, store: notice.store)
      } else {
        node.peerLost(notice.peer)
      }
    }
  }

  /// A node talks to these from now on, and hangs up on those that have left.
  func setMembers(_ members: [ClusterMember], at host: SimulatedHost) {
    let before = host.listed
    host.listed = members.map(\.id)
    for peer in hosts where peer !== host {
      guard before.contains(peer.id), !host.listed.contains(peer.id),
        let connection = network[side: host.place, peer.place].connection
      else { continue }
      schedule(.closed(owner: host.place, peer: peer.place, connection: connection), in: 0)
    }
  }

  /// One side's connection is over; the other side hears of it if it can.
  func close(_ owner: Int, _ peer: Int, _ connection: Int) {
    guard network[side: owner, peer].connection == connection else { return }
    network[side: owner, peer].connection = nil
    notice(owner, peer, isUp: false)
    if !network[link: owner, peer].isCut {
      schedule(
        .closed(owner: peer, peer: owner, connection: connection),
        in: network.latency(owner, peer, now: now))
    }
    if owner < peer { redial(owner, peer) }
  }

  func redial(_ one: Int, _ other: Int) {
    schedule(.dial(one, other), in: network.random.span(0...100 * Span.millisecond))
  }

  func checkSilence() {
    schedule(.silenceCheck, in: Self.silenceCheckInterval)
    for owner in hosts.indices where hosts[owner].isUp && hosts[owner].pausedUntil <= now {
      for peer in hosts.indices {
        let side = network[side: owner, peer]
        if let connection = side.connection, now - side.heard > Self.silenceNanosecondsMax {
          close(owner, peer, connection)
        }
      }
    }
  }

  // MARK: - Time servers

  func askServer(_ server: Int, datagram: [UInt8], from host: SimulatedHost) {
    let delay =
      servers[server].latency.there + clockRandom.span(0...options.clock.serverLatencyMax / 8)
    schedule(
      .serverAsked(server, datagram: datagram, host: host.place, life: host.life), in: delay)
  }

  func answerFromServer(_ server: Int, _ datagram: [UInt8], _ place: Int, _ life: Int) {
    let work = clockRandom.span(1_000...200 * Span.microsecond)
    let delay =
      work + servers[server].latency.back + clockRandom.span(0...options.clock.serverLatencyMax / 8)
    // With a false server among them all are heard: else it could be the only one (FaultPlanner).
    guard options.clock.falseServerCount > 0 || !clockRandom.chance(20) else { return }
    guard let answer = servers[server].answer(datagram, received: now, answered: now + work)
    else { return }
    schedule(.serverAnswered(server, datagram: answer, host: place, life: life), in: delay)
  }
}

extension SimulatedNetwork {
  /// A host's process is gone: its sides close, and peers hear of it where the machine goes on.
  /// Returns what is to happen, and after how long.
  mutating func forget(_ place: Int, losesPower: Bool, now: Int64) -> [(WorldEvent, Int64)] {
    var events: [(WorldEvent, Int64)] = []
    for peer in 0..<count where peer != place {
      guard let connection = self[side: place, peer].connection else { continue }
      self[side: place, peer].connection = nil
      if !losesPower, !self[link: place, peer].isCut {
        let delay = latency(place, peer, now: now)
        events.append((.closed(owner: peer, peer: place, connection: connection), delay))
      }
      if place < peer { events.append((.dial(place, peer), 50 * Span.millisecond)) }
    }
    return events
  }
}

package import Bytes

/// Whether a peer is heard.
package enum PeerHealth: String, Hashable, Sendable {
  /// Heard within the first threshold.
  case healthy
  /// Not heard for longer than the first threshold.
  case suspect
  /// Not heard for longer than the second, or never.
  case down
}

/// From when a silent peer is suspect, and down.
package struct HealthThresholds: Hashable, Sendable {
  /// Silence that makes a peer suspect, nanoseconds.
  package var suspectNanoseconds: Int64
  /// Silence that makes it down, nanoseconds. Invariant: more than `suspectNanoseconds`.
  package var downNanoseconds: Int64

  /// Thresholds. Precondition: `0 < suspect < down`.
  package init(suspectNanoseconds: Int64, downNanoseconds: Int64) {
    precondition(0 < suspectNanoseconds && suspectNanoseconds < downNanoseconds)
    self.suspectNanoseconds = suspectNanoseconds
    self.downNanoseconds = downNanoseconds
  }
}

/// What is known of one peer's liveness.
package struct PeerLiveness: Hashable, Sendable {
  /// The peer.
  package let id: NodeID
  /// Whether a connection is up.
  package internal(set) var isConnected = false
  /// When anything was last heard from it, or nil: never since the start.
  package internal(set) var heard: HostTime?
  /// The last verdict.
  package internal(set) var health = PeerHealth.down
}

/// The peers' liveness (failure detection by silence).
struct PeerTable {
  private(set) var peers: [PeerLiveness]
  private let thresholds: HealthThresholds

  init(_ ids: [NodeID], thresholds: HealthThresholds) {
    peers = ids.sorted().map { PeerLiveness(id: $0) }
    self.thresholds = thresholds
  }

  /// Watches these from now on; what is known of those that stay is kept.
  mutating func setPeers(_ ids: [NodeID]) {
    let known = peers
    peers = ids.sorted().map { id in known.first { $0.id == id } ?? PeerLiveness(id: id) }
  }

  mutating func heard(_ id: NodeID, at time: HostTime) {
    guard let place = place(of: id) else { return }
    peers[place].heard = time
  }

  mutating func setConnected(_ id: NodeID, _ isConnected: Bool) {
    guard let place = place(of: id) else { return }
    peers[place].isConnected = isConnected
  }

  /// Judges every peer anew and returns those whose health changed.
  mutating func judge(monotonicNanoseconds now: Int64) -> [PeerLiveness] {
    var changed: [PeerLiveness] = []
    for place in peers.indices {
      let health = health(of: peers[place], monotonicNanoseconds: now)
      guard health != peers[place].health else { continue }
      peers[place].health = health
      changed.append(peers[place])
    }
    return changed
  }

  private func health(of peer: PeerLiveness, monotonicNanoseconds now: Int64) -> PeerHealth {
    guard let heard = peer.heard else { return .down }
    let silence = now - heard.monotonicNanoseconds
    if silence > thresholds.downNanoseconds { return .down }
    return silence > thresholds.suspectNanoseconds ? .suspect : .healthy
  }

  private func place(of id: NodeID) -> Int? { peers.firstIndex { $0.id == id } }
}

import Bytes
import DequeModule
import Ledger
import Raft

/// Compares this node's ledger with the other nodes', at the same places in the log.
struct DigestWatch {
  /// How many of this node's own digests are kept: a report about an older place tells nothing.
  static let ownCountMax = 4096

  private struct Heard {
    let peer: NodeID
    var index: LogIndex
    var digest: Digest256
    /// What the last comparison gave; nil before there was one.
    var differs: Bool?
    /// Where it was found to differ.
    var differsAt: LogIndex?
  }

  private var own: Deque<(index: LogIndex, digest: Digest256)> = []
  private var heard: [Heard] = []

  /// This node applied the batch at `index`.
  mutating func applied(_ index: LogIndex, _ digest: Digest256) {
    own.append((index, digest))
    if own.count > Self.ownCountMax { own.removeFirst() }
  }

  /// A peer's report.
  mutating func hear(_ digest: Digest256, at index: LogIndex, from peer: NodeID) {
    if let place = heard.firstIndex(where: { $0.peer == peer }) {
      heard[place].index = index
      heard[place].digest = digest
    } else {
      heard.append(Heard(peer: peer, index: index, digest: digest))
    }
  }

  /// Compares what can be compared now, and returns the peers that have begun to differ.
  mutating func judge() -> [(peer: NodeID, index: LogIndex)] {
    var differing: [(NodeID, LogIndex)] = []
    for place in heard.indices {
      guard let mine = digest(at: heard[place].index) else { continue }
      let differs = mine != heard[place].digest
      if differs && heard[place].differs != true {
        differing.append((heard[place].peer, heard[place].index))
      }
      heard[place].differs = differs
      heard[place].differsAt = differs ? heard[place].index : nil
    }
    return differing
  }

  /// Whether the peer's last comparable report differed from this node's ledger.
  func differs(_ peer: NodeID) -> Bool { heard.first { $0.peer == peer }?.differs == true }

  private func digest(at index: LogIndex) -> Digest256? {
    guard let first = own.first, index >= first.index else { return nil }
    let offset = index.rawValue - first.index.rawValue
    return offset < UInt64(own.count) ? own[Int(offset)].digest : nil
  }
}

extension Replica {
  /// Now and then tells the others this node's ledger digest.
  mutating func reportDigest(into effects: inout [ReplicaEffect]) {
    guard tick.isMultiple(of: configuration.digestTicks), state.last.index > .zero else { return }
    for peer in raft.roster.ids where peer != id {
      effects.append(.send(.digest(index: state.last.index, state.ledger.digest), to: peer))
    }
  }

  /// Fences this node if a majority of the voters agrees on another ledger than its own: whatever
  /// it would answer from now on would be wrong. A minority that differs is the operator's to see.
  mutating func judgeDigests(into effects: inout [ReplicaEffect]) {
    let differing = digests.judge()
    guard !differing.isEmpty else { return }
    for (peer, index) in differing { effects.append(.note(.ledgerDiffers(peer, at: index))) }
    let ids = raft.roster.ids
    guard raft.roster.hasMajority({ digests.differs(ids[$0]) }) else { return }
    let place = differing.map(\.index.rawValue).max() ?? 0
    effects.append(
      .halt(
        reason: "this node's ledger differs from the majority's at batch \(place): it is fenced;"
          + " run syncpay-audit verify on this node and another"))
  }
}

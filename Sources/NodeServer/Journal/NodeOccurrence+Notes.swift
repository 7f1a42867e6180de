import Bytes
import ClockSync
import Evidence
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension NodeOccurrence {
  /// What the journal keeps of a note; nil for what the log itself tells.
  init?(_ note: NodeNote, _ stamp: Stamp) {
    switch note {
    case .replica(let note): self.init(note, stamp)
    case .peerHealth(let peer, let health):
      self.init(stamp: stamp, topic: .peerHealth, peer: peer, word: health.rawValue)
    case .clock(let clock):
      let reading = clock.reading
      self.init(
        stamp: stamp, topic: .clock, number: UInt64(reading.epoch),
        word: "\(reading.status.name) \(reading.reference.name)")
    case .cosigning(.contradicted(let peer, let checkpoint, _)):
      self.init(
        stamp: stamp, topic: .contradicted, peer: peer, number: checkpoint.index.rawValue)
    case .cosigning, .clockMeasured, .logWentOn: return nil
    }
  }

  private init?(_ note: ReplicaNote, _ stamp: Stamp) {
    switch note {
    case .roleChanged(let role, let term, let leader):
      self.init(
        stamp: stamp, topic: .role, peer: leader, number: term.rawValue, word: role.name)
    case .truncated(let index):
      self.init(stamp: stamp, topic: .truncated, number: index.rawValue)
    case .peerRefused(let peer, let reason):
      self.init(stamp: stamp, topic: .peerRefused, peer: peer, word: reason)
    case .transferEnded(let succeeded):
      self.init(stamp: stamp, topic: .transfer, word: succeeded ? "succeeded" : "failed")
    case .removed: self.init(stamp: stamp, topic: .removed)
    case .ledgerDiffers(let peer, let index):
      self.init(stamp: stamp, topic: .ledgerDiffers, peer: peer, number: index.rawValue)
    case .storeRefused(let peer):
      self.init(stamp: stamp, topic: .peerRefused, peer: peer, word: "another data directory")
    case .membersChanged, .segmentClosed: return nil
    }
  }
}

extension RaftRole {
  /// Stable name, snake case.
  fileprivate var name: String {
    switch self {
    case .follower: "follower"
    case .preCandidate: "pre_candidate"
    case .candidate: "candidate"
    case .leader: "leader"
    }
  }
}

extension PaymentRefusal {
  /// Stable name, snake case.
  var name: String {
    switch self {
    case .noLeader: "no_leader"
    case .overloaded: "overloaded"
    case .inDoubt: "in_doubt"
    case .clockAhead: "clock_ahead"
    case .clockUnfit: "clock_unfit"
    case .diskFull: "disk_full"
    case .stopping: "stopping"
    case .idReused: "id_reused"
    }
  }
}

import Bytes
import Evidence
import NodeRuntime
import Raft
import SegmentLog

/// Nodes that sign checkpoints, in the worlds that have them.
extension World {
  /// The key on a host's disk; nil in worlds without signatures.
  func signer(of host: SimulatedHost) -> NodeSigner? {
    guard options.isSigning else { return nil }
    var seed = [UInt8](repeating: 0, count: NoteSigner.seedByteCount)
    (seed[0], seed[1]) = (UInt8(host.place), UInt8(truncatingIfNeeded: host.diskNumber))
    return NodeSigner(seed: seed, node: host.id, cluster: Self.cluster)
  }

  /// A node holds a checkpoint that a majority has signed.
  func signed(_ signed: CosignedCheckpoint, at host: SimulatedHost) {
    statistics.checkpointCount += 1
    check { () throws(Violation) in
      try checks.checkpoints.holds(signed)
    }
  }

  /// A node found something wrong with what another has signed. Numbers are not used again and disks
  /// do not come back, so only a node without its disk can sign with another key.
  func noted(_ note: CosigningNote, at host: SimulatedHost) {
    trace.note(now, "node \(host.id.rawValue): \(note)")
    if case .keyChanged(let peer) = note, hosts.contains(where: { $0.id == peer && $0.isGhost }) {
      return
    }
    check { () throws(Violation) in
      throw Violation("checkpoints agree", "node \(host.id.rawValue): \(note)")
    }
  }
}

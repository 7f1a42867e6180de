import Bytes
import ClockSync
import Evidence
import HybridTime
import Logging
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Writes a node's notes as log lines: one each, with what an operator greps for as metadata.
struct NoteLog {
  let logger: Logger
  let name: @Sendable (NodeID) -> String

  func write(_ note: NodeNote) {
    switch note {
    case .replica(let note): write(note)
    case .peerHealth(let peer, let health):
      logger.log(
        level: health == .healthy ? .info : .warning, "peer health changed",
        metadata: ["peer": "\(name(peer))", "health": "\(health.rawValue)"])
    case .clock(let clock): write(clock)
    case .cosigning(let note): write(note)
    case .clockMeasured, .logWentOn: break  // The journal has it.
    }
  }

  private func write(_ note: CosigningNote) {
    switch note {
    case .keyChanged(let peer):
      logger.error(
        "a node signs with another key than before: its signatures are not counted",
        metadata: ["peer": "\(name(peer))"])
    case .refused(let peer):
      logger.warning(
        "a node's signed checkpoint was refused", metadata: ["peer": "\(name(peer))"])
    case .contradicted(let peer, let checkpoint, let note):
      logger.critical(
        "a node has signed another log than this node's",
        metadata: [
          "peer": "\(name(peer))", "index": "\(checkpoint.index.rawValue)",
          "proof": "\(note.description)",
        ])
    }
  }

  private func write(_ note: ReplicaNote) {
    switch note {
    case .roleChanged(let role, let term, let leader):
      logger.info(
        "role changed",
        metadata: [
          "role": "\(role)", "term": "\(term.rawValue)", "leader": "\(leader.map(name) ?? "none")",
        ])
    case .truncated(let index):
      logger.warning(
        "uncommitted entries replaced by the leader's", metadata: ["from": "\(index.rawValue)"])
    case .peerRefused(let peer, let reason):
      logger.warning(
        "a peer's events were refused", metadata: ["peer": "\(name(peer))", "reason": "\(reason)"])
    case .transferEnded(let succeeded):
      logger.info("leadership transfer ended", metadata: ["succeeded": "\(succeeded)"])
    case .membersChanged(let membership, let index):
      logger.notice(
        "members changed",
        metadata: [
          "voters": "\(membership.voters.map(name))",
          "learners": "\(membership.learners.map(name))",
          "before": "\(membership.outgoing.map(name))", "index": "\(index.rawValue)",
        ])
    case .removed:
      logger.warning("this node is no member of the cluster any more; it can be stopped")
    case .storeRefused(let peer):
      logger.error(
        "a peer knows another data directory under this node's number; remove the number, add a new",
        metadata: ["peer": "\(name(peer))"])
    case .ledgerDiffers(let peer, let index):
      logger.error(
        "a peer's ledger is not this node's",
        metadata: ["peer": "\(name(peer))", "index": "\(index.rawValue)"])
    case .segmentClosed(let first, let last):
      logger.info(
        "segment sealed", metadata: ["first": "\(first.rawValue)", "last": "\(last.rawValue)"])
    }
  }

  private func write(_ clock: ClockSnapshot) {
    let reading = clock.reading
    let rejected = clock.sources.filter {
      if case .selected = $0.verdict { false } else { true }
    }
    logger.info(
      "clock state changed",
      metadata: [
        "status": "\(reading.status)", "reference": "\(reading.reference)",
        "epoch": "\(reading.epoch)", "correction_ns": "\(reading.correctionNanoseconds)",
        "bound_ns": "\(reading.boundNanoseconds)",
        "rejected": "\(rejected.map { "\($0.name): \($0.verdict.reason)" })",
      ])
  }
}

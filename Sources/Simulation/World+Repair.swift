import Bytes
import Ledger
import NodeRuntime
import Replica
import SegmentLog

/// A node that mends its log before it takes part.
final class SimulatedRepair {
  var log: NodeRepair<SimulatedDisk>

  init(_ log: consuming NodeRepair<SimulatedDisk>) { self.log = log }
}

extension World {
  /// The log is damaged: it is mended with the other nodes' batches, as ``NodeServer`` does.
  func beginRepair(_ host: SimulatedHost) {
    do {
      let repair = try NodeRepair.begin(
        host.disk, directory: SimulatedHost.directory, configuration: replicaConfiguration(host))
      host.life += 1
      host.listed = repair.members.map(\.id)
      host.repair = SimulatedRepair(repair)
      statistics.repairCount += 1
      trace.note(now, "node \(host.id.rawValue) mends its log: \(repairText(host))")
      schedule(.repairTick(host.place, life: host.life), in: Self.tickNanoseconds)
    } catch {
      repairFailed(host, error)
    }
  }

  private func repairText(_ host: SimulatedHost) -> String {
    host.repair.map { "\($0.log.stretches.count) stretches, \($0.log.state)" } ?? ""
  }

  func tickRepair(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let repair = host.repair else { return }
    switch repair.log.state {
    case .whole:
      trace.note(now, "node \(host.id.rawValue) has mended its log")
      host.disk.forgetDamage()
      host.unvouchedDamage = []
      host.durability.mended(from: host.vouched.next, checks.committed)
      leaveRepair(host)
      start(host)
    case .hopeless(let index):
      check { () throws(Violation) in
        throw Violation(
          "damage on a minority is mended",
          "node \(host.id.rawValue) finds no copy of batch \(index.rawValue)")
      }
    case .underway:
      for sending in repair.log.tick() { send(sending.message, from: host, to: sending.to) }
      schedule(.repairTick(host.place, life: life), in: Self.tickNanoseconds)
    }
  }

  func receiveInRepair(_ message: PeerMessage, from peer: NodeID, at host: SimulatedHost) {
    guard let repair = host.repair else { return }
    do {
      for sending in try repair.log.receive(message, from: peer) {
        send(sending.message, from: host, to: sending.to)
      }
    } catch {
      leaveRepair(host)
      repairFailed(host, error)
    }
  }

  private func repairFailed(_ host: SimulatedHost, _ error: LogError) {
    trace.note(now, "node \(host.id.rawValue) cannot mend its log: \(error)")
    guard host.disk.takeHit() else { return refuseToFail(host, error) }
    statistics.failedStarts += 1
    planStart(host, in: faultRandom.span(100 * Span.millisecond...Span.second))
  }

  private func leaveRepair(_ host: SimulatedHost) {
    host.repair = nil
    host.life += 1
    for (event, delay) in network.forget(host.place, losesPower: false, now: now) {
      schedule(event, in: delay)
    }
  }
}

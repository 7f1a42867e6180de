import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// The fault planner: what goes wrong, when, and how much of it at most.
///
/// The protocol promises to survive, and the planner never exceeds:
/// - any number of processes killed and machines without power, all at once included, as long as a
///   majority comes back with its disks. Majorities are counted by every configuration that a node may
///   go by: the last that is committed, and later ones in any log, of which a joint one has two halves,
///   each with a majority of its own. Operators begin no change that breaks this;
/// - disks that are lost, with their nodes coming back under their old numbers, where the others can
///   know it: each of them with a log durably holds where it names the lost data directory. A node
///   counts among the minority until its number has left. Nodes without a log believe each other, so
///   those under old numbers are fewer than a majority of the first members, by whose configuration
///   they may still go;
/// - torn writes with a later sector and without an earlier one, but where the node would ask somebody
///   who never comes back: a number that has left, which its log does not surely say;
/// - any partition, delay, loss and repetition of messages;
/// - un-synced writes lost, torn, or kept out of order; failed syncs, writes and reads; a full disk;
/// - durable bytes of the log that change on a minority of the nodes, where something shows that they
///   had been whole: the hard state vouches for the batch, a later batch stands on the disk, or the
///   segment has a successor. The newest batch, while the hard state does not vouch for it, cannot be
///   told from a torn write, and is cut: a node that had acknowledged it has then lost it unknowingly,
///   which the protocol does not promise to survive. So it stays whole, and where a conflict cuts the
///   log right after a damaged batch, that one is whole again. A node counts among the minority until
///   it has mended its log and votes again;
/// - one copy of two of the hard state that changes, in each of its slots, on any node. Both copies of
///   the newest slot look as if the write of the newest state had been torn, and a write that the disk
///   forgets leaves an older state in both: the node could vote twice, so neither happens;
/// - ledger snapshots that change on any node: they only save the time of a replay;
/// - system clocks set by any amount, backwards, and standing still, while a process runs, as long as
///   there are time servers (by 200 ms without); at its start they are within `rawOffsetMax` of true
///   time. Oscillators within the configured drift;
/// - one false time server of three or more, off by more than an exchange of four seconds can hide;
///   where one is false all servers are heard, else a false one could be the only voice.
extension World {
  func planFaults() {
    for kind in FaultKind.allCases { plan(kind) }
  }

  private func plan(_ kind: FaultKind) {
    let mean = kind.mean(options.faults)
    guard mean > 0 else { return }
    schedule(.fault(kind), in: faultRandom.span(mean / 4...2 * mean))
  }

  func strike(_ kind: FaultKind) {
    guard !isSettling else { return }
    plan(kind)
    if carryOut(kind, at: hosts[faultRandom.number(0...hosts.count - 1)]) {
      statistics.count(kind)
      trace.note(now, "fault: \(kind.rawValue)")
    }
  }

  /// False where the fault does not apply now.
  private func carryOut(_ kind: FaultKind, at host: SimulatedHost) -> Bool {
    let isRunning = host.isUp
    switch kind {
    case .kill: if isRunning { crash(host, losesPower: false, "killed") }
    case .crash: if isRunning { crash(host, losesPower: true, "power lost") }
    case .blackout:
      for host in hosts where host.isUp { crash(host, losesPower: true, "blackout") }
      return true
    case .rollingRestart: if isRunning { drain(host) }
    case .pause:
      if isRunning {
        host.pausedUntil =
          now + faultRandom.logarithmicSpan(10 * Span.millisecond...6 * Span.second)
      }
    case .partition: return partition()
    case .clog: return clog()
    case .disconnect: return disconnect(host)
    case .diskError: if isRunning { breakDisk(host) }
    case .diskFull:
      if faultRandom.chance(500) {
        // The node is told in time, and refuses payments.
        act(host, host.life) { node, _ in node.setDiskShort(true) }
      } else {
        host.disk.faults.isFull = true
      }
      end(.diskFull(host.place), 200 * Span.millisecond...4 * Span.second)
      return true
    case .slowDisk: slowDown(host)
    case .damage: return damage(host)
    case .hardStateDamage: return damageHardState(host)
    case .snapshotDamage: return damageSnapshot(host)
    case .clockFault:
      upsetClock(host)
      return true
    case .transfer: if isRunning { ask(.transferLeadership(to: nil), at: host) }
    case .members: return changeMembers(askedAt: host)
    case .wipe: return wipe(host)
    case .policy: if isRunning { ask(nextPolicy(), at: host) }
    }
    return isRunning
  }

  func end(_ end: FaultEnd, _ range: ClosedRange<Int64>) {
    schedule(.faultEnds(end), in: faultRandom.logarithmicSpan(range))
  }

  func endFault(_ end: FaultEnd) {
    switch end {
    case .mend(let links):
      guard !isSettling else { return }
      for (from, to) in links {
        for (frame, time) in network.mend(from, to, now: now) {
          schedule(.frame(frame, life: hosts[frame.to].life), in: time - now)
        }
      }
    case .diskFull(let place): endDiskFull(hosts[place])
    case .slowDisk(let place): hosts[place].diskSlowness = 1
    case .clockFrozen(let place): hosts[place].clock.setFrozen(false, at: now)
    case .drained(let place, let life):
      guard hosts[place].life == life else { return }
      stopGracefully(hosts[place], life)
      hosts[place].options = NodeOptions(&faultRandom)
      hosts[place].options.keepTimeouts(of: options.node)
      crash(hosts[place], losesPower: false, "stopped to restart with other options")
    }
  }

  func endDiskFull(_ host: SimulatedHost) {
    host.disk.faults.isFull = false
    act(host, host.life) { node, _ in node.setDiskShort(false) }
  }

  private func drain(_ host: SimulatedHost) {
    act(host, host.life) { node, _ in node.drain() }
    schedule(
      .faultEnds(.drained(host.place, life: host.life)),
      in: faultRandom.span(100 * Span.millisecond...Span.second))
  }

  private func breakDisk(_ host: SimulatedHost) {
    switch faultRandom.number(0...2) {
    case 0: host.disk.faults.failsNextSync = true
    case 1: host.disk.faults.failsNextWrite = true
    default: host.disk.faults.failsNextRead = true
    }
  }

  private func slowDown(_ host: SimulatedHost) {
    if faultRandom.chance(400) {
      host.diskHang = faultRandom.logarithmicSpan(50 * Span.millisecond...4 * Span.second)
      return
    }
    host.diskSlowness = Int64(faultRandom.pick([10, 50, 200]))
    end(.slowDisk(host.place), 200 * Span.millisecond...8 * Span.second)
  }

  private static let rawErrorMaxWithoutServers = 200 * Span.millisecond

  private func upsetClock(_ host: SimulatedHost) {
    if faultRandom.chance(300) {
      host.clock.setFrozen(true, at: now)
      return end(.clockFrozen(host.place), 50 * Span.millisecond...5 * Span.second)
    }
    let amount = faultRandom.logarithmicSpan(Span.millisecond...3600 * Span.second)
    host.clock.step(by: faultRandom.chance(500) ? amount : -amount, at: now)
    // Without time servers the system clocks are the cluster's time: what one of them has put into
    // the log cannot be taken back, and payments are refused until the others have caught up.
    if servers.isEmpty { host.clock.bringNear(Self.rawErrorMaxWithoutServers, at: now) }
  }
}

// MARK: - The network's

extension World {
  /// Strikes a new leader when it hurts: power gone, or cut off for a while.
  func strikeLeader(_ host: SimulatedHost, _ life: Int) {
    guard !isSettling, host.life == life, host.process != nil else { return }
    if faultRandom.chance(500) {
      return crash(host, losesPower: true, "struck after its election")
    }
    trace.note(now, "node \(host.id.rawValue) is cut off after its election")
    var links: [(Int, Int)] = []
    for peer in hosts.indices where peer != host.place {
      links.append((host.place, peer))
      links.append((peer, host.place))
    }
    for (from, to) in links { network.cut(from, to) }
    end(.mend(links), 200 * Span.millisecond...3 * Span.second)
  }

  private func partition() -> Bool {
    guard hosts.count > 1 else { return false }
    let links = linksToCut()
    for (from, to) in links { network.cut(from, to) }
    let range = 100 * Span.millisecond...10 * Span.second
    let span = faultRandom.logarithmicSpan(range)
    schedule(.faultEnds(.mend(links)), in: span)
    // A flapping one comes back a few times, each as long as the first.
    if faultRandom.chance(250) {
      for flap in 1...3 where now + 2 * Int64(flap) * span < options.activeNanoseconds {
        schedule(.flap(links, span), in: 2 * Int64(flap) * span)
      }
    }
    return true
  }

  /// A flapping partition is back.
  func flap(_ links: [(Int, Int)], _ span: Int64) {
    guard !isSettling else { return }
    for (from, to) in links { network.cut(from, to) }
    schedule(.faultEnds(.mend(links)), in: span)
  }

  private func linksToCut() -> [(Int, Int)] {
    var side = hosts.indices.map { _ in faultRandom.chance(500) }
    let odd = faultRandom.number(0...hosts.count - 1)
    if !side.contains(true) || !side.contains(false) { side = side.map { _ in false } }
    if !side.contains(true) { side[odd] = true }
    let kind = faultRandom.number(0...2)
    var links: [(Int, Int)] = []
    for from in hosts.indices {
      for to in hosts.indices where side[from] != side[to] {
        // 0: both ways. 1: one way. 2: one node sees both halves.
        if kind == 1 && side[from] { continue }
        if kind == 2 && (from == odd || to == odd) { continue }
        links.append((from, to))
      }
    }
    return links
  }

  private func clog() -> Bool {
    guard hosts.count > 1 else { return false }
    let from = faultRandom.number(0...hosts.count - 1)
    let to = (from + faultRandom.number(1...hosts.count - 1)) % hosts.count
    network[link: from, to].cloggedUntil =
      now + faultRandom.logarithmicSpan(50 * Span.millisecond...3 * Span.second)
    return true
  }

  private func disconnect(_ host: SimulatedHost) -> Bool {
    guard hosts.count > 1 else { return false }
    let peer = (host.place + faultRandom.number(1...hosts.count - 1)) % hosts.count
    guard let connection = network[side: host.place, peer].connection else { return false }
    close(host.place, peer, connection)
    return true
  }
}

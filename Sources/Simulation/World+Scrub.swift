import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// What checks a process's sealed segments, as `ScrubService` of NodeServer does.
final class SimulatedScrub {
  var plan: ScrubPlan
  /// What is under way with files.
  var order: ScrubPlan.Order?
  /// The segment that was checked last.
  var segment: SealedSegment?
  private var scrubber: SegmentScrubber<SimulatedDisk>

  init(_ disk: SimulatedDisk, plan: ScrubPlan) {
    self.plan = plan
    scrubber = SegmentScrubber(disk, logDirectory: SimulatedHost.directory + "/log")
  }

  func check(_ segment: SealedSegment) throws(LogError) -> ScrubFinding {
    try scrubber.check(segment)
  }

  func mend(_ batches: [Batch]) throws(LogError) -> ScrubFinding { try scrubber.mend(batches) }
}

extension World {
  private static let scrubTickNanoseconds = 100 * Span.millisecond

  func beginScrub(_ host: SimulatedHost) {
    schedule(
      .scrubTick(host.place, life: host.life),
      in: nodeRandom.span(0...Self.scrubTickNanoseconds))
  }

  func scrub(of host: SimulatedHost) -> SimulatedScrub {
    // Its own random start: no other stream is to depend on it.
    let last = max(0, host.log.count)
    return SimulatedScrub(
      host.disk,
      plan: ScrubPlan(
        bytesPerSecond: options.hasScrub ? 1 << 40 : 0, pauseNanoseconds: 10 * Span.second,
        position: LogIndex(UInt64(nodeRandom.number(0...last))), at: now))
  }

  func tickScrub(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let scrub = host.process?.scrub else { return }
    schedule(.scrubTick(host.place, life: life), in: Self.scrubTickNanoseconds)
    carryOut(scrub.plan.tick(at: now), of: scrub, at: host)
  }

  /// A node has answered a scrub.
  func scrubAnswered(_ answer: BatchesAnswer, from peer: NodeID, at host: SimulatedHost) {
    guard let scrub = host.process?.scrub else { return }
    carryOut(scrub.plan.received(answer, from: peer, at: now), of: scrub, at: host)
  }

  /// A reader has met an error: where it is damage, the scrub looks there.
  func met(_ error: LogError, at host: SimulatedHost) {
    guard let segment = error.damagedSegment else { return }
    host.process?.scrub.plan.suspect(segment)
  }

  private func carryOut(
    _ order: ScrubPlan.Order?, of scrub: SimulatedScrub, at host: SimulatedHost
  ) {
    switch order {
    case nil: break
    case .ask(let request, let peer): send(.batchesRequest(request), from: host, to: peer)
    case .check, .mend:
      scrub.order = order
      schedule(
        .scrubDue(host.place, life: host.life),
        in: nodeRandom.span(50 * Span.microsecond...2 * Span.millisecond) * host.diskSlowness)
    }
    noteScrub(scrub, at: host)
  }

  /// The time of a scrub's work is over: its file operations happen now.
  func finishScrub(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process, let order = process.scrub.order
    else { return }
    process.scrub.order = nil
    let hitCount = host.disk.hitCount
    do throws(LogError) {
      switch order {
      case .check(let target):
        let segment = process.sealedSegment(target)
        process.scrub.segment = segment
        process.scrub.plan.checked(
          try segment.map { (segment) throws(LogError) in try process.scrub.check(segment) },
          at: now)
      case .mend(let batches):
        process.scrub.plan.mended(try process.scrub.mend(batches), at: now)
      case .ask: break
      }
    } catch {
      if let segment = process.scrub.segment {
        process.scrub.plan.failed(error, in: segment, at: now)
      }
      // A fault that hit the scrub is no excuse for anything else.
      let isHit = host.disk.hitCount > hitCount && host.disk.takeHit()
      check { () throws(Violation) in
        guard isHit else {
          throw Violation("a working disk is scrubbed", "node \(host.id.rawValue): \(error)")
        }
      }
    }
    carryOut(process.scrub.plan.tick(at: now), of: process.scrub, at: host)
    if host.isSuspect, !host.disk.isDamaged { host.isSuspect = false }
  }

  private func noteScrub(_ scrub: SimulatedScrub, at host: SimulatedHost) {
    for note in scrub.plan.takeNotes() {
      trace.note(now, "node \(host.id.rawValue)'s scrub: \(note)")
      if case .mended = note { statistics.scrubbedSegments += 1 }
    }
  }

  /// The process ends: what the scrub is doing may have come to any operation.
  func cutScrub(_ host: SimulatedHost) {
    guard let process = host.process, let order = process.scrub.order else { return }
    process.scrub.order = nil
    guard faultRandom.chance(700) else { return }
    host.disk.cutPower(afterOperations: Int(faultRandom.logarithmicSpan(1...20)) - 1)
    switch order {
    case .check(let target):
      if let segment = process.sealedSegment(target) { _ = try? process.scrub.check(segment) }
    case .mend(let batches): _ = try? process.scrub.mend(batches)
    case .ask: break
    }
    host.disk.powerOn()
  }

  /// Whether all that is damaged on a disk lies where the node that runs on it looks by itself.
  func mendsItself(_ host: SimulatedHost) -> Bool {
    guard options.hasScrub, let process = host.process else { return false }
    return host.disk.damagedPaths.allSatisfy { path in
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      return SegmentID(fileName: name).map { process.sealedSegment(.segment($0)) != nil } ?? false
    }
  }
}

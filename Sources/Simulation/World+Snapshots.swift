import Bytes
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// What makes a process's ledger snapshots, as `SnapshotQueue` of NodeServer does.
struct SimulatedSnapshots {
  var schedule: SnapshotSchedule
  let builder: SnapshotBuilder<SimulatedDisk>
  /// The snapshot that is being made.
  var order: SnapshotOrder?
}

extension World {
  func snapshots(
    of host: SimulatedHost, _ reader: LogReader<SimulatedDisk>, lastSequence: EventSequence
  ) -> SimulatedSnapshots {
    let configuration = replicaConfiguration(host)
    return SimulatedSnapshots(
      schedule: SnapshotSchedule(
        eventsMin: UInt64(host.options.snapshotEventsMin), lastSequence: lastSequence),
      builder: SnapshotBuilder(
        SnapshotDirectory(
          host.disk, dataDirectory: SimulatedHost.directory, clusterID: configuration.cluster),
        reader: reader, configuration: configuration))
  }

  /// Segments have been sealed and are durable: a snapshot may be due, and takes its time.
  func sealed(_ seals: [SegmentSeal], at host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process else { return }
    for seal in seals {
      guard let order = process.snapshots.schedule.sealed(seal) else { continue }
      process.snapshots.order = order
      let span = nodeRandom.logarithmicSpan(200 * Span.microsecond...Span.second)
      schedule(.snapshotDue(host.place, life: life), in: span * min(host.diskSlowness, 10))
    }
  }

  /// A snapshot's time is over: its file operations happen now, in the middle of the log's.
  func finishSnapshot(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process, let order = process.snapshots.order
    else { return }
    process.snapshots.order = nil
    let hitCount = host.disk.hitCount
    do throws(SnapshotProblem) {
      let report = try process.snapshots.builder.build(order, seed: nodeRandom.next())
      process.snapshots.schedule.built(report.written)
      checkPassedOver(report.notes, at: host)
      guard let written = report.written else { return }
      host.damagedSnapshots.remove(written.id)
      statistics.snapshotCount += 1
      trace.note(now, "node \(host.id.rawValue) has written snapshot \(written.id)")
    } catch {
      process.snapshots.schedule.built(nil)
      trace.note(now, "node \(host.id.rawValue) cannot write a snapshot: \(error)")
      // A fault that hit the making of a snapshot is no excuse for anything else.
      let isHit = host.disk.hitCount > hitCount && host.disk.takeHit()
      check { () throws(Violation) in
        if case .diverged(let index) = error {
          throw Violation(
            "the log gives the node's ledger",
            "node \(host.id.rawValue) after batch \(index.rawValue)")
        }
        guard isHit || host.disk.isDamaged else {
          throw Violation(
            "snapshots can be written to a working disk", "node \(host.id.rawValue): \(error)")
        }
      }
    }
  }

  /// Snapshots are passed over only for a reason that the world knows of.
  func checkPassedOver(_ notes: [SnapshotNote], at host: SimulatedHost) {
    for note in notes {
      statistics.snapshotsPassedOver += 1
      trace.note(now, "node \(host.id.rawValue) passes over \(note.id): \(note.problem)")
      let isKnown =
        switch note.problem {
        // A crash can tear a footer, and the snapshot does not know its digests.
        case .segmentNotSealed: true
        case .otherHistory, .otherLedger: host.isSuspect
        case .file: true
        case .length, .notASnapshot, .unsupportedVersion, .digestMismatch, .otherCluster,
          .misnamed, .malformed, .log, .diverged:
          host.damagedSnapshots.contains(note.id)
        }
      check { () throws(Violation) in
        guard isKnown else {
          throw Violation(
            "an undamaged snapshot is used",
            "node \(host.id.rawValue) passes over \(note.id): \(note.problem)")
        }
      }
    }
  }

  /// The process ends: a snapshot that is being made may have come to any operation.
  func cutSnapshot(_ host: SimulatedHost) {
    guard let process = host.process, let order = process.snapshots.order else { return }
    process.snapshots.order = nil
    guard faultRandom.chance(700) else { return }
    // Few operations read, most write: cuts fall into all of them.
    host.disk.cutPower(
      afterOperations: Int(faultRandom.logarithmicSpan(1...200)) - 1)
    if let report = try? process.snapshots.builder.build(order, seed: nodeRandom.next()),
      let written = report.written
    {
      host.damagedSnapshots.remove(written.id)
    }
    host.disk.powerOn()
  }

  /// The end of a process that was asked to stop: its storage comes to its end, then it makes a last
  /// snapshot, if that saves the next start enough.
  func stopGracefully(_ host: SimulatedHost, _ life: Int) {
    var rounds = 0
    while host.life == life, host.process?.isStoring == true, rounds < 100 {
      finishStorage(host, life)
      rounds += 1
    }
    if host.process?.snapshots.order != nil { finishSnapshot(host, life) }
    guard host.life == life, let process = host.process else { return }
    let last = process.progress
    guard
      let order = process.snapshots.schedule.stopping(
        through: last.applied.index, EventSequence(last.counts.events),
        ledgerDigest: last.ledgerDigest)
    else { return }
    process.snapshots.order = order
    // Or the machine does not wait for it.
    if faultRandom.chance(800) { finishSnapshot(host, life) }
  }

  /// Changes bytes of a snapshot.
  func damageSnapshot(_ host: SimulatedHost) -> Bool {
    let paths = host.disk.paths.filter { $0.hasSuffix(".snapshot") }
    guard !paths.isEmpty else { return false }
    let path = faultRandom.pick(paths)
    guard let count = host.disk.bytes(path)?.count, count > 0,
      let id = SnapshotID(fileName: String(path.dropFirst(Self.snapshotDirectory.count + 1)))
    else { return false }
    let start = faultRandom.number(0...count - 1)
    let length = faultRandom.pick([1, 16, 512])
    host.damagedSnapshots.insert(id)
    host.disk.corrupt(path, start..<start + length, isTold: false) { bytes, random in
      for place in bytes.indices { bytes[place] ^= UInt8(random.number(1...255)) }
    }
    return true
  }

  private static let snapshotDirectory = SimulatedHost.directory + "/snapshots"

  /// An operator takes the snapshots away, so that the whole log is read.
  func removeSnapshots(_ host: SimulatedHost) {
    for path in host.disk.paths where path.hasPrefix(Self.snapshotDirectory) {
      try? host.disk.remove(path)
    }
    try? host.disk.syncDirectory(Self.snapshotDirectory)
  }
}

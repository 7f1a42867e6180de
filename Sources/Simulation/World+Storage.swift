import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  /// Begins the next group of storage work, if none is under way: what comes meanwhile gathers.
  func runStorage(_ host: SimulatedHost) {
    guard let process = host.process, !process.isStoring, !process.environment.waiting.isEmpty
    else { return }
    process.isStoring = true
    process.current = process.environment.waiting
    process.environment.waiting = []
    let base = nodeRandom.span(30 * Span.microsecond...400 * Span.microsecond)
    schedule(
      .stored(host.place, life: host.life), in: base * host.diskSlowness + host.diskHang)
    host.diskHang = 0
  }

  /// A group's time is over: its file operations happen now, and the node hears of it.
  func finishStorage(_ host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process, process.isStoring else { return }
    mendBeforeCut(host, process.current)
    if host.disk.faults.failsNextSync { host.disk.faults.tearsInOrder = !mayScatter(host) }
    do {
      let report = try process.performCurrent()
      noteStored(host, process.current)
      process.isStoring = false
      process.current = []
      act(host, life) { node, _ in node.stored(report) }
      sealed(report.sealed, at: host, life)
      runStorage(host)
    } catch {
      guard host.disk.takeHit() || host.disk.isDamaged else {
        return check { () throws(Violation) in
          throw Violation(
            "storage works on a working disk", "node \(host.id.rawValue): \(error)")
        }
      }
      // What storage has half done is not done again when the process ends.
      process.isStoring = false
      host.mayBeTorn = true
      crash(host, losesPower: false, "storage failed: \(error)")
    }
  }

  private func noteStored(_ host: SimulatedHost, _ group: [StorageWork]) {
    for work in group {
      switch work {
      case .command(.append(let batches)):
        for batch in batches {
          host.durability.append(batch.header.hash)
          noteBatch(batch, at: host)
        }
      case .command(.truncate(let index)): host.durability.cut(from: index)
      case .command(.hardState(_, let commit, _)): host.vouched = commit
      case .command(.seal), .command(.indexInterval), .release: break
      }
    }
    if host.process?.environment.waiting.isEmpty ?? true { host.durability.settled() }
  }

  /// A follower is behind what memory holds: its batches are read later, from the files.
  ///
  /// One after the other for each peer, as `CatchUpReader` of NodeServer does.
  func read(_ request: AppendRequest, for peer: NodeID, at host: SimulatedHost) {
    var queue = host.catchUps[peer, default: CatchUpQueue()]
    queue.add(request)
    host.catchUps[peer] = queue
    readNext(for: peer, at: host)
  }

  private func readNext(for peer: NodeID, at host: SimulatedHost) {
    guard let request = host.catchUps[peer]?.next() else { return }
    schedule(
      .readDone(host.place, life: host.life, request, peer: peer),
      in: nodeRandom.span(50 * Span.microsecond...2 * Span.millisecond) * host.diskSlowness)
  }

  func finishRead(_ request: AppendRequest, for peer: NodeID, at host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process else { return }
    defer {
      host.catchUps[peer]?.isReading = false
      readNext(for: peer, at: host)
    }
    statistics.catchUpReads += 1
    var pieces = RequestedBatches(request, reader: process.reader)
    do {
      while let piece = try pieces.next() {
        for part in AppendParts(request: piece.request, batches: piece.batches) {
          send(
            .append(part.request, batches: part.batches), from: host, to: peer)
        }
      }
    } catch {
      trace.note(now, "node \(host.id.rawValue) cannot read for a peer: \(error)")
      met(error, at: host)
      guard host.disk.takeHit() || host.disk.isDamaged else {
        return check { () throws(Violation) in
          throw Violation(
            "reading works on a working disk", "node \(host.id.rawValue): \(error)")
        }
      }
    }
  }

  /// A damaged node asks for batches: they are read later, from the files.
  func read(_ range: LogIndexRange, for peer: NodeID, at host: SimulatedHost) {
    schedule(
      .rangeRead(host.place, life: host.life, range, peer: peer),
      in: nodeRandom.span(50 * Span.microsecond...2 * Span.millisecond) * host.diskSlowness)
  }

  func finishRead(_ range: LogIndexRange, for peer: NodeID, at host: SimulatedHost, _ life: Int) {
    guard host.life == life, let process = host.process else { return }
    let answer = process.reader.answer(range) { met($0, at: host) }
    send(.batches(answer), from: host, to: peer)
  }
}

/// What is to be read for one follower.
struct CatchUpQueue {
  private static let waitingMax = 4

  private var waiting: [AppendRequest] = []
  var isReading = false

  /// A leader of a later term asks: what an earlier one asked for is of no use.
  mutating func add(_ request: AppendRequest) {
    waiting.removeAll { $0.term != request.term || $0.previous == request.previous }
    if waiting.count < Self.waitingMax { waiting.append(request) }
  }

  /// The request to be read now, if none is being read.
  mutating func next() -> AppendRequest? {
    guard !isReading, !waiting.isEmpty else { return nil }
    isReading = true
    return waiting.removeFirst()
  }
}

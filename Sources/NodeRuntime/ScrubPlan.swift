package import Bytes
package import Replica
package import SegmentLog

/// Which sealed segment is to be checked.
package enum ScrubTarget: Hashable, Sendable {
  /// The first one that begins after this batch.
  case after(LogIndex)
  /// This one.
  case segment(SegmentID)
}

/// When a running node looks through its sealed segments, and whom it asks for what is damaged there.
///
/// Bytes that change on a disk while nobody reads them (latent sector errors, bit rot) are found
/// while other nodes still have them (Bairavasundaram et al., "An analysis of latent sector errors in
/// disk drives", SIGMETRICS '07). What a reader stumbles over is checked first. Pure: whoever drives
/// it carries out its orders, and tells it what came of them; at most one is under way.
package struct ScrubPlan: Sendable {
  /// What is to be done now.
  package enum Order: Sendable {
    /// Check this segment; answer with ``checked(_:at:)`` or ``failed(_:in:at:)``.
    case check(ScrubTarget)
    /// Ask a node for batches; its answer goes to ``received(_:from:at:)``.
    case ask(BatchesRequest, NodeID)
    /// Write these batches; answer with ``mended(_:at:)`` or
    /// ``failed(_:in:at:)``.
    case mend([Batch])
  }

  /// Something for the operator.
  package enum Note: Sendable {
    /// Bytes of a sealed segment are not those that were written.
    case damaged(DamagedStretch)
    /// A segment is whole again.
    case mended(SegmentID)
    /// No node that can be reached has this batch whole: it will be asked for again and again.
    case noCopy(LogIndex, SegmentID)
    /// A file could not be read or written; it will be tried again.
    case failed(LogError)
  }

  private enum State {
    case resting
    case working(ScrubTarget)
    case asking(ScrubFinding)
  }

  /// A node that does not answer for so long cannot help now, nanoseconds.
  private static let patienceNanoseconds: Int64 = 2_000_000_000
  /// From the first try at what could not be mended to the next, nanoseconds; each later wait is
  /// twice as long, up to the longest.
  private static let retryNanoseconds: Int64 = 10_000_000_000
  private static let retryNanosecondsMax: Int64 = 640_000_000_000

  /// A segment that is to be looked at out of turn.
  private struct Suspect {
    let segment: SegmentID
    var due: Int64
    /// When it was tried last, if it was.
    var tried: Int64?
    /// How long it waits if it cannot be mended.
    var wait: Int64
  }

  /// How fast it reads on average, bytes a second; 0: only what a reader has met is checked.
  package let bytesPerSecond: UInt64
  /// Between two passes through the whole log, nanoseconds.
  package let pauseNanoseconds: Int64
  private var state = State.resting
  /// The pass has come to here, and goes on then.
  private var position: LogIndex
  private var due: Int64
  private var connected: [NodeID] = []
  /// Who was asked for what is missing now, and when; who could not help.
  private var asked: (peer: NodeID, at: Int64)?
  private var refused: Set<NodeID> = []
  /// What a reader has met, and what could not be mended.
  private var suspects: [Suspect] = []
  /// How long the one that is worked on waits if it cannot be mended.
  private var wait = Self.retryNanoseconds
  private var notes: [Note] = []
  /// Segments of which something is damaged now, as far as is known. Ascending.
  package private(set) var damaged: [SegmentID] = []
  /// How many segments have been checked since the start.
  package private(set) var checkedCount = 0
  /// How many have been mended since the start.
  package private(set) var mendedCount = 0
  /// How often the end of the log was reached since the start.
  package private(set) var passCount = 0

  /// A plan whose first pass begins after `position`: not always at the log's start, or the end of a
  /// long log would wait for a node that runs for long.
  package init(
    bytesPerSecond: UInt64, pauseNanoseconds: Int64, position: LogIndex = .zero, at now: Int64
  ) {
    self.bytesPerSecond = bytesPerSecond
    self.pauseNanoseconds = pauseNanoseconds
    self.position = position
    due = now
  }

  /// Some time has passed: what is to be done, if anything. `now`: any monotonic clock, nanoseconds.
  package mutating func tick(at now: Int64) -> Order? {
    switch state {
    case .working: return nil
    case .resting:
      if let place = suspects.firstIndex(where: { $0.due <= now }) {
        let suspect = suspects.remove(at: place)
        wait = suspect.wait
        return check(.segment(suspect.segment))
      }
      guard bytesPerSecond > 0, now >= due else { return nil }
      wait = Self.retryNanoseconds
      return check(.after(position))
    case .asking(let finding):
      if let asked {
        guard now - asked.at >= Self.patienceNanoseconds else { return nil }
        refused.insert(asked.peer)
      }
      return ask(finding, at: now)
    }
  }

  /// A reader has met damage in a segment.
  package mutating func suspect(_ segment: SegmentID) {
    if case .asking(let finding) = state, finding.segment == segment { return }
    // What is known to be damaged waits for its next try.
    guard !suspects.contains(where: { $0.segment == segment }) else { return }
    suspects.append(
      Suspect(segment: segment, due: .min, tried: nil, wait: Self.retryNanoseconds))
  }

  /// A connection to the peer is up, or broke.
  package mutating func setConnected(_ peer: NodeID, _ isConnected: Bool) {
    connected.removeAll { $0 == peer }
    if isConnected {
      connected.append(peer)
      // It may have what the others had not.
      for place in suspects.indices {
        let soon = (suspects[place].tried ?? .min / 2) + Self.retryNanoseconds
        suspects[place].due = min(suspects[place].due, soon)
      }
    }
    guard asked?.peer == peer else { return }
    asked = nil
    refused.insert(peer)
  }

  /// What was said to the operator since this was asked last.
  package mutating func takeNotes() -> [Note] {
    defer { notes.removeAll() }
    return notes
  }

  /// A segment has been checked; nil: there is none such.
  package mutating func checked(_ finding: ScrubFinding?, at now: Int64) {
    guard case .working(let target) = state else { preconditionFailure("nothing was ordered") }
    guard let finding else {
      state = .resting
      guard case .after = target else { return }
      passCount += 1
      position = .zero
      due = now + pauseNanoseconds
      return
    }
    checkedCount += 1
    if case .after = target {
      position = finding.last
      let seconds = Double(finding.byteCount) / Double(max(bytesPerSecond, 1))
      due = now + Int64(seconds * 1e9)
    }
    if !finding.stretches.isEmpty, noteDamaged(finding.segment) {
      notes += finding.stretches.map(Note.damaged)
    }
    refused.removeAll()
    go(on: finding, at: now)
  }

  /// Batches have been written.
  package mutating func mended(_ finding: ScrubFinding, at now: Int64) {
    if finding.fits { refused.removeAll() }
    go(on: finding, at: now)
  }

  /// The check of a segment, or a write to it, has failed: it counts as damaged, and is tried again;
  /// the pass goes on after it.
  package mutating func failed(_ error: LogError, in segment: SealedSegment, at now: Int64) {
    notes.append(.failed(error))
    if case .working(.after) = state {
      position = segment.lastIndex
      // A disk that fails altogether is not to fill the operator's log.
      due = now + Self.patienceNanoseconds
    }
    noteDamaged(segment.id)
    retry(segment.id, at: now)
    state = .resting
  }

  /// Whether it was not known.
  @discardableResult
  private mutating func noteDamaged(_ segment: SegmentID) -> Bool {
    guard !damaged.contains(segment) else { return false }
    damaged.append(segment)
    damaged.sort()
    return true
  }

  /// A node has answered.
  package mutating func received(
    _ answer: BatchesAnswer, from peer: NodeID, at now: Int64
  ) -> Order? {
    guard case .asking(let finding) = state, asked?.peer == peer,
      finding.missing?.first == answer.first
    else { return nil }
    asked = nil
    // What does not fit is not asked of the same node again.
    refused.insert(peer)
    guard answer.problem == nil else { return ask(finding, at: now) }
    state = .working(.segment(finding.segment))
    return .mend(answer.batches)
  }

  private mutating func check(_ target: ScrubTarget) -> Order {
    state = .working(target)
    return .check(target)
  }

  private mutating func go(on finding: ScrubFinding, at now: Int64) {
    asked = nil
    guard finding.missing == nil else {
      state = .asking(finding)
      return
    }
    if let place = damaged.firstIndex(of: finding.segment) {
      damaged.remove(at: place)
      mendedCount += 1
      notes.append(.mended(finding.segment))
    }
    state = .resting
  }

  private mutating func ask(_ finding: ScrubFinding, at now: Int64) -> Order? {
    guard let missing = finding.missing else { preconditionFailure("nothing is missing") }
    guard let peer = connected.first(where: { !refused.contains($0) }) else {
      notes.append(.noCopy(missing.first, finding.segment))
      retry(finding.segment, at: now)
      state = .resting
      asked = nil
      return nil
    }
    // The next one is asked first the next time.
    connected.removeAll { $0 == peer }
    connected.append(peer)
    asked = (peer, now)
    return .ask(missing, peer)
  }

  private mutating func retry(_ segment: SegmentID, at now: Int64) {
    suspects.removeAll { $0.segment == segment }
    suspects.append(
      Suspect(
        segment: segment, due: now + wait, tried: now,
        wait: min(2 * wait, Self.retryNanosecondsMax)))
  }
}

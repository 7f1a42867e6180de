package import Bytes
package import Replica
import SegmentLog
import Raft

/// When a node takes a snapshot: pure, asked after each sealed segment.
///
/// A new one is due when a restart would have to replay at least ``eventsMin`` events, and at least
/// an eighth of what is in the last one: so that writing the ledger again and again costs at most
/// eight times the ledger's own growth, however large it is.
package struct SnapshotSchedule: Hashable, Sendable {
  /// A new snapshot holds at least one part in so many that the last one did not.
  package static let growthDivisor: UInt64 = 8
  /// At a graceful stop a snapshot is worth its time from this part of ``eventsMin`` on.
  package static let stopDivisor: UInt64 = 10

  /// Fewest events between two snapshots; 0: there are none.
  package let eventsMin: UInt64
  /// The last event in the newest snapshot.
  private var lastSequence: EventSequence
  /// Whether one is being made.
  private var isBuilding = false

  /// A schedule that goes on from the snapshot after `lastSequence`; zero where there is none.
  package init(eventsMin: UInt64, lastSequence: EventSequence) {
    self.eventsMin = eventsMin
    self.lastSequence = lastSequence
  }

  /// A segment has been sealed and is durable. The order for a snapshot, if one is due.
  package mutating func sealed(_ seal: SegmentSeal) -> SnapshotOrder? {
    let events = seal.lastSequence.rawValue - min(lastSequence, seal.lastSequence).rawValue
    guard eventsMin > 0, !isBuilding, events >= eventsMin,
      events >= lastSequence.rawValue / Self.growthDivisor
    else { return nil }
    isBuilding = true
    return SnapshotOrder(through: seal.last.index, ledgerDigest: seal.evidence.ledgerAfter)
  }

  /// The node stops with the ledger after `last`. The order for a snapshot, if it saves the next
  /// start enough.
  package mutating func stopping(
    through last: LogIndex, _ sequence: EventSequence, ledgerDigest: Digest256
  ) -> SnapshotOrder? {
    let events = sequence.rawValue - min(lastSequence, sequence).rawValue
    guard eventsMin > 0, !isBuilding, last > .zero, events > 0,
      events >= eventsMin / Self.stopDivisor
    else { return nil }
    isBuilding = true
    return SnapshotOrder(through: last, ledgerDigest: ledgerDigest)
  }

  /// An order has been carried out, or could not be: then the next sealed segment asks again.
  package mutating func built(_ written: WrittenSnapshot?) {
    isBuilding = false
    if let written { lastSequence = max(lastSequence, written.lastSequence) }
  }
}

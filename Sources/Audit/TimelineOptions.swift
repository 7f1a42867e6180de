package import Bytes

/// What a timeline is ordered by.
package enum TimelineOrder: String, Sendable, CaseIterable {
  /// Corrected time: what the nodes' clocks agree on.
  case corrected
  /// The hybrid logical clock: corrected time that also follows every message.
  case hlc
  /// Each node's own system clock, uncorrected.
  case raw
  /// The earliest that each can have been by its bound: what ``TimelineOptions/groupsUncertain`` needs.
  case earliest
  /// The order in which the events were applied.
  case log
}

/// In which form a report is written.
package enum ReportFormat: String, Sendable, CaseIterable {
  /// For people.
  case table
  /// For programs.
  case json
}

/// Which events a timeline shows, and how.
package struct TimelineOptions: Sendable {
  /// What it is ordered by; the times shown and compared are the same.
  package var order = TimelineOrder.corrected
  /// Table or JSON lines.
  package var format = ReportFormat.table
  /// No event before this time, nanoseconds since 1970.
  package var from = Int64.min
  /// No event at this time or later, nanoseconds since 1970.
  package var to = Int64.max
  /// Only payments from or to this account, UTF-8.
  package var account: [UInt8]?
  /// Only events that this node took in.
  package var node: NodeID?
  /// Most events shown.
  package var limit = Int.max
  /// How far from log order an event may be placed by its time, nanoseconds. What is farther is
  /// shown where it was met and marked as late.
  package var windowNanoseconds: Int64 = 10_000_000_000
  /// Clock reports, beacons and changes of members, leader and rules too.
  package var showsAll = false
  /// What the nodes' journals noted too: refused payments, elections, health, clock states; with
  /// ``showsAll`` also clock sources' answers and the marks of the log's progress. Not in the order of the log.
  package var showsJournals = false
  /// Number the groups of events that time cannot order: an event begins a new one when its interval
  /// begins after those of all before it have ended. Needs the order ``TimelineOrder/earliest``.
  package var groupsUncertain = false
  /// Also what is not certainly committed.
  package var showsUncommitted = true

  /// Every payment by corrected time, as a table.
  package init() {}

  /// Whether an event at that time is within what is asked for: all are where nothing is.
  func includes(_ time: Int64) -> Bool { time >= from && (time < to || to == .max) }
}

/// What a timeline run came to.
package struct TimelineSummary: Hashable, Sendable {
  /// Events shown.
  package var shownCount: UInt64 = 0
  /// Events shown after one with a higher sequence.
  package var outOfLogOrderCount: UInt64 = 0
  /// Events too late for their place.
  package var lateCount: UInt64 = 0
  /// Events shown that are not certainly committed.
  package var uncommittedCount: UInt64 = 0
  /// Most events held at once.
  package var heldCountMax = 0
  /// Groups of events that time cannot order, and the events of the largest.
  package var groupCount: UInt64 = 0
  /// Events of the largest group.
  package var groupEventCountMax: UInt64 = 0
  /// Ingress nodes met.
  package var nodeCount = 0
  /// Events from journals.
  package var journalCount: UInt64 = 0

  /// Nothing shown.
  package init() {}
}

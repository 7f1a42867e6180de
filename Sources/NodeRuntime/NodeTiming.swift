/// The cadence of a node's own duties, in ticks.
package struct NodeTiming: Hashable, Sendable {
  /// Length of a tick, nanoseconds.
  package var tickNanoseconds: Int64 = 10_000_000
  /// Most ticks that are made up for at once: enough to end every lease and to depose every leader.
  package var ticksAtOnceMax = 1000
  /// Between two estimates of the clock.
  package var clockPollTicks = 10
  /// Between two looks at the peers' health.
  package var healthTicks = 10
  /// Between two clock reports of this node in the log, at most: while nothing changes.
  package var clockReportTicks = 1000
  /// A node that has stamped nothing for so long sends a beacon, while others' payments go on.
  package var beaconTicks = 100
  /// After a change of the clock's state, a report is logged no sooner than this after the last.
  package var clockReportTicksMin = 100

  /// The defaults, for a tick of 10 ms.
  package init() {}
}

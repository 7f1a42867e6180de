/// How much happened in one world or in many.
package struct SimulationStatistics: Sendable {
  /// Virtual time, nanoseconds.
  package var virtualNanoseconds: Int64 = 0
  /// Events of all kinds.
  package var eventCount = 0
  /// Peer messages sent.
  package var messageCount = 0
  /// Clients' payments.
  package var operationCount = 0
  /// Payments that were answered as applied or duplicate.
  package var acknowledgedCount = 0
  /// Look-ups by id.
  package var lookupCount = 0
  /// Linearizable reads that were granted.
  package var readCount = 0
  /// Requests of operators that were carried out.
  package var operatorCount = 0
  /// Batches committed.
  package var committedBatches = 0
  /// Elections won.
  package var electionCount = 0
  /// Segments that ended.
  package var segmentCount = 0
  /// Readings whose bound was compared with true time.
  package var boundChecks = 0
  /// Reads from segments for followers that were behind.
  package var catchUpReads = 0
  /// Checkpoints that a majority has signed, as each node knows of them.
  package var checkpointCount = 0
  /// Ledger snapshots written.
  package var snapshotCount = 0
  /// Starts that went on from a snapshot.
  package var snapshotStarts = 0
  /// Snapshots that were passed over at a start or at the making of the next one.
  package var snapshotsPassedOver = 0
  /// Sealed segments that running nodes have mended.
  package var scrubbedSegments = 0
  /// Configurations committed that differ from the one before.
  package var memberChangeCount = 0
  /// Nodes that began under a new number.
  package var newNodeCount = 0
  /// Connections refused for the number of a data directory.
  package var storesRefused = 0
  /// Processes started, the first of each host included.
  package var startCount = 0
  /// Starts that failed for a disk error and were tried again.
  package var failedStarts = 0
  /// Damaged batches that only later ones vouched for.
  package var unvouchedDamageCount = 0
  /// Damaged logs that were mended with other nodes' batches, or begun to be.
  package var repairCount = 0
  /// Hosts that damage kept down for good.
  package var lostHosts = 0
  /// Disk operations that a fault made fail.
  package var diskFaultHits = 0
  /// Faults by kind, in the order of ``FaultKind/allCases``.
  package var faults = [Int](repeating: 0, count: FaultKind.allCases.count)
  /// From the end of the faults until the cluster was at rest, nanoseconds; the longest.
  package var settledAfterMax: Int64 = 0

  /// Nothing happened.
  package init() {}

  /// Counts a fault.
  mutating func count(_ kind: FaultKind) {
    if let place = FaultKind.allCases.firstIndex(of: kind) { faults[place] += 1 }
  }

  /// Counts another world's in.
  package mutating func add(_ other: SimulationStatistics) {
    virtualNanoseconds += other.virtualNanoseconds
    eventCount += other.eventCount
    messageCount += other.messageCount
    operationCount += other.operationCount
    acknowledgedCount += other.acknowledgedCount
    lookupCount += other.lookupCount
    readCount += other.readCount
    operatorCount += other.operatorCount
    committedBatches += other.committedBatches
    electionCount += other.electionCount
    segmentCount += other.segmentCount
    boundChecks += other.boundChecks
    catchUpReads += other.catchUpReads
    checkpointCount += other.checkpointCount
    snapshotCount += other.snapshotCount
    snapshotStarts += other.snapshotStarts
    snapshotsPassedOver += other.snapshotsPassedOver
    scrubbedSegments += other.scrubbedSegments
    startCount += other.startCount
    memberChangeCount += other.memberChangeCount
    newNodeCount += other.newNodeCount
    storesRefused += other.storesRefused
    unvouchedDamageCount += other.unvouchedDamageCount
    failedStarts += other.failedStarts
    lostHosts += other.lostHosts
    repairCount += other.repairCount
    diskFaultHits += other.diskFaultHits
    for place in faults.indices { faults[place] += other.faults[place] }
    settledAfterMax = max(settledAfterMax, other.settledAfterMax)
  }

  /// One line for each count.
  package var lines: [String] {
    let counts = zip(FaultKind.allCases, faults).filter { $0.1 > 0 }
      .map { "\($0.0.rawValue) \($0.1)" }.joined(separator: ", ")
    return [
      "virtual time \(virtualNanoseconds / Span.second) s, \(eventCount) events, "
        + "\(messageCount) messages, \(startCount) starts",
      "\(operationCount) payments, \(acknowledgedCount) acknowledged, \(lookupCount) look-ups, "
        + "\(readCount) linearizable reads, \(operatorCount) requests of operators, "
        + "\(committedBatches) batches, \(segmentCount) segments, \(electionCount) elections, "
        + "\(catchUpReads) catch-up reads",
      "\(boundChecks) bounds compared with true time; \(snapshotCount) snapshots, "
        + "\(snapshotStarts) starts from one, \(snapshotsPassedOver) passed over; "
        + "\(checkpointCount) signed checkpoints",
      "faults: \(counts.isEmpty ? "none" : counts); \(diskFaultHits) disk operations failed, "
        + "\(failedStarts) starts failed, \(repairCount) repairs, "
        + "\(scrubbedSegments) segments mended by running nodes, "
        + "\(lostHosts) hosts lost to damage, \(unvouchedDamageCount) newest batches damaged",
      "\(memberChangeCount) changes of members, \(newNodeCount) nodes under new numbers, "
        + "\(storesRefused) connections of nodes without their disks refused",
      "settled at most \(settledAfterMax / Span.millisecond) ms after the faults",
    ]
  }
}

/// What one world came to.
package struct SimulationResult: Sendable {
  /// What the seed decided.
  package let options: SimulationOptions
  /// The property that did not hold, if one did not.
  package let violation: Violation?
  /// The same for every run of these options.
  package let traceHash: UInt64
  /// The trace's lines, if they were kept.
  package let trace: [String]
  /// How much happened.
  package let statistics: SimulationStatistics
  /// After a violation, all files of all nodes: `node1/log/…`.
  package let files: [(path: String, bytes: [UInt8])]
}

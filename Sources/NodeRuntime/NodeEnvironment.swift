package import Bytes
package import ClockSync
package import Ledger
package import Raft
package import Replica
package import SegmentLog

/// The two clocks of a host at one instant.
package struct HostTime: Hashable, Sendable {
  /// The system clock, nanoseconds since 1970.
  package var rawNanoseconds: Int64
  /// A clock that only goes forward, nanoseconds since some start.
  package var monotonicNanoseconds: Int64

  /// Both clocks' values.
  package init(rawNanoseconds: Int64, monotonicNanoseconds: Int64) {
    self.rawNanoseconds = rawNanoseconds
    self.monotonicNanoseconds = monotonicNanoseconds
  }
}

/// What the kernel knows of the host's clock from the daemon that disciplines it (adjtimex(2)).
package struct KernelClock: Hashable, Sendable {
  /// A larger error is not used: the kernel lets it grow by 500 ppm since the daemon's last word, and one that
  /// lives keeps it below.
  package static let errorNanosecondsMax: Int64 = 100_000_000

  /// Both clocks when it was asked.
  package var time: HostTime
  /// The system clock is within ± this of true time, nanoseconds: the daemon's maximum error, grown by
  /// the kernel since, and what it has still to be slewed by.
  package var errorNanoseconds: Int64

  /// The kernel's word.
  package init(time: HostTime, errorNanoseconds: Int64) {
    self.time = time
    self.errorNanoseconds = errorNanoseconds
  }
}

/// Something a node tells its operator.
package enum NodeNote: Sendable {
  /// Consensus, storage or a peer.
  case replica(ReplicaNote)
  /// A peer's health changed.
  case peerHealth(NodeID, PeerHealth)
  /// The clock's status, reference or chosen sources changed.
  case clock(ClockSnapshot)
  /// Checkpoints and their signatures.
  case cosigning(CosigningNote)
  /// A clock source has answered: for the journal.
  case clockMeasured(ClockMeasurement)
  /// The log has gone on from where it was: for the journal.
  case logWentOn(ProgressMark, from: LogPosition)
}

/// What a node needs of the world: real in a server, simulated in a test of whole clusters.
///
/// All calls come from the one thread that drives the node, and return at once.
package protocol NodeEnvironment {
  /// Both clocks, now.
  func hostTime() -> HostTime
  /// Sends a message over the connection to the peer, or drops it where there is none. It leaves when the call that
  /// asked for it is over: no earlier than the marks of the log's progress that the call makes.
  func send(_ message: PeerMessage, to peer: NodeID)
  /// Appends to the storage queue. Reports come back through ``Node/stored(_:)``, in order.
  func store(_ work: [StorageWork])
  /// Reads the batches after `previous` from the segments and sends them, later.
  func readAndSend(_ request: AppendRequest, to peer: NodeID)
  /// Reads these batches from the segments, as many as a frame may carry, and sends them, later;
  /// where they cannot be read, ``Replica/BatchesProblem/lost``.
  func readAndSend(_ range: LogIndexRange, to peer: NodeID)
  /// A node has answered a request for batches that this one's scrub has made.
  func receive(_ answer: BatchesAnswer, from peer: NodeID)
  /// Answers clients.
  func settle(_ settlements: [PaymentSettlement])
  /// Lets clients read, or tells them that they cannot.
  func answerReads(_ answers: [ReadAnswer])
  /// Answers operators.
  func answerOperators(_ answers: [OperatorAnswer])
  /// Talk to these nodes, and to no others: the members have changed, or what is known of them, so
  /// that ``Node/admits(_:store:)`` may have another answer. This node may be among them.
  func setMembers(_ members: [ClusterMember])
  /// The corrected clock has new parameters, for whoever reads it on other threads.
  func publish(_ discipline: ClockDiscipline)
  /// Sends a request to a time server. Its answer comes back through
  /// ``Node/timeServerAnswered(_:datagram:at:)``.
  func askTimeServer(_ server: UInt16, datagram: [UInt8])
  /// What the kernel says of the host's clock now; nil where no daemon disciplines it.
  func kernelClock() -> KernelClock?
  /// A majority has signed a checkpoint; comes again for each node more that signs it.
  func signed(_ checkpoint: CosignedCheckpoint)
  /// A node signs with these keys, for good.
  func learned(_ keys: NodeKeys, of node: NodeID)
  /// Tells the operator.
  func note(_ note: NodeNote)
  /// A sealed segment is to be checked, and mended, before the node can apply anything more.
  func suspect(_ segment: SegmentID)
  /// Stops the process: going on would break a promise.
  func halt(_ reason: String)
}

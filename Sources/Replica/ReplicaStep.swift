package import Bytes
import Evidence
package import HybridTime
package import Ledger
package import Raft
package import SegmentLog

/// A payment that a client of this node sent, checked, with the clock's reading at its arrival.
package struct Submission: Sendable {
  /// The caller's own name for it; comes back in the ``PaymentSettlement``.
  package var token: UInt64
  /// What is to be paid.
  package var draft: PaymentDraft
  /// The node's clock when the request was read.
  package var reading: ClockReading

  /// A submission from its parts.
  package init(token: UInt64, draft: PaymentDraft, reading: ClockReading) {
    self.token = token
    self.draft = draft
    self.reading = reading
  }
}

/// What can happen to a replica.
package enum ReplicaInput: Sendable {
  /// One tick of time has passed.
  case tick
  /// Clients of this node want to pay.
  case submit([Submission])
  /// A client of this node wants to read what is true now: answered by
  /// ``ReplicaEffect/answerRead(_:)``.
  case read(token: UInt64)
  /// An operator wants something: answered by ``ReplicaEffect/answerOperator(_:)``.
  case administer(OperatorRequest, token: UInt64)
  /// This node's clock report, to go into the log.
  case report(driftPartsPerBillion: Int64, sources: [ClockSourceReport])
  /// Nothing has been stamped here for a while, and others go on: a beacon is due.
  case beacon
  /// A peer said something. Batches in it have been verified.
  case receive(PeerMessage, from: NodeID)
  /// Every storage command up to the one that ended with this entry is durable.
  case persisted(EntryID)
  /// A connection to the peer is up, again. `store`: the number of its data directory, 0: unknown.
  case peerConnected(NodeID, store: UInt64)
  /// The connection to the peer broke: what was sent may be lost.
  case peerLost(NodeID)
  /// This node's disk is short of room, or no longer is: while it is, no payments are taken.
  case diskRoom(isShort: Bool)
  /// Hand leadership to somebody and take no more payments: the node is about to stop.
  case drain
}

/// What a storage command changes. Commands are carried out in the order they were given.
package enum StorageCommand: Sendable {
  /// Write term and vote, up to where the log is durable and committed for good, and whether the
  /// log may lack batches that this node acknowledged.
  case hardState(Raft.HardState, commit: LogIndex, isTailSuspect: Bool)
  /// Remove the batch at this index and all after it.
  case truncate(from: LogIndex)
  /// Write batches at the end of the log.
  case append([Batch])
  /// From now on, remember where batches lie at least every so many bytes of file.
  case indexInterval(byteCount: Int)
  /// Write the footer of the segment that starts at this index.
  case seal(SegmentSeal)
}

/// What the footer of a segment says beside its batches.
package struct SegmentSeal: Hashable, Sendable {
  /// The segment's first index.
  package var segment: LogIndex
  /// The segment's last batch.
  package var last: EntryID
  /// The last event up to and including that batch.
  package var lastSequence: EventSequence
  /// The ledger's running digests at both ends, and what the segment adds to the tree.
  package var evidence: SegmentEvidence
  /// What the segment's records can be found by; nil where they must be read again for it.
  package var keys: LookupKeys?

  /// What the nodes sign at the segment's end; `hash` is its last batch's chain hash.
  func checkpoint(of cluster: ClusterID, hash: Digest256) -> LogCheckpoint {
    LogCheckpoint(
      cluster: cluster, index: last.index, hash: hash, lastSequence: lastSequence,
      root: evidence.tree.after.root, ledgerDigest: evidence.ledgerAfter)
  }

  /// A seal from its parts.
  package init(
    segment: LogIndex, last: EntryID, lastSequence: EventSequence, evidence: SegmentEvidence,
    keys: LookupKeys? = nil
  ) {
    self.keys = keys
    self.segment = segment
    self.last = last
    self.lastSequence = lastSequence
    self.evidence = evidence
  }
}

/// Why a payment was not taken in, or not settled in time. Nothing was applied, but for `inDoubt`.
package enum PaymentRefusal: Hashable, Sendable {
  /// No leader is known: there is no majority, or an election is under way.
  case noLeader
  /// Too many payments wait for their answer here.
  case overloaded
  /// It was not settled in time, and may be yet: ask by id, or send the same id again.
  case inDoubt
  /// The clocks of this node and of the cluster are too far apart to stamp it.
  case clockAhead
  /// This node's clock is not fit to stamp it, and the cluster's policy refuses such payments.
  case clockUnfit
  /// The disk of this node, or of the leader, is short of room.
  case diskFull
  /// The node is stopping.
  case stopping
  /// The same id is being paid, or was, with other contents.
  case idReused
}

/// What became of a submitted payment.
package enum PaymentResult: Sendable {
  /// It took effect, now.
  case applied(sequence: EventSequence, index: LogIndex, stamp: Stamp)
  /// The same payment took effect before, at that sequence.
  case duplicate(of: EventSequence)
  /// The ledger rejected it.
  case rejected(OutcomeCode, sequence: EventSequence)
  /// It was not logged, or not settled in time.
  case refused(PaymentRefusal)
}

/// The answer to one ``Submission``.
package struct PaymentSettlement: Sendable {
  /// The submission's token.
  package var token: UInt64
  /// What became of it.
  package var result: PaymentResult
}

/// Something worth a line in the node's log.
package enum ReplicaNote: Hashable, Sendable {
  /// The role, the term or the known leader changed.
  case roleChanged(RaftRole, term: Term, leader: NodeID?)
  /// A real conflict: entries from here on were replaced by the leader's.
  case truncated(from: LogIndex)
  /// A peer's events or batches could not be taken.
  case peerRefused(NodeID, reason: String)
  /// Leadership transfer ended.
  case transferEnded(succeeded: Bool)
  /// Other nodes take part from here on.
  case membersChanged(Membership, at: LogIndex)
  /// This node is no member any more.
  case removed
  /// The peer knows another data directory under this node's number, and does not talk to this one.
  case storeRefused(by: NodeID)
  /// A peer's ledger is not this node's at that index.
  case ledgerDiffers(NodeID, at: LogIndex)
  /// A segment's last batch was applied.
  case segmentClosed(first: LogIndex, last: LogIndex)
}

/// What the runtime must do, in this order.
package enum ReplicaEffect: Sendable {
  /// Carry out on stable storage, after all earlier ones.
  case store(StorageCommand)
  /// Send now.
  case send(PeerMessage, to: NodeID)
  /// Send when every storage command given before is durable.
  case sendAfterStore(PeerMessage, to: NodeID)
  /// Read the batches after `previous` from the segments, as many as one frame may carry of
  /// those named, and send them: the follower is behind what memory holds.
  case readAndSend(AppendRequest, to: NodeID)
  /// Answer a client.
  case settle(PaymentSettlement)
  /// Let a client read, or tell it that it cannot.
  case answerRead(ReadAnswer)
  /// Answer an operator.
  case answerOperator(OperatorAnswer)
  /// Talk to these nodes, and no others but this one: the members have changed.
  case membersChanged([ClusterMember])
  /// This node's log has come to a place at which the nodes sign it. `endsSegment`: the last batch of a
  /// segment.
  case checkpoint(LogCheckpoint, endsSegment: Bool)
  /// Log a line.
  case note(ReplicaNote)
  /// The segment that begins at this index is not what was written: nothing more is applied before it
  /// has been mended. Comes again as long as it is so.
  case suspect(LogIndex)
  /// Stop the process: going on would break a promise.
  case halt(reason: String)
}

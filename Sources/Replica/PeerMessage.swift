package import Bytes
package import ClockSync
package import HybridTime
package import Raft
package import SegmentLog

/// What one node says to another over a connection on which both are known (``PeerHello``).
package enum PeerMessage: Sendable {
  /// A consensus message that carries no entries.
  case raft(RaftMessage)
  /// Entries, with the batches they stand for: one for each term in `request.entryTerms`.
  case append(AppendRequest, batches: [Batch])
  /// Events for the leader's log, taken in by the sender.
  case forward(ForwardedEvents)
  /// The leader will not log these: the sender must answer its clients.
  case forwardRefused(ForwardRefusal)
  /// An operator's request, passed on by the node that was asked, which calls it `context`.
  case operatorRequest(context: UInt64, OperatorRequest)
  /// The leader's answer to it.
  case operatorResponse(context: UInt64, OperatorResult)
  /// The sender's ledger after it applied the batch at `index`.
  case digest(index: LogIndex, Digest256)
  /// "Under your number I know another data directory": the connection ends.
  case storeRefused
  /// A damaged node asks for batches.
  case batchesRequest(BatchesRequest)
  /// The answer to it.
  case batches(BatchesAnswer)
  /// What time is it? (clock synchronization)
  case clockRequest(nonce: UInt64)
  /// The answer to it.
  case clockResponse(PeerClockAnswer)
  /// The sender has signed its log.
  case checkpoint(SignedCheckpoint)
}

/// A node's signatures under its log, on their way to the others.
package struct SignedCheckpoint: Hashable, Sendable {
  /// Bytes of a public key.
  static let keyByteCount = 32
  /// Most bytes of the note.
  package static let noteByteCountMax = 4096

  /// The sender's Ed25519 public key.
  package let publicKey: [UInt8]
  /// The checkpoint, signed with that key (C2SP signed-note).
  package let note: String

  /// A message from its parts.
  ///
  /// Precondition: the key has 32 bytes, the note at most ``noteByteCountMax``.
  package init(publicKey: [UInt8], note: String) {
    precondition(publicKey.count == Self.keyByteCount, "an Ed25519 key")
    precondition(note.utf8.count <= Self.noteByteCountMax, "a note that can be sent")
    self.publicKey = publicKey
    self.note = note
  }
}

/// Encoded event records on their way to the leader.
package struct ForwardedEvents: Hashable, Sendable {
  /// How many records.
  package var count: Int
  /// The records, one after the other, as they will stand in the log.
  package var records: [UInt8]
  /// Whether some may have been sent before: the leader then looks for them in its ledger.
  package var mayRepeat: Bool

  /// Events from their parts.
  package init(count: Int, records: [UInt8], mayRepeat: Bool) {
    self.count = count
    self.records = records
    self.mayRepeat = mayRepeat
  }
}

/// Why a leader refused forwarded events.
package enum ForwardRefusalReason: UInt8, Sendable {
  /// The sender's hybrid time is further ahead of the leader's clock than the limit.
  case clockAhead = 1
  /// A record is not canonical: a fault of the sender.
  case malformed = 2
  /// The leader's disk is short of room.
  case diskFull = 3
}

/// Forwarded events that the leader will not log, by the range of their hybrid times.
package struct ForwardRefusal: Hashable, Sendable {
  /// The first refused event's hybrid time.
  package var first: HybridTimestamp
  /// The last refused event's hybrid time.
  package var last: HybridTimestamp
  /// Why.
  package var reason: ForwardRefusalReason

  /// A refusal from its parts.
  package init(first: HybridTimestamp, last: HybridTimestamp, reason: ForwardRefusalReason) {
    self.first = first
    self.last = last
    self.reason = reason
  }
}

/// The first frame each side sends: who it is, of which cluster, in which version of the protocol.
package struct PeerHello: Hashable, Sendable {
  /// The version of the frames that follow; sides of different versions do not talk.
  package static let protocolVersion: UInt16 = 3

  /// The cluster, as in the segments' file header.
  package var cluster: ClusterID
  /// The sender.
  package var node: NodeID
  /// The random number that its data directory was made with, 0: unknown.
  package var store: UInt64

  /// A hello from its parts.
  package init(cluster: ClusterID, node: NodeID, store: UInt64 = 0) {
    self.store = store
    self.cluster = cluster
    self.node = node
  }
}

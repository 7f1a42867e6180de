package import Bytes
package import HybridTime

/// A place in a log, and the hash of the batch there.
package struct LogPoint: Hashable, Sendable {
  /// The batch.
  package let index: LogIndex
  /// Its hash.
  package let hash: Digest256

  /// A point from its parts.
  package init(index: LogIndex, hash: Digest256) {
    self.index = index
    self.hash = hash
  }
}

/// How a log is opened.
package struct RecoveryOptions: Sendable {
  /// Highest index known to be durable and committed here (the hard state): up to it, nothing is
  /// ever torn.
  package var knownDurable: LogIndex
  /// Whether the log may begin after index 1, because its first segments were removed.
  package var mayBeginLater: Bool
  /// How many bytes to reserve for a new segment without growing its visible size, or 0.
  package var preallocateByteCount: UInt64
  /// Up to where a verified snapshot stands for the batches, or nil.
  ///
  /// Sealed segments that end there or before are opened by header and footer alone: the bytes of
  /// their batches are not verified, which is left to a scrub. No batch up to there is
  /// handed to the visitor, but for those that ``visitedFrom`` names, and nothing up to there is ever
  /// torn.
  package var trustedThrough: LogPoint?
  /// From where batches are handed to the visitor although a snapshot stands for them, where they are
  /// read at all: the start of the segment that it was taken in. Nil: none are.
  package var visitedFrom: LogIndex?
  /// How the records are read, where a segment's index must be made from its file.
  package var keys: RecordKeys

  /// Options, by default those of a log that has everything from index 1 on.
  package init(
    knownDurable: LogIndex = .zero, mayBeginLater: Bool = false, preallocateByteCount: UInt64 = 0,
    trustedThrough: LogPoint? = nil, visitedFrom: LogIndex? = nil, keys: RecordKeys = .none
  ) {
    self.visitedFrom = visitedFrom
    self.keys = keys
    self.trustedThrough = trustedThrough
    self.knownDurable = knownDurable
    self.mayBeginLater = mayBeginLater
    self.preallocateByteCount = preallocateByteCount
  }
}

/// Something torn that recovery cut off.
package struct RecoveryCut: Hashable, Sendable {
  /// What it was.
  package enum Kind: Hashable, Sendable {
    /// A batch, or more of them, at the end of the log.
    case batches
    /// A segment without a whole batch: the file was removed.
    case segment
    /// An unfinished footer of a segment that is to be sealed again.
    case footer
  }

  /// The segment.
  package let segment: SegmentID
  /// Where its file was cut.
  package let offset: UInt64
  /// How many bytes went.
  package let byteCount: UInt64
  /// What it was.
  package let kind: Kind
  /// What was wrong with it.
  package let reason: Damage
}

/// What opening a log found and did.
package struct RecoveryReport: Hashable, Sendable {
  /// How many segments there are.
  package internal(set) var segmentCount = 0
  /// How many of them are sealed.
  package internal(set) var sealedCount = 0
  /// How many of the sealed ones were opened by header and footer alone.
  package internal(set) var trustedCount = 0
  /// How many batches there are.
  package internal(set) var batchCount: UInt64 = 0
  /// How many events they hold.
  package internal(set) var eventCount: UInt64 = 0
  /// Length of the records, uncompressed.
  package internal(set) var recordsByteCount: UInt64 = 0
  /// Length of the files, up to their last batch.
  package internal(set) var fileByteCount: UInt64 = 0
  /// Largest commit index that a batch carries: a restart may apply up to it.
  package internal(set) var commit = LogIndex.zero
  /// Greatest hybrid time that a batch carries; zero while there is none.
  package internal(set) var hybridMax = HybridTimestamp.zero
  /// What was cut, in the order of the log.
  package internal(set) var cuts: [RecoveryCut] = []
}

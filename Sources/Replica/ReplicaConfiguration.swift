package import Ledger
package import Raft
package import SegmentLog

/// What one replica is told before it starts. Every limit has its name here.
package struct ReplicaConfiguration: Sendable {
  /// The cluster whose log this is.
  package var cluster: ClusterID
  /// Consensus: this node, the voters, timeouts in ticks.
  package var raft: RaftConfiguration
  /// The initial members with their addresses; empty on a node that is to be added to a cluster.
  package var members: [ClusterMember]
  /// The random number that this node's data directory was made with, 0: none.
  package var store: UInt64
  /// Most events in one batch.
  package var batchEventsMax: Int
  /// Most bytes of records in one batch. Invariant: at most the segment format's limit.
  package var batchByteCountMax: Int
  /// Most batches that the leader has proposed and not seen committed. More overlap disk and
  /// network, fewer make larger batches.
  package var batchesInFlightMax: Int
  /// Most batches that the leader has proposed and its own disk has not made durable: with a disk
  /// that hangs, a leader whose followers go on must not fill its memory.
  package var batchesUnsyncedMax: Int
  /// Most batches that wait to be proposed; events beyond are dropped, and sent again.
  package var openBatchesMax: Int
  /// A segment is closed before the batch that would make it longer than this, bytes.
  package var segmentByteCountMax: Int
  /// LZ4 level of new batches: 0 is fast mode, 3 and more high compression.
  package var compressionLevel: Int
  /// Most payments taken in here and not yet answered.
  package var pendingPaymentsMax: Int
  /// Most linearizable reads that wait here.
  package var pendingReadsMax: Int
  /// A read that cannot be confirmed within so many ticks is refused.
  package var readTicksMax: Int
  /// A payment not settled after this many ticks is answered as in doubt.
  package var answerTicksMax: Int
  /// A forwarded payment not settled after this many ticks is sent again.
  package var resendTicks: Int
  /// Between two reports of this node's ledger digest to the others.
  package var digestTicks: Int
  /// Between two notes in the hard state of how far the log is committed.
  package var recordCommitTicks: Int
  /// After so many ticks without a batch, a header vouches for the last commit.
  package var quietTicks: Int
  /// How far a hybrid time may be ahead of corrected time, nanoseconds.
  package var hybridAheadNanosecondsMax: Int64
  /// Applied batches are kept in memory for followers that lag up to this many bytes.
  package var cacheByteCountMax: Int
  /// Whether the keys for a segment's index are gathered while it is applied. Off: they are read from
  /// its file when it is sealed.
  package var collectsKeys = true
  /// Most events of a segment: what its index is made of is held in memory until it is sealed.
  package var segmentEventCountMax = SegmentFormat.segmentEventCountMax
  /// About how many transactions a ledger holds before it asks the log for older ones.
  package var heldTransactionsMax = LedgerState.heldCountDefault
  /// The log to ask; nil: the ledger holds all.
  package var past: (any PastTransactions)?
  /// The simulator's faults in the ledger; empty everywhere else.
  package var ledgerCanary: LedgerCanary = []

  /// A configuration with the defaults of <doc:Configuration> and a tick of 10 ms.
  package init(cluster: ClusterID, raft: RaftConfiguration) {
    self.cluster = cluster
    self.raft = raft
    store = 0
    members = raft.initial.members.map { ClusterMember(id: $0) }
    batchEventsMax = 8192
    batchByteCountMax = 1 << 20
    batchesInFlightMax = 2
    batchesUnsyncedMax = 256
    openBatchesMax = 64
    segmentByteCountMax = 64 << 20
    compressionLevel = 0
    pendingPaymentsMax = 20_000
    pendingReadsMax = 20_000
    readTicksMax = 300
    answerTicksMax = 500
    resendTicks = 100
    quietTicks = 25
    digestTicks = 100
    recordCommitTicks = 100
    hybridAheadNanosecondsMax = 500_000_000
    cacheByteCountMax = 32 << 20
  }
}

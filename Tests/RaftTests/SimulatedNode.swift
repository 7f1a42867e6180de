import Bytes
import Raft

/// An entry with the payload that only the caller of the core holds.
struct SimulatedEntry: Hashable {
  var term: Term
  var value: UInt64
  /// What the entry says about who takes part.
  var membership: Membership?
}

/// What waits for a node's disk, first in, first out.
enum DiskTask {
  case hardState(HardState)
  case truncate(from: Int)
  case write([SimulatedEntry], upTo: EntryID)
  case send(RaftMessage, to: NodeID)
}

/// One node: the core, what its memory holds, what its disk holds, and what is between them.
struct SimulatedNode {
  let id: NodeID
  /// Nil while it is down.
  var raft: RaftNode?
  /// The log in memory; lost in a crash.
  var entries: [SimulatedEntry] = []
  /// What a crash leaves.
  var diskHardState = HardState.initial
  var diskEntries: [SimulatedEntry] = []
  /// The lower of commit and durable, as last noted.
  var diskCommit = 0
  /// The term up to which the disk lost what the node had acknowledged.
  var diskDistrusted: Term?
  /// Ticks that the node slept through.
  var ticksOverdue = 0
  var disk: [DiskTask] = []
  var commit = 0
}

/// A message on its way.
struct Packet {
  var due: Int
  var from: NodeID
  var to: NodeID
  var message: RaftMessage
  /// The entries of an append request.
  var payload: [SimulatedEntry]
}

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

  /// What a start finds on the disk: the log's terms, and its configurations after the first, which
  /// is `initial` for the nodes that it names.
  func recovered(_ initial: Membership) -> (log: RaftLogTerms, memberships: MembershipLog) {
    var log = RaftLogTerms()
    var memberships = MembershipLog(initial: initial.members.contains(id) ? initial : .none)
    for entry in diskEntries {
      log.append(term: entry.term, count: 1)
      if let membership = entry.membership {
        memberships.append(MembershipEntry(index: log.last.index, membership: membership))
      }
    }
    return (log, memberships)
  }
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

extension RaftInput {
  /// An append with the configurations among its entries, as a receiver reads them.
  func naming(_ payload: [SimulatedEntry]) -> RaftInput {
    guard case .receive(.appendRequest(var request), let sender) = self else { return self }
    for (offset, entry) in payload.enumerated() {
      guard let membership = entry.membership else { continue }
      let index = LogIndex(request.previous.index.rawValue + UInt64(offset) + 1)
      request.memberships.append(MembershipEntry(index: index, membership: membership))
    }
    return .receive(.appendRequest(request), from: sender)
  }
}

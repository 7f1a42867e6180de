import Bytes
import Raft

/// Requests of operators on their way to an answer.
///
/// A node without the leadership sends its operators' requests to the leader and waits for the
/// answer; the leader writes the event and answers when it has applied it.
struct OperatorDesk {
  /// Who asked.
  enum Asker: Hashable {
    /// A client of this node.
    case here(token: UInt64)
    /// A client of another node, which knows the request by this number.
    case there(NodeID, context: UInt64)
  }

  /// What a request waits for.
  enum Stage: Hashable {
    /// The leader's answer, by this node's number of the request. `removing`: a member that the request takes out;
    /// where it is the leader, the answer may be lost with its connection.
    case leader(context: UInt64, removing: NodeID?)
    /// That this entry is applied.
    case entry(EntryID)
    /// That this entry is applied, and that the change of members that it began is over.
    case members(EntryID)
    /// That this entry is applied, and the leader handed over.
    case transfer(EntryID, to: NodeID?)
    /// That the leader has handed over.
    case handover(EntryID)
  }

  struct Waiting {
    let asker: Asker
    var stage: Stage
    let tick: Int
  }

  /// Most requests that wait.
  static let waitingMax = 64

  private(set) var waiting: [Waiting] = []
  private var contextNext: UInt64

  /// `firstContext` is random, as for ``LinearizableReads``.
  init(firstContext: UInt64) { contextNext = firstContext }

  var isFull: Bool { waiting.count >= Self.waitingMax }

  /// Whether a transfer of leadership is under way or about to begin.
  var isTransferring: Bool {
    waiting.contains { request in
      switch request.stage {
      case .transfer, .handover: true
      case .leader, .entry, .members: false
      }
    }
  }

  mutating func add(_ asker: Asker, _ stage: Stage, tick: Int) {
    waiting.append(Waiting(asker: asker, stage: stage, tick: tick))
  }

  /// A number for a request to the leader.
  mutating func nextContext() -> UInt64 {
    defer { contextNext &+= 1 }
    return contextNext
  }

  /// Takes out the requests of which `isOver` is true.
  mutating func take(where isOver: (Waiting) -> Bool) -> [Waiting] {
    let over = waiting.filter(isOver)
    if !over.isEmpty { waiting.removeAll(where: isOver) }
    return over
  }

  /// Moves the transfers whose entry is applied to their next stage, and names their targets.
  mutating func beginTransfers(applied: LogIndex) -> [NodeID?] {
    var targets: [NodeID?] = []
    for place in waiting.indices {
      guard case .transfer(let entry, let target) = waiting[place].stage, entry.index <= applied
      else { continue }
      waiting[place].stage = .handover(entry)
      targets.append(target)
    }
    return targets
  }
}

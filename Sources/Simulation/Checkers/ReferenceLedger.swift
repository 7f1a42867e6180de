package import Bytes
import Ledger
import Raft
import Replica
import SegmentLog

/// The ledger's digest after every committed batch, by one replay of the log from its start: what a
/// node must come to that has gone on from a snapshot, wherever it has.
package struct ReferenceLedger {
  /// Shared by copies, as tables are not copied: only one of them may be asked.
  private final class Replay {
    var state = AppliedState(ledger: LedgerState(seed: 1))
  }

  private let replay = Replay()
  /// After each batch, from index 1 on.
  private var digests: [Digest256] = []

  /// Nothing is replayed: that begins when it is first asked for.
  package init() {}

  /// A node has come to that ledger after the batch at `index`, which is committed.
  package mutating func check(
    _ node: NodeID, through index: LogIndex, ledger: Digest256, of committed: CommittedLog
  ) throws(Violation) {
    guard index > .zero else { return }
    while UInt64(digests.count) < index.rawValue {
      guard let batch = committed[LogIndex(UInt64(digests.count) + 1)] else {
        throw Violation("only what is committed is applied", "node \(node.rawValue)")
      }
      do throws(LedgerError) { _ = try replay.state.apply(batch) } catch {
        throw Violation("committed records can be applied", "\(error)")
      }
      digests.append(replay.state.ledger.digest)
    }
    guard digests[Int(index.rawValue) - 1] == ledger else {
      throw Violation(
        "a start gives the log's ledger",
        "node \(node.rawValue) has another one after batch \(index.rawValue)")
    }
  }
}

package import Bytes
import SegmentLog

/// What a node was told is durable is on its disk after any crash, unless the crash came into the
/// middle of a truncation that was asked for: the ground that votes and acknowledgements stand on.
package struct Durability {
  /// Hashes of the batches that the storage has reported, from index 1 on.
  private var stored: [Digest256] = []
  /// The lowest index from which work under way may already have cut.
  private var cutFrom = Int.max

  /// An empty disk.
  package init() {}

  /// How many batches the storage has reported.
  package var storedCount: Int { min(stored.count, cutFrom - 1) }

  /// Work begins that may cut from `index` on, before it is reported.
  package mutating func mayCut(from index: LogIndex) {
    cutFrom = min(cutFrom, Int(index.rawValue))
  }

  /// The node has mended its log, of which the hard state vouches for nothing from `index` on: what
  /// no other node had it may have given up there, but nothing that is committed.
  package mutating func mended(from index: LogIndex, _ committed: CommittedLog) {
    for place in Int(index.rawValue) - 1..<max(stored.count, Int(index.rawValue) - 1) {
      let agreed = committed[LogIndex(UInt64(place) + 1)]?.header.hash
      if agreed != stored[place] { return mayCut(from: LogIndex(UInt64(place) + 1)) }
    }
  }

  /// A truncation is reported.
  package mutating func cut(from index: LogIndex) {
    stored.removeLast(max(0, stored.count - Int(index.rawValue) + 1))
  }

  /// An append is reported.
  package mutating func append(_ hash: Digest256) { stored.append(hash) }

  /// All work under way has been reported.
  package mutating func settled() { cutFrom = .max }

  /// The node has started again with `found` on its disk.
  package mutating func recovered(_ node: NodeID, found: [Digest256]) throws(Violation) {
    let due = min(stored.count, cutFrom - 1)
    for place in 0..<due where place >= found.count || found[place] != stored[place] {
      throw Violation(
        "what is durable stays",
        "node \(node.rawValue) had stored \(stored.count) batches and finds \(found.count); the "
          + "first that is missing is \(place + 1)")
    }
    stored = found
    cutFrom = .max
  }
}

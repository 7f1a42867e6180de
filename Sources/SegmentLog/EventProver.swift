package import Bytes
import Evidence
import Synchronization

/// A record, and the proof that it is an event of a log.
package struct EventProof: Hashable, Sendable {
  /// The record with its length: the leaf.
  package let record: [UInt8]
  /// The audit path (RFC 6962 §2.1.1).
  package let path: [Digest256]
}

/// Makes proofs from a log beside its writer: the hashes of whole tiles from the sealed segments' footers,
/// the rest from the events.
///
/// HAZARD: the first call reads all footers and the events of the segment under way; others wait
/// meanwhile, on their threads.
package final class EventProver<FS: LogFileSystem>: Sendable {
  private struct Grown {
    var forest = MerkleForest()
    /// How far the forest has come, and what it lacks for its next tile.
    var edge = MerkleFrontier.empty
  }

  private let reader: LogReader<FS>
  private let grown = Mutex(Grown())

  /// A prover of the log that `reader` reads.
  package init(_ reader: LogReader<FS>) { self.reader = reader }

  /// The event with a sequence, and the proof that it is in the tree of the first `size` events.
  ///
  /// Precondition: `sequence` is one of them. Errors: damage, and an end of the log before `size`.
  package func inclusion(
    of sequence: EventSequence, size: UInt64
  ) throws(LogError) -> EventProof {
    let index = sequence.rawValue - 1
    let prover = try prover(size: size)
    return EventProof(
      record: try record(sequence), path: try prover.inclusion(of: index, size: size))
  }

  /// The proof that the tree of the first `oldSize` events is a prefix of that of the first `size`.
  ///
  /// Precondition: `oldSize` is not greater than `size`.
  package func consistency(
    from oldSize: UInt64, to size: UInt64
  ) throws(LogError) -> [Digest256] {
    try prover(size: size).consistency(from: oldSize, to: size)
  }

  /// The root of the tree over the first `size` events.
  package func root(size: UInt64) throws(LogError) -> Digest256 {
    try prover(size: size).root(size: size)
  }

  private func prover(size: UInt64) throws(LogError) -> MerkleProver<LogError> {
    let reader = reader
    let result = grown.withLock { grown -> Result<MerkleForest, LogError> in
      do throws(LogError) {
        try Self.grow(&grown, size: size, reader)
        return .success(grown.forest)
      } catch {
        return .failure(error)
      }
    }
    return MerkleProver(try result.get()) { range throws(LogError) in
      var leaves: [Digest256] = []
      try reader.forEachEvent(in: range) { leaf in leaves.append(MerkleHash.leaf(leaf)) }
      return leaves
    }
  }

  private func record(_ sequence: EventSequence) throws(LogError) -> [UInt8] {
    var record: [UInt8] = []
    let index = sequence.rawValue - 1
    try reader.forEachEvent(in: index..<index + 1) { leaf in
      record = leaf.withUnsafeBytes { [UInt8]($0) }
    }
    return record
  }

  /// Adds all whole tiles of the tree of `size` events.
  private static func grow(
    _ grown: inout Grown, size: UInt64, _ reader: LogReader<FS>
  ) throws(LogError) {
    let end = size / MerkleTile.leafCount * MerkleTile.leafCount
    while grown.edge.size < end {
      if let sealed = try reader.sealedTree(after: grown.edge) {
        for tile in sealed.tiles { grown.forest.append(tile) }
        grown.edge = sealed.after
        continue
      }
      let from = grown.edge.size
      // The next segment's footer may tell the rest.
      let segmentEnd = reader.positions.lastSequence(ofSegmentWith: EventSequence(from + 1))
      guard let segmentEnd else { throw .ended(before: EventSequence(from + 1)) }
      let to = min(end, segmentEnd.rawValue)
      try reader.forEachEvent(in: from..<to) { leaf in
        if let tile = grown.edge.append(MerkleHash.leaf(leaf)) { grown.forest.append(tile) }
      }
    }
  }
}

extension LogReader {
  /// Calls `body` with the leaves of the events of a range, whose first place is 0.
  ///
  /// Errors: damage, and ``LogError/ended(before:)`` where the log does not have all of them.
  func forEachEvent(
    in range: Range<UInt64>, _ body: (borrowing RawSpan) -> Void
  ) throws(LogError) {
    guard !range.isEmpty else { return }
    var next = range.lowerBound
    try visit(EventSequence(next + 1)...EventSequence(range.upperBound)) { batch in
      let records = batch.records
      let span = records.span.bytes
      var offset = 0
      var place = batch.header.firstSequence.rawValue - 1
      while next < range.upperBound, let leaf = EventLeaf.range(at: offset, in: span) {
        if place == next {
          body(span.extracting(leaf))
          next += 1
        }
        place += 1
        offset = leaf.upperBound
      }
      return next < range.upperBound
    }
    guard next == range.upperBound else { throw .ended(before: EventSequence(next + 1)) }
  }

  /// What a sealed segment adds to a tree that ends before its first event, by its footer; nil where no
  /// segment begins there, or it has no whole footer, or another tree goes before it.
  func sealedTree(after edge: MerkleFrontier) throws(LogError) -> SegmentTree? {
    guard let place = positions.segment(beginningWith: EventSequence(edge.size + 1)) else {
      return nil
    }
    let file = try file(of: place)
    let tree = try files { () throws(FileError) in try FooterInFile(file)?.footer.evidence.tree }
    return tree?.before == edge ? tree : nil
  }
}

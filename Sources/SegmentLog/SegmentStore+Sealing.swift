package import Bytes
import Evidence

extension SegmentStore {
  /// Writes the footer of a segment that has a successor, and makes it durable. Doing it again
  /// with the same evidence does nothing.
  ///
  /// `keys` are those of all its records; nil: they are read from its file, which takes its time.
  /// The first batch of the successor must be committed: a sealed segment is never written again,
  /// and another leader could otherwise have it grow.
  package mutating func seal(
    segment firstIndex: LogIndex, _ evidence: SegmentEvidence, keys: LookupKeys? = nil
  ) throws(LogError) {
    let place = try placeToSeal(firstIndex)
    if let seal = segments[place].seal {
      guard seal == evidence else { throw .sealMismatch(segments[place].id) }
      return
    }
    guard evidence.isOf(segments[place].summary) else { throw .notSealable(segments[place].id) }
    let summary = segments[place].summary
    if let keys {
      try finish(place, evidence, SegmentIndex(keys, of: summary))
    } else {
      try finish(place, evidence, index(at: place))
    }
  }

  /// As ``seal(segment:_:)`` where only the ledger's digests are known: the tree is made again from
  /// the records, and from those of the segments before that are not sealed. Reads all of them.
  package mutating func seal(
    segment firstIndex: LogIndex, ledgerBefore: Digest256, ledgerAfter: Digest256
  ) throws(LogError) {
    let tree = try tree(at: try placeToSeal(firstIndex))
    try seal(
      segment: firstIndex,
      SegmentEvidence(ledgerBefore: ledgerBefore, ledgerAfter: ledgerAfter, tree: tree))
  }

  private func placeToSeal(_ firstIndex: LogIndex) throws(LogError) -> Int {
    try requireUsable()
    let id = SegmentID(firstIndex)
    guard let place = segments.firstIndex(where: { $0.id == id }), place < segments.count - 1
    else { throw .notSealable(id) }
    return place
  }

  private mutating func finish(
    _ place: Int, _ evidence: SegmentEvidence, _ index: SegmentIndex
  ) throws(LogError) {
    do {
      // The successor's entry must not be lost while the footer is kept.
      try syncWritten()
      try writeFooter(at: place, evidence, index)
    } catch {
      hasFailed = true
      throw error
    }
  }

  private mutating func writeFooter(
    at place: Int, _ evidence: SegmentEvidence, _ index: SegmentIndex
  ) throws(LogError) {
    let summary = segments[place].summary
    let (fileSystem, path) = (fileSystem, path(summary.id))
    let bytes = SegmentFooter(summary, evidence, index).encoded(index)
    try files { () throws(FileError) in
      let file = try fileSystem.open(path, .update)
      try file.write(bytes.span.bytes, at: summary.byteCount)
      // Also gives back what was reserved beyond the end.
      try file.truncate(to: summary.byteCount + UInt64(bytes.count))
      try file.sync()
    }
    segments[place].seal = evidence
    segments[place].summary.sparseIndex = []
    positions.sealed(summary.id)
  }

  /// A segment's index, by its records.
  private func index(at place: Int) throws(LogError) -> SegmentIndex {
    let segment = segments[place]
    var keys = SegmentKeys(segment.summary.header, self.keys)
    _ = try walk(segment, through: segment.summary.lastIndex, lastTerm: .zero, reading: .verified) {
      header, walker in
      walker.withRecords { keys.append($0, of: header) }
    }
    return keys.index(through: segment.summary.lastSequence)
  }

  /// What a segment adds to the tree, by its records.
  private func tree(at place: Int) throws(LogError) -> SegmentTree {
    if let seal = segments[place].seal { return seal.tree }
    let segment = segments[place]
    var tree = EventTree()
    if place > 0 {
      tree = EventTree(try self.tree(at: place - 1).after)
    } else if segment.summary.header.firstSequence != EventSequence(1) {
      throw .notSealable(segment.id)
    }
    _ = try walk(segment, through: segment.summary.lastIndex, lastTerm: .zero, reading: .verified) {
      header, walker in
      walker.withRecords { tree.append($0, count: Int(header.count)) }
    }
    return tree.segment
  }
}

package import Bytes
import Evidence

extension SegmentStore {
  /// Writes the footer of a segment that has a successor, and makes it durable. Doing it again
  /// with the same evidence does nothing.
  ///
  /// The first batch of the successor must be committed: a sealed segment is never written again,
  /// and another leader could otherwise have it grow.
  package mutating func seal(
    segment firstIndex: LogIndex, _ evidence: SegmentEvidence
  ) throws(LogError) {
    let place = try placeToSeal(firstIndex)
    if let seal = segments[place].seal {
      guard seal == evidence else { throw .sealMismatch(segments[place].id) }
      return
    }
    guard evidence.isOf(segments[place].summary) else { throw .notSealable(segments[place].id) }
    try finish(place, evidence)
  }

  /// As ``seal(segment:_:)`` where only the ledger's digests are known: the tree is made again from
  /// the records, and from those of the segments before that are not sealed. Reads all of them.
  package mutating func seal(
    segment firstIndex: LogIndex, ledgerBefore: Digest256, ledgerAfter: Digest256
  ) throws(LogError) {
    let place = try placeToSeal(firstIndex)
    if let seal = segments[place].seal {
      guard seal.ledgerBefore == ledgerBefore, seal.ledgerAfter == ledgerAfter else {
        throw .sealMismatch(segments[place].id)
      }
      return
    }
    let evidence = SegmentEvidence(
      ledgerBefore: ledgerBefore, ledgerAfter: ledgerAfter, tree: try tree(at: place))
    try finish(place, evidence)
  }

  private func placeToSeal(_ firstIndex: LogIndex) throws(LogError) -> Int {
    try requireUsable()
    let id = SegmentID(firstIndex)
    guard let place = segments.firstIndex(where: { $0.id == id }), place < segments.count - 1
    else { throw .notSealable(id) }
    return place
  }

  private mutating func finish(_ place: Int, _ evidence: SegmentEvidence) throws(LogError) {
    do {
      // The successor's entry must not be lost while the footer is kept.
      try syncWritten()
      try writeFooter(at: place, evidence)
    } catch {
      hasFailed = true
      throw error
    }
  }

  private mutating func writeFooter(
    at place: Int, _ evidence: SegmentEvidence
  ) throws(LogError) {
    let summary = segments[place].summary
    let (fileSystem, path) = (fileSystem, path(summary.id))
    let bytes = SegmentFooter(summary, evidence).encoded
    try files { () throws(FileError) in
      let file = try fileSystem.open(path, .update)
      try file.write(bytes.span.bytes, at: summary.byteCount)
      // Also gives back what was reserved beyond the end.
      try file.truncate(to: summary.byteCount + UInt64(bytes.count))
      try file.sync()
    }
    segments[place].seal = evidence
    segments[place].summary.sparseIndex = []
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
    let (fileSystem, path) = (fileSystem, path(segment.id))
    let bytes = try files { () throws(FileError) in try fileSystem.map(path) }
    defer { withExtendedLifetime(bytes) {} }
    var walker = SegmentWalker(
      after: SegmentSummary(header: segment.summary.header, lastTerm: .zero))
    while walker.summary.lastIndex < segment.summary.lastIndex {
      do throws(SegmentFault) {
        guard case .batch(let header, _) = try walker.next(in: bytes.pointer.bytes) else { break }
        let isWhole = walker.withRecords { tree.append($0, count: Int(header.count)) }
        guard isWhole else {
          throw SegmentFault(
            offset: walker.offset, index: header.index, reason: .footerMismatch)
        }
      } catch {
        throw .damaged(
          segment: segment.id, offset: UInt64(error.offset), index: error.index,
          reason: error.reason, proof: .wholeFrame)
      }
    }
    return tree.segment
  }
}

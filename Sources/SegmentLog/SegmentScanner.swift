package import Bytes

/// Opens a log's segments for reading only: a live log's, or a copy's. Takes no lock and leaves no
/// trace.
package struct SegmentScanner<FS: LogFileSystem>: Sendable {
  private let fileSystem: FS
  private let directory: String

  /// A scanner of the log in `directory`.
  package init(_ fileSystem: FS, directory: String) {
    self.fileSystem = fileSystem
    self.directory = directory
  }

  /// The segments that there are now, in order.
  package func segments() throws(LogError) -> [SegmentID] {
    let (fileSystem, directory) = (fileSystem, directory)
    return try files { () throws(FileError) in
      try fileSystem.list(directory).compactMap { SegmentID(fileName: $0) }.sorted()
    }
  }

  /// Opens a segment; `successor` is the one after it in the list, if any.
  ///
  /// A sealed segment is mapped, for no one ever cuts it; a live one is read. Nil where the last
  /// file does not have its header yet. Errors: damage in the header, files.
  package func open(
    _ id: SegmentID, successor: SegmentID?
  ) throws(LogError) -> ScannedSegment? {
    try open(id, named: id.fileName, successor: successor)
  }

  /// As ``open(_:successor:)``, of a file that does not have its name yet.
  func open(
    _ id: SegmentID, named name: String, successor: SegmentID?
  ) throws(LogError) -> ScannedSegment? {
    let (fileSystem, path) = (fileSystem, directory + "/" + name)
    let file = try files { () throws(FileError) in try fileSystem.open(path, .read) }
    let size = try files { () throws(FileError) in try file.size() }
    let tail = try files { () throws(FileError) in
      try file.read(at: size - min(size, 4), count: 4)
    }
    let looksSealed = tail.count == 4 && tail.span.bytes.littleEndian(at: 0) == FrameTag.trailer
    let bytes = try files { () throws(FileError) in
      if looksSealed { return try fileSystem.map(path) }
      return try MappedBytes(byteCount: Int(size)) { buffer throws(FileError) in
        try file.read(at: 0, into: buffer)
      }
    }
    defer { withExtendedLifetime(bytes) {} }
    let footer = looksSealed ? SegmentFooter.find(in: bytes.pointer.bytes)?.footer : nil
    let header: SegmentHeader
    do throws(Damage) {
      header = try SegmentHeader.decode(bytes.pointer.bytes)
      guard header.firstIndex == id.firstIndex else {
        throw .misnamed(found: header.firstIndex)
      }
    } catch {
      let judge = FaultJudge(
        segment: id, successor: successor, knownDurable: .zero, isSealed: footer != nil)
      try judge.requireTorn(
        SegmentFault(offset: 0, index: id.firstIndex, reason: error), after: nil,
        in: bytes.pointer.bytes)
      return nil
    }
    return ScannedSegment(
      id: id, successor: successor, header: header, footer: footer, bytes: bytes)
  }
}

/// A segment in memory, as it was when it was opened.
package final class ScannedSegment: Sendable {
  /// Which segment.
  package let id: SegmentID
  /// The next segment, if there is one.
  package let successor: SegmentID?
  /// The file header, verified.
  package let header: SegmentHeader
  /// The footer where the segment is sealed; compared with the batches by ``SegmentIterator``.
  package let footer: SegmentFooter?
  /// The file's bytes.
  package let bytes: MappedBytes

  init(
    id: SegmentID, successor: SegmentID?, header: SegmentHeader, footer: SegmentFooter?,
    bytes: MappedBytes
  ) {
    self.id = id
    self.successor = successor
    self.header = header
    self.footer = footer
    self.bytes = bytes
  }
}

extension ScannedSegment {
  /// The index in the footer; nil where there is no footer.
  package var index: SegmentIndex? {
    guard let footer else { return nil }
    let pointer = bytes.pointer
    defer { withExtendedLifetime(bytes) {} }
    guard
      let byteCount = SegmentFooter.announcedByteCount(
        pointer.bytes, fileByteCount: UInt64(pointer.count))
    else { return nil }
    let frame = UnsafeRawBufferPointer(rebasing: pointer[(pointer.count - byteCount)...])
    return FooterCuts(frame.bytes, byteCount: byteCount).map { cuts in
      SegmentIndex(
        ids: IndexSection(footer.ids, body: Array(frame[cuts.ids])),
        names: IndexSection(footer.names, body: Array(frame[cuts.names])))
    }
  }
}

/// How a segment ended.
package enum SegmentTail: Hashable, Sendable {
  /// With a footer that tells of exactly its batches.
  case sealed(SegmentFooter)
  /// With a whole batch.
  case whole
  /// With bytes that are no whole batch or footer: torn by a crash, or being written just now.
  case torn(offset: UInt64, byteCount: UInt64, reason: Damage)
}

/// Goes through the batches of a segment and verifies every byte: headers, records, chain, footer.
///
/// Allocates nothing for a batch once `records` has grown.
package struct SegmentIterator: ~Copyable {
  /// The segment.
  package let segment: ScannedSegment
  private var walker: SegmentWalker
  /// How the segment ended; nil until ``next(into:)`` has returned nil.
  package private(set) var tail: SegmentTail?

  /// An iterator over all batches, or over those after `summary`, which an earlier iterator over
  /// the same segment ended with. `lastTerm` is the term before the segment, where it is known.
  /// `isVerified`: this process has verified the segment's records before, and does not hash them again.
  package init(
    _ segment: ScannedSegment, after summary: SegmentSummary? = nil, lastTerm: Term = .zero,
    isVerified: Bool = false
  ) {
    self.segment = segment
    walker = SegmentWalker(
      after: summary ?? SegmentSummary(header: segment.header, lastTerm: lastTerm),
      reading: isVerified ? .decoded : .verified)
  }

  /// What the batches so far add up to; a later iterator can go on from it.
  package var summary: SegmentSummary { walker.summary }

  /// The next batch's header; its records replace what was in `records`. Nil at the end.
  ///
  /// Errors: ``LogError/damaged(segment:offset:index:reason:proof:)``. In a live segment, a reader
  /// that met the writer cutting it can see damage that is not there: open it again and compare.
  package mutating func next(into records: inout [UInt8]) throws(LogError) -> BatchHeader? {
    guard let header = try next() else { return nil }
    walker.copyRecords(into: &records)
    return header
  }

  /// As ``next(into:)``; the records stay inside, for ``withRecords(_:)``.
  package mutating func next() throws(LogError) -> BatchHeader? {
    guard tail == nil else { return nil }
    // `segment` keeps the memory as long as this iterator lives.
    let pointer = segment.bytes.pointer
    let item: SegmentItem
    do {
      item = try walker.next(in: pointer.bytes)
    } catch {
      tail = try tornTail(error, in: pointer)
      return nil
    }
    switch item {
    case .batch(let header, _):
      return header
    case .footer(let footer, _):
      tail = .sealed(footer)
    case .end:
      tail = .whole
    }
    return nil
  }

  private func tornTail(
    _ fault: SegmentFault, in pointer: UnsafeRawBufferPointer
  ) throws(LogError) -> SegmentTail {
    let judge = FaultJudge(
      segment: segment.id, successor: segment.successor, knownDurable: .zero,
      isSealed: segment.footer != nil)
    try judge.requireTorn(fault, after: walker.summary, in: pointer.bytes)
    return .torn(
      offset: UInt64(fault.offset), byteCount: UInt64(pointer.count - fault.offset),
      reason: fault.reason)
  }

  /// Calls `body` with the records of the last batch, without copying them.
  package func withRecords<R, E: Error>(
    _ body: (borrowing RawSpan) throws(E) -> R
  ) throws(E) -> R {
    try walker.withRecords(body)
  }
}

extension SegmentSummary {
  /// Whether a segment begins where this one ends: with the next index and sequence, the same
  /// chain and the same cluster.
  package func isContinued(by next: SegmentHeader) -> Bool {
    next.clusterID == header.clusterID && next.firstIndex == lastIndex.next
      && next.firstSequence.rawValue == lastSequence.rawValue + 1
      && next.previousHash == lastHash
  }
}

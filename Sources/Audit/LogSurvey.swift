import Bytes
import SegmentLog

/// Where a batch stands in a node's files, and what vouches for it.
struct BatchPlace: Sendable {
  let hash: Digest256
  let term: Term
  /// Index into ``LogSurvey/segments``.
  let segment: Int
  /// Where its header begins in the file.
  let offset: Int
}

/// One node's replicated log by its batch headers: as far as they are whole and chained.
///
/// Only headers are read here, not records: cheap enough to do for every node given.
struct LogSurvey: Sendable {
  let source: LogSource
  private(set) var segments: [ScannedSegment] = []
  /// The index of the first place.
  private(set) var firstIndex = LogIndex(1)
  /// The first batch's sequence.
  private(set) var firstSequence = EventSequence(1)
  /// One for each batch, contiguous from ``firstIndex``.
  private(set) var places: [BatchPlace] = []
  /// The sequence of the last event.
  private(set) var lastSequence = EventSequence.zero
  /// Largest commit index in a header. Invariant: below the last index.
  private(set) var commit = LogIndex.zero
  /// Why the log was not read on; nil where it was read to its end.
  private(set) var fault: LogFault?
  /// Whether the fault is where a running or killed node leaves one: at the end of its last file.
  private(set) var isTornTail = false

  init(_ source: LogSource, in files: some LogFileSystem) throws(AuditError) {
    self.source = source
    let scanner = SegmentScanner(files, directory: source.log)
    do throws(LogError) {
      let ids = try scanner.segments()
      for (place, id) in ids.enumerated() where fault == nil {
        let successor = place + 1 < ids.count ? ids[place + 1] : nil
        guard let segment = try scanner.open(id, successor: successor) else {
          note(id, 0, "the file header is not whole", isTorn: true)
          continue
        }
        segments.append(segment)
        segment.bytes.withBytes { walk($0, segment) }
      }
    } catch {
      guard let fault = LogFault(error, directory: source.log) else {
        throw AuditError(error, directory: source.log)
      }
      self.fault = fault
    }
  }

  var isEmpty: Bool { places.isEmpty }

  var lastIndex: LogIndex { LogIndex(firstIndex.rawValue + UInt64(places.count) - 1) }

  /// What a Raft vote compares (Raft §5.4.1): the greater is the more recent log.
  var recency: (Term, UInt64) {
    (places.last?.term ?? .zero, places.isEmpty ? 0 : lastIndex.rawValue)
  }

  /// The place of the batch at `index`, if this log has it.
  func place(_ index: LogIndex) -> BatchPlace? {
    guard index >= firstIndex, index.rawValue - firstIndex.rawValue < UInt64(places.count) else {
      return nil
    }
    return places[Int(index.rawValue - firstIndex.rawValue)]
  }

  /// File and offset of a batch, for people.
  func describe(_ place: BatchPlace) -> String {
    "\(path(segments[place.segment].id)) at offset \(place.offset)"
  }

  private func path(_ id: SegmentID) -> String { "\(source.log)/\(id.fileName)" }

  private mutating func walk(_ bytes: borrowing RawSpan, _ segment: ScannedSegment) {
    guard places.isEmpty || segment.id.firstIndex == lastIndex.next else {
      return note(segment.id, 0, "batch \(lastIndex.next.rawValue) is due, this is another's file")
    }
    var offset = SegmentHeader.byteCount
    while offset < bytes.byteCount {
      let header: BatchHeader
      do { header = try BatchHeader.decode(at: offset, in: bytes) } catch {
        // What follows the last batch is the footer; whether it is right is for verify to say.
        if isComplete(segment) { return }
        return note(
          segment.id, offset, error.sentence,
          isTorn: segment.successor == nil && segment.footer == nil)
      }
      if let reason = contradiction(header, segment, isFirst: offset == SegmentHeader.byteCount) {
        return note(segment.id, offset, reason)
      }
      guard bytes.byteCount - offset >= header.batchByteCount else {
        return note(
          segment.id, offset, "the file ends inside the batch", isTorn: segment.successor == nil)
      }
      take(header, offset)
      offset += header.batchByteCount
    }
  }

  /// Whether all batches of the segment have been taken, by its footer or by the next file's name.
  private func isComplete(_ segment: ScannedSegment) -> Bool {
    guard !places.isEmpty else { return false }
    return segment.footer?.totals.lastIndex == lastIndex
      || segment.successor?.firstIndex == lastIndex.next
  }

  /// Why a whole header cannot be the next one.
  private func contradiction(
    _ header: BatchHeader, _ segment: ScannedSegment, isFirst: Bool
  ) -> String? {
    if isFirst && header.index != segment.id.firstIndex {
      return "the file's name says index \(segment.id.firstIndex.rawValue), its first batch "
        + "\(header.index.rawValue)"
    }
    guard let last = places.last else { return nil }
    if header.index != lastIndex.next {
      return Damage.outOfOrder(expected: lastIndex.next, found: header.index).sentence
    }
    let sequence = EventSequence(lastSequence.rawValue + 1)
    if header.firstSequence != sequence {
      return Damage.sequenceGap(expected: sequence, found: header.firstSequence).sentence
    }
    if header.previousHash != last.hash { return Damage.brokenChain.sentence }
    if header.term < last.term { return Damage.termBelow(header.term).sentence }
    return nil
  }

  private mutating func take(_ header: BatchHeader, _ offset: Int) {
    if places.isEmpty {
      firstIndex = header.index
      firstSequence = header.firstSequence
    }
    places.append(
      BatchPlace(
        hash: header.hash, term: header.term, segment: segments.count - 1, offset: offset))
    lastSequence = header.lastSequence
    commit = max(commit, header.commit)
  }

  private mutating func note(
    _ id: SegmentID, _ offset: Int, _ reason: String, isTorn: Bool = false
  ) {
    fault = LogFault(
      path: path(id), offset: UInt64(offset),
      index: places.isEmpty ? id.firstIndex : lastIndex.next, reason: reason)
    isTornTail = isTorn
  }
}

package import Bytes
package import HybridTime
package import Ledger
package import SegmentLog

/// What ``SegmentSearch`` looks for.
package enum SearchSubject: Hashable, Sendable {
  /// Every payment with this id.
  case id(TransactionID)
  /// The event with this number.
  case sequence(EventSequence)
  /// The first event of the log with this corrected time or a later one, nanoseconds since 1970.
  case time(Int64)
  /// Every payment from or to the account of this name, UTF-8.
  case account([UInt8])
}

/// An event that was found.
package struct FoundEvent: Sendable {
  /// Its number.
  package let sequence: EventSequence
  /// The batch that holds it.
  package let index: LogIndex
  /// The segment that holds it.
  package let segment: SegmentID
  /// When it was taken in.
  package let stamp: Stamp
  /// Its record, with its length.
  package let record: [UInt8]
}

/// Finds events in one log by the indexes of its sealed segments: reads what it needs, and of what it
/// reads, checks every byte. Only the segments that are not sealed are read whole.
package struct SegmentSearch<Files: LogFileSystem> {
  private let files: CountedFiles<Files>
  private let directory: String
  private let scanner: SegmentScanner<CountedFiles<Files>>
  /// Segments that were looked into.
  package private(set) var segmentCount = 0
  /// Of those, the ones that have no index yet.
  package private(set) var unsealedCount = 0

  /// A search of the log at `path`, a node's data directory or a directory of segments.
  package init(_ path: String, in files: Files) throws(AuditError) {
    directory = try LogSource(path, in: files).log
    self.files = CountedFiles(files)
    scanner = SegmentScanner(self.files, directory: directory)
  }

  /// Bytes read so far.
  package var byteCount: UInt64 { files.byteCount }

  /// The first `limit` events found in the order of the log, or the last, where `newestFirst`.
  package mutating func find(
    _ subject: SearchSubject, limit: Int, newestFirst: Bool = false
  ) throws(AuditError) -> [FoundEvent] {
    do throws(LogError) {
      return try search(subject, limit: limit, newestFirst: newestFirst)
    } catch {
      throw AuditError(error, directory: directory)
    }
  }

  private mutating func search(
    _ subject: SearchSubject, limit: Int, newestFirst: Bool
  ) throws(LogError) -> [FoundEvent] {
    let limit = subject.isOne ? 1 : limit
    let ids = try scanner.segments()
    var found: [FoundEvent] = []
    for place in newestFirst ? Array(ids.indices.reversed()) : Array(ids.indices) {
      guard found.count < limit else { break }
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      if case .sequence(let sequence) = subject, let successor {
        let next = try firstSequence(successor, isLast: place + 2 == ids.count)
        guard let next, next <= sequence else {
          found += try search(ids[place], successor, subject, limit, newestFirst)
          break
        }
        continue
      }
      found += try search(ids[place], successor, subject, limit - found.count, newestFirst)
    }
    return found
  }

  /// The first event of a segment, by its file header; nil where that is not whole, as a node that was
  /// stopped may leave it in its last file.
  private func firstSequence(
    _ id: SegmentID, isLast: Bool
  ) throws(LogError) -> EventSequence? {
    let (files, path) = (files, directory + "/" + id.fileName)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try files.open(path, .read).read(at: 0, count: SegmentHeader.byteCount)
    } catch {
      throw .file(error)
    }
    do throws(Damage) { return try SegmentHeader.decode(bytes.span.bytes).firstSequence } catch {
      if isLast { return nil }
      throw .damaged(
        segment: id, offset: 0, index: id.firstIndex, reason: error, proof: .laterSegment)
    }
  }

  private mutating func search(
    _ id: SegmentID, _ successor: SegmentID?, _ subject: SearchSubject, _ limit: Int,
    _ newestFirst: Bool
  ) throws(LogError) -> [FoundEvent] {
    segmentCount += 1
    let (files, path) = (files, directory + "/" + id.fileName)
    let file: CountedFile<Files.File>
    do throws(FileError) { file = try files.open(path, .read) } catch { throw .file(error) }
    guard var lookup = try SegmentLookup(id, file) else {
      return try readWhole(id, successor, subject, limit, newestFirst)
    }
    var stretches = try stretches(of: subject, in: &lookup)
    if newestFirst { stretches.reverse() }
    var found: [FoundEvent] = []
    for stretch in stretches where found.count < limit {
      var part: [FoundEvent] = []
      try lookup.visit(stretch) { batch in
        batch.append(subject, id, stretch, to: &part)
        return newestFirst || found.count + part.count < limit
      }
      if newestFirst { part.reverse() }
      found += part.prefix(limit - found.count)
    }
    return found
  }

  private func stretches(
    of subject: SearchSubject, in lookup: inout SegmentLookup<CountedFile<Files.File>>
  ) throws(LogError) -> [ClosedRange<EventSequence>] {
    switch subject {
    case .id(let id): try lookup.stretches(of: .id(id.indexedBytes))
    case .account(let name): try lookup.stretches(of: .account(name))
    case .sequence(let sequence): [sequence...sequence]
    case .time(let time): try lookup.stretch(atOrAfter: time).map { [$0] } ?? []
    }
  }

  private mutating func readWhole(
    _ id: SegmentID, _ successor: SegmentID?, _ subject: SearchSubject, _ limit: Int,
    _ newestFirst: Bool
  ) throws(LogError) -> [FoundEvent] {
    unsealedCount += 1
    guard let segment = try scanner.open(id, successor: successor) else { return [] }
    var iterator = SegmentIterator(segment)
    var records: [UInt8] = []
    var found: [FoundEvent] = []
    while newestFirst || found.count < limit, let header = try iterator.next(into: &records) {
      let all = header.firstSequence...EventSequence(.max)
      FoundEvent.append(header, records.span.bytes, subject, id, all, to: &found)
    }
    if newestFirst { found.reverse() }
    return Array(found.prefix(limit))
  }
}

extension SearchSubject {
  /// Payments with an id, or nil where the text is none.
  package init?(id text: String) {
    guard let id = try? TransactionID(validating: text) else { return nil }
    self = .id(id)
  }

  /// Whether there is one such event at most.
  fileprivate var isOne: Bool {
    switch self {
    case .sequence, .time: true
    case .id, .account: false
    }
  }

  /// Whether an event is what is looked for.
  fileprivate func matches(
    _ record: Record, _ sequence: EventSequence, in records: borrowing RawSpan
  ) -> Bool {
    switch self {
    case .sequence(let wanted): return sequence == wanted
    case .time(let time):
      guard let stamp = try? record.stamp(in: records) else { return false }
      return stamp.reading.correctedNanoseconds >= time
    case .id(let id):
      guard let payment = Self.payment(record, in: records) else { return false }
      return payment.id(in: records) == id
    case .account(let name):
      guard let payment = Self.payment(record, in: records) else { return false }
      return [payment.sender, payment.receiver].contains { range in
        records.extracting(range).withUnsafeBytes { $0.elementsEqual(name) }
      }
    }
  }

  private static func payment(_ record: Record, in records: borrowing RawSpan) -> PaymentView? {
    record.kind == .payment ? try? PaymentView(record.body, in: records) : nil
  }
}

extension Batch {
  /// Appends the events of a stretch that are what is looked for.
  fileprivate func append(
    _ subject: SearchSubject, _ segment: SegmentID, _ stretch: ClosedRange<EventSequence>,
    to found: inout [FoundEvent]
  ) {
    let bytes = records
    FoundEvent.append(header, bytes.span.bytes, subject, segment, stretch, to: &found)
  }
}

extension FoundEvent {
  fileprivate static func append(
    _ header: BatchHeader, _ records: borrowing RawSpan, _ subject: SearchSubject,
    _ segment: SegmentID, _ stretch: ClosedRange<EventSequence>, to found: inout [FoundEvent]
  ) {
    var cursor = RecordCursor(records)
    var sequence = header.firstSequence
    while let record = try? cursor.next(in: records) {
      defer { sequence = sequence.next }
      guard stretch.contains(sequence), subject.matches(record, sequence, in: records),
        let stamp = try? record.stamp(in: records)
      else { continue }
      let bytes = records.extracting(record.bytes).withUnsafeBytes { [UInt8]($0) }
      found.append(
        FoundEvent(
          sequence: sequence, index: header.index, segment: segment, stamp: stamp, record: bytes))
    }
  }
}

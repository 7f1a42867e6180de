import Bytes
import Ledger
import SegmentLog

/// A segment's file, read by the two readers there are: the one that stops at a fault, and the one
/// that goes on.
enum SegmentFuzzing {
  private static let directory = "log"
  /// Longest records that are compressed again to compare.
  private static let rebuiltByteCountMax = 64 << 10

  /// Reads the bytes as they are, with right checks, and with a right chain.
  static func run(_ bytes: [UInt8]) {
    var again = Recoder()
    check(bytes, &again)
    for isChained in [false, true] {
      let repaired = FormatRepair.segment(bytes, isChained: isChained)
      if repaired != bytes { check(repaired, &again) }
    }
  }

  /// What closes a batch anew and opens it: its buffers take longer to make than to use.
  private struct Recoder: ~Copyable {
    var builder = BatchBuilder()
    var opener = BatchOpener()
  }

  private static func check(_ bytes: [UInt8], _ again: inout Recoder) {
    let id = SegmentID(LogIndex(max(bytes.count < 40 ? 1 : integer(at: 32, in: bytes), 1)))
    let scanned = scan(id, bytes, &again)
    inspect(id, bytes, scanned)
    lookUp(id, bytes)
    if let scanned, case .sealed(let footer) = scanned.tail {
      checkRewritten(scanned.segment, footer, bytes, &again)
    }
  }

  /// Reads what a look-up reads, piece by piece, of a file that nobody has checked before.
  private static func lookUp(_ id: SegmentID, _ bytes: [UInt8]) {
    guard var lookup = try? SegmentLookup(id, FileInMemory.File(bytes)) else { return }
    var stretches: [ClosedRange<EventSequence>] = []
    for name in ["alice", "bob", "invoice-1"] {
      stretches += (try? lookup.stretches(of: .account(Array(name.utf8)))) ?? []
      stretches += (try? lookup.stretches(of: .id(Array(name.utf8)))) ?? []
    }
    stretches += [(try? lookup.stretch(atOrAfter: 0)) ?? nil].compactMap { $0 }
    stretches.append(EventSequence(1)...EventSequence(.max))
    for stretch in stretches {
      var previous: BatchHeader?
      try? lookup.visit(stretch) { batch in
        precondition(batch.header.lastSequence >= stretch.lowerBound, "a batch of the stretch")
        previous = batch.header
        return true
      }
      precondition(previous.map { $0.firstSequence <= stretch.upperBound } ?? true)
    }
  }

  /// What the reader that stops at a fault has found.
  private struct Scan {
    var segment: ScannedSegment
    var headers: [BatchHeader] = []
    var tail: SegmentTail?
    var last: LogIndex? { headers.last?.index }
  }

  private static func scan(_ id: SegmentID, _ bytes: [UInt8], _ again: inout Recoder) -> Scan? {
    let files = FileInMemory(name: id.fileName, bytes: bytes)
    let scanner = SegmentScanner(files, directory: directory)
    guard let segment = try? scanner.open(id, successor: nil) else { return nil }
    precondition(segment.header.firstIndex == id.firstIndex, "a segment is called after its header")
    var scan = Scan(segment: segment)
    var iterator = SegmentIterator(segment)
    var records: [UInt8] = []
    var offset = SegmentHeader.byteCount
    var hash = segment.header.previousHash
    do throws(LogError) {
      while let header = try iterator.next(into: &records) {
        let end = offset + header.batchByteCount
        precondition(end <= bytes.count, "a batch lies within its file")
        precondition(header.previousHash == hash, "a batch names the one before it")
        checkBatch(header, Array(bytes[offset..<end]), records, &again)
        scan.headers.append(header)
        (offset, hash) = (end, header.hash)
      }
      precondition(iterator.tail != nil, "a segment that ends has an end")
      scan.tail = iterator.tail
      let isFollowed = iterator.summary.isContinued(by: segment.header)
      precondition(!isFollowed || scan.headers.isEmpty, "no segment comes after itself")
    } catch {
      precondition(error.damagedSegment == id, "only damage ends a scan")
    }
    return scan
  }

  /// A batch that opens has the hash that it says, and one encoding but for its compression.
  private static func checkBatch(
    _ header: BatchHeader, _ bytes: [UInt8], _ records: [UInt8], _ again: inout Recoder
  ) {
    let hashed = Array(bytes[8..<168] + records)
    precondition(
      Digest256Hasher.digest(hashed.span.bytes) == header.hash, "a batch has the hash it says")
    precondition(records.count == header.recordsByteCount, "a batch is as long as it says")
    guard records.count <= rebuiltByteCountMax else { return }
    guard let built = try? again.builder.build(header.fields, records: records) else {
      preconditionFailure("what opens can be built")
    }
    precondition(built.bytes[..<200] == bytes[..<200], "a batch's header has one encoding")
    guard let opened = try? again.opener.open(built.bytes) else {
      preconditionFailure("what was built opens")
    }
    precondition(opened.records == records, "records come back from compression")
  }

  /// What the reader for repairs says of the same bytes.
  private static func inspect(_ id: SegmentID, _ bytes: [UInt8], _ scan: Scan?) {
    let files = FileInMemory(name: id.fileName, bytes: bytes)
    let cluster = bytes.count < 32 ? nil : ClusterID(bytes: Array(bytes[16..<32]))
    let due = LogIndex((scan?.last ?? id.firstIndex).rawValue &+ 1)
    for distrusting: Set<LogIndex> in [[], [id.firstIndex, due]] {
      do throws(LogError) {
        let repair = try LogRepair.inspect(
          files, directory: directory, clusterID: cluster ?? ClusterID(name: "fuzzing"),
          recovery: RecoveryOptions(mayBeginLater: id.firstIndex > LogIndex(1)),
          distrusting: distrusting)
        precondition(
          repair.isWhole == repair.stretches.isEmpty, "what is not whole has a damaged stretch")
        _ = (repair.nextMissing, repair.vouchedCommit, repair.memberChanges)
        if distrusting.isEmpty, let scan { compare(repair, scan) }
      } catch {
        // Of another version: those are not to be mended.
        precondition(error.damagedSegment == id, "nothing but the file can be wrong")
      }
    }
  }

  /// Both readers agree on a segment that has no fault, if it can stand in a log.
  private static func compare(_ repair: borrowing LogRepair<FileInMemory>, _ scan: Scan) {
    let header = scan.segment.header
    let isStart =
      header.firstIndex > LogIndex(1)
      || (header.previousHash == .zero && header.firstSequence == EventSequence(1))
    // Neighbours that contradict each other are both damaged for the one, the second for the other.
    guard isStart, let last = scan.headers.last, let tail = scan.tail else { return }
    switch tail {
    case .sealed, .whole:
      precondition(repair.isWhole, "a segment without a fault needs no repair")
    case .torn: break
    }
    let found = try? repair.batch(at: last.index)
    precondition(found?.header == last, "a batch that one reader finds, the other finds")
  }

  /// A footer written anew is read as the same.
  private static func checkRewritten(
    _ segment: ScannedSegment, _ footer: SegmentFooter, _ bytes: [UInt8], _ anew: inout Recoder
  ) {
    let size: UInt32 = integer(at: bytes.count - 8, in: bytes)
    guard let index = segment.index else {
      preconditionFailure("a footer that is whole has an index")
    }
    let rewritten = Array(bytes.dropLast(Int(size))) + footer.encoded(index)
    guard case .sealed(let again) = scan(segment.id, rewritten, &anew)?.tail else {
      preconditionFailure("a footer that was read can be written")
    }
    precondition(again == footer, "a footer comes back as it was written")
    if sectionTags(bytes.suffix(Int(size))) == ["SIDX", "SMAX", "STRM", "STRE", "STXN", "SACC"] {
      precondition(rewritten == bytes, "a footer without unknown sections has one encoding")
    }
  }

  /// The tags of a whole footer's sections.
  private static func sectionTags(_ footer: ArraySlice<UInt8>) -> [String] {
    let bytes = Array(footer)
    var tags: [String] = []
    var offset = 192
    while offset < bytes.count - 40 {
      tags.append(String(decoding: bytes[offset..<offset + 4], as: UTF8.self))
      let length: UInt32 = integer(at: offset + 4, in: bytes)
      offset += 8 + Int(length)
    }
    return tags
  }

  private static func integer<T: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, in bytes: [UInt8]
  ) -> T {
    bytes.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }
}

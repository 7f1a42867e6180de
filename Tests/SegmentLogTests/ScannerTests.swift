import Bytes
import SegmentLog
import Testing

@Suite struct ScannerTests {
  /// Reads a segment to its end: the batches, and how it ended.
  private func scan(
    _ system: MemoryFileSystem, _ first: UInt64, successor: UInt64?
  ) throws -> (indices: [UInt64], tail: SegmentTail?) {
    let scanner = SegmentScanner(system, directory: directory)
    guard
      let segment = try scanner.open(
        SegmentID(LogIndex(first)), successor: successor.map { SegmentID(LogIndex($0)) })
    else { return ([], nil) }
    var iterator = SegmentIterator(segment)
    var records: [UInt8] = []
    var indices: [UInt64] = []
    while let header = try iterator.next(into: &records) {
      #expect(records.count == header.recordsByteCount)
      indices.append(header.index.rawValue)
    }
    return (indices, iterator.tail)
  }

  @Test func `a flipped byte anywhere in a sealed segment is found and located`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(6, every: 5)
    let whole = try MemoryFileSystem.log(batches, sealing: true)
    let bytes = try #require(whole.bytes(whole.path(1)))
    var starts = [0, 96]
    for batch in batches[..<5] { starts.append((starts.last ?? 0) + batch.bytes.count) }
    #expect(try scan(whole, 1, successor: 6).indices == [1, 2, 3, 4, 5])
    for position in bytes.indices {
      let system = MemoryFileSystem()
      var changed = bytes
      changed[position] ^= 0x40
      system.put(system.path(1), changed)
      let frame = try #require(starts.last { $0 <= position })
      var tail: SegmentTail?
      let error = logError { tail = try scan(system, 1, successor: 6).tail }
      if let error {
        guard case .damaged(_, let offset, _, _, _) = error else {
          Issue.record("byte \(position): \(error)")
          continue
        }
        #expect(offset == UInt64(frame), "byte \(position)")
      } else if case .torn(let offset, _, _) = tail {
        // A footer is not there to be missed: what is left of it is told.
        #expect(offset == UInt64(frame) && frame == starts.last, "byte \(position)")
      } else {
        Issue.record("byte \(position) passed: \(String(describing: tail))")
      }
    }
  }

  /// A file header whose first index or sequence no batch can have.
  @Test(arguments: [(32, UInt64.max), (40, 0)] as [(Int, UInt64)])
  func `a file header of no batch that can be is refused`(offset: Int, value: UInt64) throws {
    var writer = ByteWriter()
    writer.append(contentsOf: try #require([UInt8](hexadecimal: goldenFileHeader)))
    writer.patch(value, at: offset)
    let check = Digest256Hasher.digest(writer.bytes.span.bytes.extracting(8..<88)).bytes
    writer.bytes.replaceSubrange(88..<96, with: check[..<8])
    let system = MemoryFileSystem()
    let first = offset == 32 ? value : 1
    system.put(system.path(first), writer.bytes)
    #expect(try scan(system, first, successor: nil).tail == nil)
  }

  /// The check of a footer as the format's page has it: over all but the bodies of its index.
  private func check(ofFooter bytes: [UInt8]) -> Digest256 {
    let span = bytes.span.bytes
    var hasher = Digest256Hasher()
    var (start, offset) = (8, 192)
    while offset < bytes.count - 40 {
      let length = Int(span.unsafeLoadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
      let tag = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
      if tag == "STXN" || tag == "SACC" {
        hasher.update(span.extracting(start..<offset + 64))
        start = offset + 8 + length
      }
      offset += 8 + length
    }
    hasher.update(span.extracting(start..<bytes.count - 40))
    return hasher.finalize()
  }

  /// The last index, the first index, and what stands behind the greatest hybrid time.
  @Test(arguments: [(24, UInt64.max), (16, 0), (256, 1 << 32 | 2)] as [(Int, UInt64)])
  func `a footer of no segment that can be is refused`(offset: Int, value: UInt64) throws {
    let footer = try #require([UInt8](hexadecimal: goldenFooter))
    let before = try #require([UInt8](hexadecimal: goldenFileHeader + goldenBatch))
    var writer = ByteWriter()
    writer.append(contentsOf: footer)
    writer.patch(value, at: offset)
    let end = writer.count - 40
    writer.bytes.replaceSubrange(end..<end + 32, with: check(ofFooter: writer.bytes).bytes)
    let system = MemoryFileSystem()
    system.put(system.path(1), before + footer)
    guard case .sealed = try scan(system, 1, successor: nil).tail else {
      Issue.record("the footer was right before")
      return
    }
    system.put(system.path(1), before + writer.bytes)
    guard
      case .damaged(_, UInt64(before.count), _, .footerMismatch, _)? = logError({
        _ = try scan(system, 1, successor: nil)
      })
    else {
      Issue.record("the footer passes")
      return
    }
    let repair = try LogRepair.inspect(
      system, directory: directory, clusterID: cluster, distrusting: [LogIndex(1)])
    let isWhole = repair.isWhole
    #expect(!isWhole)
  }

  @Test func `a live tail is told, and followed from where the last look ended`() throws {
    var leader = SampleLeader()
    let batches = leader.batches(9)
    let system = try MemoryFileSystem.log(batches)
    let bytes = try #require(system.bytes(system.path(1)))
    let scanner = SegmentScanner(system, directory: directory)
    var summary: SegmentSummary?
    var seen: [UInt64] = []
    for length in stride(from: 0, through: bytes.count, by: 37) + [bytes.count] {
      system.put(system.path(1), Array(bytes[..<length]))
      guard let segment = try scanner.open(SegmentID(LogIndex(1)), successor: nil) else {
        #expect(length < 96)
        continue
      }
      var iterator = SegmentIterator(segment, after: summary)
      while let header = try iterator.next() { seen.append(header.index.rawValue) }
      summary = iterator.summary
      let left = UInt64(length) - iterator.summary.byteCount
      if left > 0 {
        guard case .torn(_, left, _) = iterator.tail else {
          Issue.record("length \(length): \(String(describing: iterator.tail))")
          continue
        }
      } else {
        #expect(iterator.tail == .whole)
      }
    }
    #expect(seen == Array(1...9))
  }

  @Test func `segments continue each other`() throws {
    var leader = SampleLeader()
    let system = try MemoryFileSystem.log(leader.batches(9, every: 4), sealing: true)
    let scanner = SegmentScanner(system, directory: directory)
    let ids = try scanner.segments()
    #expect(ids.map(\.firstIndex.rawValue) == [1, 5, 9])
    var before: SegmentSummary?
    for (place, id) in ids.enumerated() {
      let successor = place + 1 < ids.count ? ids[place + 1] : nil
      let segment = try #require(try scanner.open(id, successor: successor))
      if let before { #expect(before.isContinued(by: segment.header)) }
      var iterator = SegmentIterator(segment)
      while try iterator.next() != nil {}
      before = iterator.summary
    }
  }
}

import Bytes
import Evidence
import HybridTime
import SegmentLog

/// Small segments: compressed and stored, sealed and not, of the log's start and of its middle.
enum SegmentSeeds {
  static var all: [[UInt8]] {
    let events = Samples.events
    let contents: [(records: [UInt8], count: Int)] = [
      (Samples.records(Array(events[..<4])), 4), ([], 0),
      (Samples.records(Array(events[4..<6])), 2), (Samples.records([events[6]]), 1),
    ]
    let start = Samples.batches(contents)
    let later = Samples.batches(
      contents, from: 300, sequence: 255, previousHash: start[0].header.hash)
    let many = Samples.batches(
      [(Samples.records(Array(repeating: events[0], count: 300)), 300), ([], 0)])
    return [
      file(start, isStored: false), file(start, isStored: true),
      sealed(start, isStored: false), sealed(start, isStored: true), sealed(later, isStored: true),
      sealed(many, isStored: false), file(later, isStored: true), file([later[1]], isStored: true),
      sealed([start[1]], isStored: true), Array(file(start, isStored: true).dropLast(9)),
      Array(sealed(start, isStored: true).dropLast(9)),
    ]
  }

  private static func file(_ batches: [Batch], isStored: Bool) -> [UInt8] {
    guard let first = batches.first else { preconditionFailure("a segment has a batch") }
    var writer = ByteWriter()
    writer.integer(SegmentFormat.skippableMagic)
    writer.integer(UInt32(SegmentHeader.byteCount - 8))
    writer.append(contentsOf: "SPFH".utf8)
    writer.integer(UInt32(SegmentFormat.version))
    writer.append(contentsOf: Samples.cluster.bytes)
    writer.integer(first.index.rawValue)
    writer.integer(first.header.firstSequence.rawValue)
    writer.append(contentsOf: first.header.previousHash.bytes)
    writer.integer(UInt64(0))
    writer.integer(UInt64(0))
    for batch in batches {
      writer.append(contentsOf: isStored ? Samples.stored(batch) : batch.bytes)
    }
    return FormatRepair.segment(writer.bytes, isChained: false)
  }

  /// The file with a footer, written from the format's page.
  private static func sealed(_ batches: [Batch], isStored: Bool) -> [UInt8] {
    guard let first = batches.first?.header, let last = batches.last?.header else {
      preconditionFailure("a segment has a batch")
    }
    let before = first.firstSequence.rawValue - 1
    let after = last.lastSequence.rawValue
    let edgeCount = before.nonzeroBitCount + after.nonzeroBitCount
    let tileCount = Int(after / 256 - before / 256)
    let sections =
      section("SIDX") { writer in
        writer.integer(first.index.rawValue)
        writer.integer(first.firstSequence.rawValue)
        writer.integer(batches.map(\.header.correctedMin).min() ?? 0)
        writer.integer(UInt64(SegmentHeader.byteCount))
      }
      + section("SMAX") { writer in
        writer.integer(last.commit.rawValue)
        let hybrid = batches.map(\.header.hybridMax).max() ?? .zero
        writer.integer(hybrid.wallNanoseconds)
        writer.integer(hybrid.logical)
        writer.integer(UInt32(0))
      }
      + section("STRM") { writer in
        var term: Term?
        for header in batches.map(\.header) where header.term != term {
          writer.integer(header.index.rawValue)
          writer.integer(header.term.rawValue)
          term = header.term
        }
      }
      + section("STRE") { writer in
        // The root is put right below.
        for _ in 0...(edgeCount + tileCount) { writer.append(contentsOf: last.hash.bytes) }
      }
      + emptyIndex("STXN", shift: 8) + emptyIndex("SACC", shift: 13)
    var writer = ByteWriter()
    writer.append(contentsOf: file(batches, isStored: isStored))
    writer.integer(UInt64(0))
    writer.append(contentsOf: "SPFT".utf8)
    writer.integer(UInt32(SegmentFormat.version))
    fixed(batches.map(\.header), first, last, sections.count, &writer)
    writer.append(contentsOf: sections)
    writer.append(contentsOf: [UInt8](repeating: 0, count: 40))
    return FormatRepair.segment(writer.bytes, isChained: true)
  }

  private static func fixed(
    _ headers: [BatchHeader], _ first: BatchHeader, _ last: BatchHeader, _ sectionsByteCount: Int,
    _ writer: inout ByteWriter
  ) {
    writer.integer(first.index.rawValue)
    writer.integer(last.index.rawValue)
    writer.integer(first.firstSequence.rawValue)
    writer.integer(last.lastSequence.rawValue)
    writer.integer(UInt64(headers.reduce(0) { $0 + $1.count }))
    writer.integer(UInt64(headers.count))
    writer.integer(UInt64(headers.reduce(0) { $0 + $1.recordsByteCount }))
    for digest in [last.hash, first.hash, last.hash] {
      writer.append(contentsOf: digest.bytes)
    }
    writer.integer(headers.map(\.correctedMin).min() ?? 0)
    writer.integer(headers.map(\.correctedMax).max() ?? 0)
    writer.integer(UInt32(sectionsByteCount))
    writer.integer(UInt32(0))
  }

  /// An index without entries; its digest and checks are put right below.
  private static func emptyIndex(_ tag: String, shift: UInt32) -> [UInt8] {
    section(tag) { writer in
      writer.integer(UInt64(0))
      writer.integer(shift)
      writer.append(contentsOf: [UInt8](repeating: 0, count: 4 + 32 + 8))
      // The directory of one bucket, and the check of its page.
      writer.append(contentsOf: [UInt8](repeating: 0, count: 8 + 8))
    }
  }

  private static func section(_ tag: String, _ content: (inout ByteWriter) -> Void) -> [UInt8] {
    var inner = ByteWriter()
    content(&inner)
    var writer = ByteWriter()
    writer.append(contentsOf: tag.utf8)
    writer.integer(UInt32(inner.count))
    writer.append(contentsOf: inner.bytes)
    return writer.bytes
  }
}

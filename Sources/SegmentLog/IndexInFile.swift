import Bytes

/// What a segment's index is asked for.
package enum LookupSubject: Hashable, Sendable {
  /// Payments with this id: its bytes as they are indexed.
  case id([UInt8])
  /// Payments from or to the account of this name, UTF-8.
  case account([UInt8])
}

/// Where a sealed segment's index is in its file: read with a few hundred bytes, each of them checked.
struct IndexInFile: Sendable {
  /// Which segment.
  let segment: SegmentID
  private let first: EventSequence
  private let hash: SipHash
  private let ids: IndexPlace
  private let names: IndexPlace

  /// Finds the index of a segment that is known to be sealed. Errors: damage, the file's.
  init(_ segment: SegmentID, _ file: some LogFile) throws(LogError) {
    self.segment = segment
    let size = try files { () throws(FileError) in try file.size() }
    let head = try Self.read(0, SegmentHeader.byteCount, of: file, segment)
    guard let header = try? SegmentHeader.decode(head.span.bytes),
      header.firstIndex == segment.firstIndex
    else { throw Self.damaged(segment, at: 0, .fileHeader) }
    first = header.firstSequence
    hash = header.lookupHash
    let endByteCount = UInt64(SegmentFooter.trailerByteCount)
    guard size > endByteCount else { throw Self.damaged(segment, at: size, .footer) }
    let end = try Self.read(size - endByteCount, Int(endByteCount), of: file, segment)
    guard let byteCount = SegmentFooter.announcedByteCount(end.span.bytes, fileByteCount: size)
    else { throw Self.damaged(segment, at: size, .footer) }
    let offset = size - UInt64(byteCount)
    let fixed = try Self.read(offset, SegmentFooter.fixedByteCount, of: file, segment)
    ids = try IndexPlace(
      at: offset + UInt64(FooterCuts.opening(fixed.span.bytes)), .ids, of: file, segment)
    names = try IndexPlace(
      at: ids.body + UInt64(ids.head.bodyByteCount), .names, of: file, segment)
    guard names.body + UInt64(names.head.bodyByteCount + SegmentFooter.endByteCount) == size
    else { throw Self.damaged(segment, at: offset, .footer) }
  }

  /// The stretches of events in which the segment may hold what is asked for, ascending: all in which it
  /// does, and few others. Errors: damage, the file's.
  func stretches(
    of subject: LookupSubject, in file: some LogFile
  ) throws(LogError) -> [ClosedRange<EventSequence>] {
    switch subject {
    case .id(let bytes): try stretches(bytes, ids, .ids, in: file)
    case .account(let name): try stretches(name, names, .names, in: file)
    }
  }

  private func stretches(
    _ subject: [UInt8], _ place: IndexPlace, _ layout: IndexLayout, in file: some LogFile
  ) throws(LogError) -> [ClosedRange<EventSequence>] {
    let head = place.head
    let hash = hash.hash(0..<subject.count, in: subject.span.bytes)
    let bucket = Int(hash >> (64 - head.bucketBits))
    let bounds = try place.words(bucket..<bucket + 2, of: file, segment)
    let start = Int(bounds[0])
    let end = Int(bounds[1])
    guard start <= end, end <= head.count else {
      throw Self.damaged(segment, at: place.body, .footer)
    }
    guard start < end else { return [] }
    let entries = 1 << Int(head.bucketBits) + 1
    let print = layout.print(hash, bucketBits: head.bucketBits)
    let base = (first.rawValue &- 1) >> head.shift
    var found: [ClosedRange<EventSequence>] = []
    for entry in try place.words(entries + start..<entries + end, of: file, segment)
    where entry & (UInt32.max >> UInt32(layout.stretchBits)) == print {
      let stretch = base + UInt64(entry >> UInt32(layout.printBits))
      let from = max(first, EventSequence(stretch << head.shift + 1))
      let through = EventSequence((stretch + 1) << head.shift)
      guard from <= through else { throw Self.damaged(segment, at: place.body, .footer) }
      if found.last?.lowerBound != from { found.append(from...through) }
    }
    return found
  }

  /// Reads exactly `count` bytes; fewer are damage.
  static func read(
    _ offset: UInt64, _ count: Int, of file: some LogFile, _ segment: SegmentID
  ) throws(LogError) -> [UInt8] {
    let bytes = try files { () throws(FileError) in try file.read(at: offset, count: count) }
    guard bytes.count == count else { throw damaged(segment, at: offset, .truncated) }
    return bytes
  }

  static func damaged(_ segment: SegmentID, at offset: UInt64, _ reason: Damage) -> LogError {
    .damaged(
      segment: segment, offset: offset, index: segment.firstIndex, reason: reason, proof: .sealed)
  }
}

/// Where a section of an index is in its file.
private struct IndexPlace: Sendable {
  let head: IndexHead
  /// Where the body begins.
  let body: UInt64

  /// Reads the head of the section whose tag is at `offset`.
  init(
    at offset: UInt64, _ layout: IndexLayout, of file: some LogFile, _ segment: SegmentID
  ) throws(LogError) {
    let bytes = try IndexInFile.read(
      offset, SegmentFooter.indexHeadByteCount, of: file, segment)
    do throws(Damage) { head = try IndexHead(at: 0, in: bytes.span.bytes, layout) } catch {
      throw IndexInFile.damaged(segment, at: offset, error)
    }
    body = offset + UInt64(SegmentFooter.indexHeadByteCount)
  }

  /// The words of the content at `range`: the pages that hold them are read and checked.
  func words(
    _ range: Range<Int>, of file: some LogFile, _ segment: SegmentID
  ) throws(LogError) -> [UInt32] {
    let size = IndexHead.pageByteCount
    let pages = range.lowerBound * 4 / size...(range.upperBound * 4 - 1) / size
    let start = pages.lowerBound * size
    let end = min((pages.upperBound + 1) * size, head.contentByteCount)
    guard range.upperBound * 4 <= end else {
      throw IndexInFile.damaged(segment, at: body, .footer)
    }
    let bytes = try IndexInFile.read(body + UInt64(start), end - start, of: file, segment)
    let checks = try IndexInFile.read(
      body + UInt64(head.contentByteCount + pages.lowerBound * IndexHead.checkByteCount),
      pages.count * IndexHead.checkByteCount, of: file, segment)
    for page in pages {
      let place = page * size - start
      let content = bytes.span.bytes.extracting(place..<min(place + size, bytes.count))
      let check = checks.span.bytes.littleEndian(
        at: (page - pages.lowerBound) * IndexHead.checkByteCount, as: UInt64.self)
      guard Digest256Hasher.digest(content).check == check else {
        throw IndexInFile.damaged(segment, at: body + UInt64(page * size), .footer)
      }
    }
    return range.map { bytes.span.bytes.littleEndian(at: $0 * 4 - start) }
  }
}

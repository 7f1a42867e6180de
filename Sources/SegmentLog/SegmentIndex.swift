package import Bytes

/// How a section of a segment's index divides the segment's events, and its entries' 32 bits
/// (`Format.md`, "STXN and SACC").
struct IndexLayout: Sendable {
  /// The section's tag.
  let tag: UInt32
  /// Bits of an entry that name a stretch of events. The others are of the hash.
  let stretchBits: UInt64
  /// Least events of a stretch, as a power of two.
  let shiftMin: UInt64

  /// By transaction id: at most 4096 stretches, of 256 events at least, as the tree's tiles.
  static let ids = IndexLayout(tag: FrameTag.transactions, stretchBits: 12, shiftMin: 8)
  /// By account name: at most 256 stretches, of 8192 events at least.
  static let names = IndexLayout(
    tag: FrameTag.accounts, stretchBits: 8, shiftMin: LookupKeys.nameStretchShift)

  /// Bits of an entry that are of the hash.
  var printBits: UInt64 { 32 - stretchBits }

  /// Events of a stretch, as a power of two: as few as give no more stretches than an entry can name.
  func shift(_ first: EventSequence, _ last: EventSequence) -> UInt64 {
    var shift = shiftMin
    while last >= first, stretch(of: last, from: first, shift) >> stretchBits > 0 { shift += 1 }
    return shift
  }

  /// Which stretch of the segment that begins at `first` an event lies in.
  func stretch(of event: EventSequence, from first: EventSequence, _ shift: UInt64) -> UInt64 {
    (event.rawValue &- 1) >> shift - (first.rawValue &- 1) >> shift
  }

  /// What an entry keeps of a hash: the bits after those that name the bucket.
  @inline(__always)
  func print(_ hash: UInt64, bucketBits: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: (hash << bucketBits) >> (64 - printBits))
  }
}

/// What stands before the body of a section of the index, and vouches for it.
struct IndexHead: Hashable, Sendable {
  /// Length in bytes, with its own check.
  static let byteCount = 56
  /// Entries that a bucket is meant for.
  static let bucketEntryCount = 64
  /// Bytes under one check.
  static let pageByteCount = 4096
  /// Length of a page's check.
  static let checkByteCount = 8

  /// Entries in all buckets.
  let count: Int
  /// Bits of a hash that name its bucket.
  let bucketBits: UInt64
  /// Events of a stretch, as a power of two.
  let shift: UInt64
  /// SHA-256 of the body.
  let digest: Digest256

  /// Bits for as many buckets as `count` entries need.
  static func bucketBits(_ count: Int) -> UInt64 {
    var bits: UInt64 = 0
    while count >> Int(bits) > bucketEntryCount { bits += 1 }
    return bits
  }

  /// Length of the directory and the entries.
  var contentByteCount: Int { 4 * (1 << Int(bucketBits) + 1 + count) }

  /// Length of the body: directory, entries, checks of the pages.
  var bodyByteCount: Int { Self.bodyByteCount(contentByteCount) }

  static func bodyByteCount(_ contentByteCount: Int) -> Int {
    contentByteCount + pageCount(contentByteCount) * checkByteCount
  }

  static func pageCount(_ contentByteCount: Int) -> Int {
    (contentByteCount + pageByteCount - 1) / pageByteCount
  }
}

extension IndexHead {
  init(count: Int, bucketBits: UInt64, shift: UInt64, body: [UInt8]) {
    self.count = count
    self.bucketBits = bucketBits
    self.shift = shift
    digest = Digest256Hasher.digest(body.span.bytes)
  }

  /// Appends the section's tag, length and head.
  func encode(_ tag: UInt32, into writer: inout ByteWriter) {
    let start = writer.count
    FooterSections.head(tag, Self.byteCount + bodyByteCount, &writer)
    writer.integer(UInt32(count))
    writer.integer(UInt32(bucketBits))
    writer.integer(UInt32(shift))
    writer.integer(UInt32(0))
    writer.digest(digest)
    let check = Digest256Hasher.digest(
      writer.bytes.span.bytes.extracting(start..<writer.count)
    ).check
    writer.integer(check)
  }

  /// Reads the head of the section whose tag is at `start`.
  init(at start: Int, in bytes: borrowing RawSpan, _ layout: IndexLayout) throws(Damage) {
    let offset = start + FooterSections.headByteCount
    let byteCount = Int(bytes.littleEndian(at: start + 4, as: UInt32.self))
    let end = offset + Self.byteCount - Self.checkByteCount
    guard bytes.littleEndian(at: start) == layout.tag,
      Digest256Hasher.digest(bytes.extracting(start..<end)).check == bytes.littleEndian(at: end)
    else { throw .footer }
    count = Int(bytes.littleEndian(at: offset, as: UInt32.self))
    bucketBits = UInt64(bytes.littleEndian(at: offset + 4, as: UInt32.self))
    shift = UInt64(bytes.littleEndian(at: offset + 8, as: UInt32.self))
    digest = Digest256(at: offset + 16, in: bytes)
    guard bytes.littleEndian(at: offset + 12, as: UInt32.self) == 0,
      bucketBits == Self.bucketBits(count), (layout.shiftMin...63).contains(shift),
      byteCount == Self.byteCount + bodyByteCount
    else { throw .footerMismatch }
  }
}

/// A section of a segment's index: a hash's bucket says which stretches of events to read.
struct IndexSection: Sendable {
  let head: IndexHead
  /// Directory, entries, and checks of their pages.
  let body: [UInt8]

  /// The section of hashes, each with its stretch.
  init(_ hashes: [UInt64], _ stretches: [UInt16], _ layout: IndexLayout, shift: UInt64) {
    let bits = IndexHead.bucketBits(hashes.count)
    let places = BucketPlaces(hashes, bits: bits)
    var entries = [UInt32](repeating: 0, count: hashes.count)
    var next = places.starts
    for (hash, stretch) in zip(hashes, stretches) {
      let bucket = Int(hash >> (64 - bits))
      entries[Int(next[bucket])] =
        UInt32(stretch) << UInt32(layout.printBits) | layout.print(hash, bucketBits: bits)
      next[bucket] += 1
    }
    entries.withUnsafeMutableBufferPointer { entries in
      for bucket in 0..<places.starts.count - 1 {
        let range = Int(places.starts[bucket])..<Int(places.starts[bucket + 1])
        sort(UnsafeMutableBufferPointer(rebasing: entries[range]))
      }
    }
    body = Self.body(places.starts, entries)
    head = IndexHead(count: hashes.count, bucketBits: bits, shift: shift, body: body)
  }

  /// The section as it stands in a footer, which vouches for it.
  init(_ head: IndexHead, body: [UInt8]) {
    self.head = head
    self.body = body
  }

  private static func body(_ starts: [UInt32], _ entries: [UInt32]) -> [UInt8] {
    let contentByteCount = 4 * (starts.count + entries.count)
    var writer = ByteWriter(capacity: IndexHead.bodyByteCount(contentByteCount))
    for word in starts { writer.integer(word) }
    for word in entries { writer.integer(word) }
    for start in stride(from: 0, to: contentByteCount, by: IndexHead.pageByteCount) {
      let page = start..<min(start + IndexHead.pageByteCount, contentByteCount)
      let check = Digest256Hasher.digest(writer.bytes.span.bytes.extracting(page)).check
      writer.integer(check)
    }
    return writer.bytes
  }
}

/// Where the buckets of hashes begin, by their top bits.
private struct BucketPlaces {
  /// One for each bucket, and the end of the last.
  var starts: [UInt32]

  init(_ hashes: [UInt64], bits: UInt64) {
    starts = [UInt32](repeating: 0, count: 1 << Int(bits) + 1)
    for hash in hashes { starts[Int(hash >> (64 - bits)) + 1] += 1 }
    for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
  }
}

/// What the events of a segment can be found by: made from its records alone, the same on all nodes.
package struct SegmentIndex: Sendable {
  let ids: IndexSection
  let names: IndexSection

  /// The index of the events from `first` to `last`, whose keys are counted from `first`.
  init(_ keys: LookupKeys, _ first: EventSequence, _ last: EventSequence) {
    let idShift = IndexLayout.ids.shift(first, last)
    ids = IndexSection(
      keys.ids, Self.stretches(keys.idEvents, first, .ids, idShift), .ids, shift: idShift)
    let nameShift = IndexLayout.names.shift(first, last)
    let (hashes, stretches) = Self.distinct(
      keys.names, Self.stretches(keys.nameEvents, first, .names, nameShift))
    names = IndexSection(hashes, stretches, .names, shift: nameShift)
  }

  /// The index of a segment's keys.
  init(_ keys: LookupKeys, of summary: SegmentSummary) {
    self.init(keys, summary.header.firstSequence, summary.lastSequence)
  }

  init(ids: IndexSection, names: IndexSection) {
    self.ids = ids
    self.names = names
  }

  private static func stretches(
    _ events: [UInt32], _ first: EventSequence, _ layout: IndexLayout, _ shift: UInt64
  ) -> [UInt16] {
    let base = first.rawValue &- 1
    return events.map { UInt16(truncatingIfNeeded: (base &+ UInt64($0)) >> shift - base >> shift) }
  }

  /// Each pair of hash and stretch once, by buckets. `stretches` ascend.
  private static func distinct(
    _ hashes: [UInt64], _ stretches: [UInt16]
  ) -> (hashes: [UInt64], stretches: [UInt16]) {
    let bits = IndexHead.bucketBits(hashes.count)
    let places = BucketPlaces(hashes, bits: bits)
    var next = places.starts
    var pairs = [HashInStretch](repeating: HashInStretch(), count: hashes.count)
    for (hash, stretch) in zip(hashes, stretches) {
      let bucket = Int(hash >> (64 - bits))
      pairs[Int(next[bucket])] = HashInStretch(hash: hash, stretch: stretch)
      next[bucket] += 1
    }
    var result: (hashes: [UInt64], stretches: [UInt16]) = ([], [])
    result.hashes.reserveCapacity(hashes.count)
    result.stretches.reserveCapacity(hashes.count)
    for bucket in 0..<places.starts.count - 1 {
      let range = Int(places.starts[bucket])..<Int(places.starts[bucket + 1])
      pairs.withUnsafeMutableBufferPointer { pairs in
        sort(UnsafeMutableBufferPointer(rebasing: pairs[range]))
      }
      for place in range where place == range.lowerBound || pairs[place] != pairs[place - 1] {
        result.hashes.append(pairs[place].hash)
        result.stretches.append(pairs[place].stretch)
      }
    }
    return result
  }
}

/// A hash in a stretch of events, by stretches first.
private struct HashInStretch: Comparable {
  var hash: UInt64 = 0
  var stretch: UInt16 = 0

  @inline(__always)
  static func < (left: Self, right: Self) -> Bool {
    left.stretch == right.stretch ? left.hash < right.hash : left.stretch < right.stretch
  }
}

/// Sorts a bucket, which comes in the order of its stretches: only the hashes of one are not in order.
private func sort<Element: Comparable>(_ bucket: UnsafeMutableBufferPointer<Element>) {
  var bucket = bucket
  guard bucket.count <= 2 * IndexHead.bucketEntryCount else {
    bucket.sort()
    return
  }
  for place in bucket.indices.dropFirst() {
    let entry = bucket[place]
    var target = place
    while target > 0, entry < bucket[target - 1] {
      bucket[target] = bucket[target - 1]
      target -= 1
    }
    bucket[target] = entry
  }
}

/// Reads the keys of a segment's records, batch by batch, and makes its index of them.
package struct SegmentKeys: Sendable {
  private let first: EventSequence
  private var keys: LookupKeys
  private let read: RecordKeys

  /// The keys of the segment with this header.
  package init(_ header: SegmentHeader, _ read: RecordKeys) {
    first = header.firstSequence
    keys = LookupKeys(header.lookupHash)
    self.read = read
  }

  /// Takes the next batch's records; false where they cannot be read.
  package mutating func append(_ records: borrowing RawSpan, of header: BatchHeader) -> Bool {
    read.read(
      records, UInt32(truncatingIfNeeded: header.firstSequence.rawValue &- first.rawValue), &keys)
  }

  /// The index, after the last batch.
  package func index(through last: EventSequence) -> SegmentIndex {
    SegmentIndex(keys, first, last)
  }
}

extension SegmentHeader {
  /// What the segment's keys are hashed under: nobody knows before the segment begins.
  package var lookupHash: SipHash { SipHash(keyOf: previousHash) }
}

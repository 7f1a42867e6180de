import Bytes
import Evidence

/// Puts right what hides the fields behind it: the checks, hashes and lengths of mutated bytes.
///
/// Written from the format's page, not with the writer's code: where the two differ, what is whole
/// here is refused there, and the corpus shows it.
struct FormatRepair {
  /// The bytes, as far as they have been repaired.
  private(set) var bytes: [UInt8]
  /// Whether batches also get the index, the sequence and the hash that follow from the one before.
  let isChained: Bool

  private static let magic: UInt32 = 0x184d_2a50
  private static let headerByteCount = 96
  private static let batchHeaderByteCount = 212
  private static let footerFixedByteCount = 192
  private static let footerByteCountMin = footerFixedByteCount + 32 + 8
  private static let tagHeader: UInt32 = 0x4846_5053
  private static let tagBatch: UInt32 = 0x4842_5053
  private static let tagFooter: UInt32 = 0x5446_5053
  private static let tagTrailer: UInt32 = 0x4546_5053
  private static let tagTree: UInt32 = 0x4552_5453
  private static let tagTransactions: UInt32 = 0x4e58_5453
  private static let tagAccounts: UInt32 = 0x4343_4153
  /// A section's tag and length, and an index's head.
  private static let indexHeadByteCount = 8 + 56
  private static let pageByteCount = 4096

  init(_ bytes: [UInt8], isChained: Bool) {
    self.bytes = bytes
    self.isChained = isChained
  }

  // MARK: A segment's file

  /// What one batch says of the next.
  private struct Link {
    var index: UInt64
    var sequence: UInt64
    var hash: [UInt8]
  }

  /// A segment's file, its checks and hashes made anew.
  static func segment(_ bytes: [UInt8], isChained: Bool) -> [UInt8] {
    var repair = FormatRepair(bytes, isChained: isChained)
    repair.repairSegment()
    return repair.bytes
  }

  private mutating func repairSegment() {
    guard bytes.count >= Self.headerByteCount else { return }
    if isChained { prefix(at: 0, byteCount: Self.headerByteCount, tag: Self.tagHeader) }
    put(check(8..<88), at: 88)
    var link = Link(
      index: integer(at: 32), sequence: integer(at: 40), hash: Array(bytes[48..<80]))
    var offset = Self.headerByteCount
    while offset + 12 <= bytes.count {
      if integer(at: offset + 8, as: UInt32.self) == Self.tagFooter {
        repairFooter(at: offset, link)
        return
      }
      guard let end = repairBatch(at: offset, &link, mayReach: bytes.count) else { return }
      offset = end
    }
  }

  /// Returns where the batch ends, or nil where there is none.
  private mutating func repairBatch(at offset: Int, _ link: inout Link, mayReach end: Int) -> Int? {
    let frame = offset + Self.batchHeaderByteCount
    guard frame <= end else { return nil }
    if isChained {
      prefix(at: offset, byteCount: Self.batchHeaderByteCount, tag: Self.tagBatch)
      put(link.index, at: offset + 16)
      put(link.sequence, at: offset + 32)
      bytes.replaceSubrange(offset + 136..<offset + 168, with: link.hash)
    }
    let length = Int(integer(at: offset + 200, as: UInt32.self))
    guard length <= end - frame else { return nil }
    if let records = StoredFrame.content(bytes[frame..<frame + length]) {
      put(UInt32(records.count), at: offset + 44)
      hash(offset, records)
    } else if length == 0 {
      hash(offset, [])
    }
    put(check(offset + 8..<offset + 204), at: offset + 204)
    link.index = integer(at: offset + 16) &+ 1
    link.sequence =
      integer(at: offset + 32) &+ UInt64(integer(at: offset + 40, as: UInt32.self))
    link.hash = Array(bytes[offset + 168..<offset + 200])
    return frame + length
  }

  private mutating func hash(_ offset: Int, _ records: ArraySlice<UInt8>) {
    let hashed = Array(bytes[offset + 8..<offset + 168] + records)
    bytes.replaceSubrange(
      offset + 168..<offset + 200, with: Digest256Hasher.digest(hashed.span.bytes).bytes)
  }

  private mutating func repairFooter(at offset: Int, _ link: Link) {
    let byteCount = bytes.count - offset
    guard byteCount >= Self.footerByteCountMin else { return }
    prefix(at: offset, byteCount: byteCount, tag: Self.tagFooter)
    let checkOffset = bytes.count - 40
    if isChained {
      bytes.replaceSubrange(offset + 72..<offset + 104, with: link.hash)
      put(UInt32(checkOffset - offset - Self.footerFixedByteCount), at: offset + 184)
      repairRoot(offset + Self.footerFixedByteCount..<checkOffset, totals: offset)
    }
    let bodies = repairIndex(offset + Self.footerFixedByteCount..<checkOffset)
    if isChained, let first = bodies.first {
      let plainEnd = first.lowerBound - Self.indexHeadByteCount
      put(UInt32(plainEnd - offset - Self.footerFixedByteCount), at: offset + 188)
    }
    // The check is over all but the bodies, whose heads hold their digests.
    var hasher = Digest256Hasher()
    var start = offset + 8
    for body in bodies {
      hasher.update(bytes.span.bytes.extracting(start..<body.lowerBound))
      start = body.upperBound
    }
    hasher.update(bytes.span.bytes.extracting(start..<checkOffset))
    bytes.replaceSubrange(checkOffset..<checkOffset + 32, with: hasher.finalize().bytes)
    put(UInt32(byteCount), at: bytes.count - 8)
    put(Self.tagTrailer, at: bytes.count - 4)
  }

  /// The checks of the pages, the digests and the checks of the heads in the sections of the index;
  /// returns where their bodies are.
  private mutating func repairIndex(_ sections: Range<Int>) -> [Range<Int>] {
    var bodies: [Range<Int>] = []
    var offset = sections.lowerBound
    while offset + 8 <= sections.upperBound {
      let tag: UInt32 = integer(at: offset)
      let end = offset + 8 + Int(integer(at: offset + 4, as: UInt32.self))
      guard end <= sections.upperBound else { return bodies }
      let body = offset + Self.indexHeadByteCount
      if [Self.tagTransactions, Self.tagAccounts].contains(tag), end >= body {
        repairPages(body..<end, head: offset + 8)
        let digest = Digest256Hasher.digest(bytes.span.bytes.extracting(body..<end))
        bytes.replaceSubrange(offset + 24..<offset + 56, with: digest.bytes)
        put(check(offset..<offset + 56), at: offset + 56)
        bodies.append(body..<end)
      }
      offset = end
    }
    return bodies
  }

  private mutating func repairPages(_ body: Range<Int>, head: Int) {
    let count = UInt64(integer(at: head, as: UInt32.self))
    let bits = integer(at: head + 4, as: UInt32.self)
    guard bits < 24 else { return }
    let content = Int(4 * (1 << UInt64(bits) + 1 + count))
    var place = body.lowerBound + content
    for start in stride(from: 0, to: content, by: Self.pageByteCount) {
      guard place + 8 <= body.upperBound else { return }
      let page = start..<min(start + Self.pageByteCount, content)
      let check = check(body.lowerBound + page.lowerBound..<body.lowerBound + page.upperBound)
      put(check, at: place)
      place += 8
    }
  }

  /// The root in the section of the tree, from the hashes of the tree after the last event.
  private mutating func repairRoot(_ sections: Range<Int>, totals: Int) {
    var offset = sections.lowerBound
    while offset + 8 <= sections.upperBound {
      let content = offset + 8
      let end = content + Int(integer(at: offset + 4, as: UInt32.self))
      guard end <= sections.upperBound else { return }
      if integer(at: offset, as: UInt32.self) == Self.tagTree, end - content >= 32 {
        let hashes = stride(from: content + 32, through: end - 32, by: 32).map {
          Digest256(at: $0, in: bytes.span.bytes)
        }
        let first: UInt64 = integer(at: totals + 32)
        let last: UInt64 = integer(at: totals + 40)
        guard
          let tree = SegmentTree(from: first &- 1, to: last, hashes: hashes)
        else { return }
        bytes.replaceSubrange(content..<content + 32, with: tree.after.root.bytes)
      }
      offset = end
    }
  }

  // MARK: Batches in a frame

  /// Bytes with `u32 length | batch` one after the other from `offset` on, the batches' checks and
  /// hashes made anew; the first has the index after `previous`.
  static func batches(_ bytes: [UInt8], at offset: Int, after previous: UInt64) -> [UInt8] {
    var repair = FormatRepair(bytes, isChained: true)
    var offset = offset
    var link = Link(index: previous &+ 1, sequence: 1, hash: [UInt8](repeating: 0, count: 32))
    while offset + 4 + batchHeaderByteCount <= bytes.count {
      if let end = repair.repairBatch(at: offset + 4, &link, mayReach: bytes.count) {
        repair.put(UInt32(end - offset - 4), at: offset)
        offset = end
      } else {
        break
      }
    }
    return repair.bytes
  }

  // MARK: Fields

  private mutating func prefix(at offset: Int, byteCount: Int, tag: UInt32) {
    put(Self.magic, at: offset)
    put(UInt32(byteCount - 8), at: offset + 4)
    put(tag, at: offset + 8)
  }

  private func integer<T: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: T.Type = T.self
  ) -> T {
    bytes.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
  }

  private mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
  }

  /// The first eight bytes of the digest of a range.
  private func check(_ range: Range<Int>) -> UInt64 {
    Digest256Hasher.digest(bytes.span.bytes.extracting(range)).withBytes {
      UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
    }
  }
}

/// LZ4 frames of one block that is stored, without checksums: their content can be changed at will.
enum StoredFrame {
  /// Magic, FLG (version 1, independent blocks), BD (1 MiB), and the check of these two.
  private static let head: [UInt8] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x60, 0x51]

  /// The frame with this content, of fewer than 2^20 bytes.
  static func frame(_ content: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(contentsOf: head)
    writer.integer(UInt32(content.count) | 1 << 31)
    writer.append(contentsOf: content)
    writer.integer(UInt32(0))
    return writer.bytes
  }

  /// The content of such a frame, or nil.
  static func content(_ frame: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let overhead = head.count + 8
    guard frame.count > overhead, frame.starts(with: head) else { return nil }
    let content = frame.dropFirst(head.count + 4).dropLast(4)
    let size = frame.dropFirst(head.count).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    return size == UInt32(content.count) | 1 << 31 ? content : nil
  }
}

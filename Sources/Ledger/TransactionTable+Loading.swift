import Bytes

/// How far the loading of a table has come.
struct TableLoading: BitwiseCopyable {
  /// Where the next segment's places begin, in units of 2^40: the directory at its greatest depth.
  var position: UInt64 = 0
  /// Slots of the last segment that have been loaded; all of them between segments.
  var loadedSlotCount = 0
  /// Slots of all segments so far.
  var slotCount: UInt64 = 0

  /// Where the last segment's places end.
  static let positionEnd: UInt64 = 1 << UInt64(TransactionTable.directoryDepthMax)
}

extension TransactionTable {
  /// Whether pages are still to come.
  var isLoading: Bool {
    guard let loading else { return false }
    return loading.position < TableLoading.positionEnd
  }

  /// Takes the next page over: the entries go to the very slots that they had.
  mutating func loadPage(
    from reader: inout ByteReader, in piece: borrowing RawSpan, _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    let start = reader.offset
    guard var loading, isLoading else { throw .invalidField("ledger.page", offset: start) }
    let opening = try reader.integer(UInt32.self, in: piece)
    let entryCount = Int(try reader.integer(UInt32.self, in: piece))
    let depth = opening & 0xff
    let slotBits = Int(opening >> 8)
    if loading.loadedSlotCount == 0 {
      try openSegment(depth, slotBits, &loading, head, offset: start)
    }
    var segment = segments[segments.count - 1]
    let slotCount = Int(segment.mask) + 1
    let pageSlotCount = min(slotCount, LedgerSnapshot.pageSlotCount)
    guard depth == segment.depth, slotBits == slotCount.trailingZeroBitCount,
      entryCount <= pageSlotCount
    else { throw .invalidField("ledger.page", offset: start) }
    let bits = try reader.skip(pageSlotCount / 8)
    let entries = try reader.skip(entryCount * MemoryLayout<TransactionEntry>.stride)
    try scatter(
      bits.lowerBound, entries, in: piece, to: segment.entries + loading.loadedSlotCount,
      slotCount: pageSlotCount, prefix: loading.position, depth: depth, head)
    segment.count += UInt32(entryCount)
    count += entryCount
    segments[segments.count - 1] = segment
    loading.loadedSlotCount += pageSlotCount
    if loading.loadedSlotCount == slotCount {
      // An empty slot must be left for probing to stop at: a table grows at three quarters.
      guard UInt64(segment.count) * 4 <= UInt64(slotCount) * 3, count <= Int(head.transactionCount)
      else { throw .invalidField("ledger.segment.count", offset: start) }
      loading.loadedSlotCount = 0
      loading.position += 1 << UInt64(Self.directoryDepthMax - Int(depth))
    }
    self.loading = loading
  }

  private mutating func openSegment(
    _ depth: UInt32, _ slotBits: Int, _ loading: inout TableLoading, _ head: LedgerSnapshotHead,
    offset: Int
  ) throws(DecodeError) {
    let error = DecodeError.invalidField("ledger.segment", offset: offset)
    guard UInt64(depth) <= head.depth, UInt64(segments.count) < head.segmentCount,
      (Self.segmentCapacityInitial.trailingZeroBitCount...31).contains(slotBits)
    else { throw error }
    let slotCount = 1 << slotBits
    // Only the first segment has fewer slots, only one that cannot split has more.
    guard slotCount >= Self.segmentCapacity || depth == 0,
      slotCount <= Self.segmentCapacity || depth == UInt32(Self.directoryDepthMax)
    else { throw error }
    let size: UInt64 = 1 << UInt64(Self.directoryDepthMax - Int(depth))
    loading.slotCount += UInt64(slotCount)
    guard loading.position.isMultiple(of: size),
      loading.slotCount <= UInt64(Self.segmentCapacity) + head.transactionCount
        * LedgerSnapshot.slotsPerTransactionMax
    else { throw error }
    let isInSlab = slotCount == Self.segmentCapacity
    segments.append(
      Segment(
        entries: isInSlab ? slabs.take() : Self.allocate(slotCount),
        mask: UInt32(slotCount - 1), count: 0, depth: depth, isInSlab: isInSlab))
  }

  /// Puts a page's entries where its bits say.
  private func scatter(
    _ bits: Int, _ entries: Range<Int>, in piece: borrowing RawSpan,
    to target: UnsafeMutablePointer<TransactionEntry>, slotCount: Int, prefix: UInt64,
    depth: UInt32, _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    var offset = entries.lowerBound
    // The top bits that the places of all the entries share. A shift by 64 gives zero.
    let shift = UInt64(64 - depth)
    let expected = prefix >> UInt64(Self.directoryDepthMax - Int(depth))
    for firstSlot in stride(from: 0, to: slotCount, by: 64) {
      var word = UInt64(
        littleEndian: piece.unsafeLoadUnaligned(
          fromByteOffset: bits + firstSlot / 8, as: UInt64.self))
      guard word.nonzeroBitCount * 32 <= entries.upperBound - offset else {
        throw .invalidField("ledger.page.bits", offset: bits)
      }
      while word != 0 {
        let entry = TransactionEntry(at: offset, in: piece)
        guard entry.isStorable(through: head.lastSequence), place(entry.key) >> shift == expected
        else { throw .invalidField("ledger.entry", offset: offset) }
        target[firstSlot + word.trailingZeroBitCount] = entry
        word &= word - 1
        offset += MemoryLayout<TransactionEntry>.stride
      }
    }
    guard offset == entries.upperBound else {
      throw .invalidField("ledger.page.bits", offset: bits)
    }
  }

  /// Makes the table whole, when the last page has come.
  mutating func endLoading(_ head: LedgerSnapshotHead) throws(DecodeError) {
    guard loading != nil, !isLoading, count == Int(head.transactionCount),
      segments.count == Int(head.segmentCount)
    else { throw .invalidField("ledger.transactions", offset: 0) }
    loading = nil
    var deepest: UInt32 = 0
    for index in 0..<segments.count { deepest = max(deepest, segments[index].depth) }
    guard UInt64(deepest) == head.depth else {
      throw .invalidField("ledger.depth", offset: 0)
    }
    depth = Int(deepest)
    directory = FlatStorage(capacity: 1 << depth)
    for index in 0..<segments.count {
      for _ in 0..<1 << (depth - Int(segments[index].depth)) { directory.append(UInt32(index)) }
    }
  }
}

extension TransactionEntry {
  /// Reads an entry. Precondition: it lies inside.
  @inline(__always)
  fileprivate init(at offset: Int, in bytes: borrowing RawSpan) {
    func word(_ place: Int) -> UInt64 {
      UInt64(
        littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + place, as: UInt64.self))
    }
    self.init(keyHigh: word(0), keyLow: word(8), fingerprint: word(16), packed: word(24))
  }

  /// Whether a ledger that has come to `last` can have made the entry: what a new id can give.
  @inline(__always)
  fileprivate func isStorable(through last: EventSequence) -> Bool {
    guard sequence > .zero, sequence <= last, let code = OutcomeCode(rawValue: codeNumber) else {
      return false
    }
    switch code {
    case .applied, .balanceOverflow, .sameAccount, .exponentMismatch, .accountsFull,
      .insufficientFunds, .unknownAccount:
      return true
    case .duplicate, .noted, .idReused: return false
    }
  }
}

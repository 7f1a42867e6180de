import Bytes

extension LedgerState {
  /// Writes the ledger as pieces of at most ``LedgerSnapshot/pieceByteCountMax`` bytes, in order:
  /// what ``LedgerLoader`` reads. A span is good during its call only.
  ///
  /// Precondition: no batch has failed midway, and ``gatherHeld()`` came before. Errors are those of
  /// `emit`.
  package borrowing func writeSnapshot<E: Error>(
    _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    precondition(!isBroken, "half a batch is no ledger")
    precondition(!aged.hasTable, "one table holds all that is held")
    let head = LedgerSnapshotHead(self).encode(exponents: exponents)
    try emit(head.span.bytes)
    var pieces = PieceBuffer()
    try cluster.write(to: &pieces, emit)
    try accounts.write(to: &pieces, emit)
    try bitmap.write(to: &pieces, emit)
    try transactions.write(to: &pieces, emit)
    try aged.write(to: &pieces, emit)
  }
}

extension AgedTransactions {
  /// The refused ones, then 40 bits of the place of each id.
  borrowing func write<E: Error>(
    to pieces: inout PieceBuffer, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    pieces.start(.agedRejections)
    for index in 0..<rejections.count {
      let rejection = rejections[index]
      try pieces.reserve(LedgerSnapshotHead.agedRejectionByteCount, emit)
      pieces.append(LedgerSnapshotHead.agedRejectionByteCount) { target in
        target.storeBytes(of: rejection.littleEndian, as: UInt64.self)
        return LedgerSnapshotHead.agedRejectionByteCount
      }
    }
    try pieces.finish(emit)
    pieces.start(.agedIDs)
    try filter.forEach { (place: UInt64) throws(E) in
      try pieces.reserve(LedgerSnapshotHead.agedIDByteCount, emit)
      pieces.append(LedgerSnapshotHead.agedIDByteCount) { target in
        target.storeBytes(of: UInt8(truncatingIfNeeded: place >> 56), as: UInt8.self)
        target.storeBytes(
          of: UInt32(truncatingIfNeeded: place >> 24).littleEndian, toByteOffset: 1,
          as: UInt32.self)
        return LedgerSnapshotHead.agedIDByteCount
      }
    }
    try pieces.finish(emit)
  }
}

/// Gathers items into pieces.
struct PieceBuffer: ~Copyable {
  private var bytes = FlatStorage<UInt8>(capacity: LedgerSnapshot.pieceByteCountMax)
  private var itemCount: UInt32 = 0

  /// Opens a piece; the last one must have been finished.
  mutating func start(_ kind: LedgerSnapshot.PieceKind) {
    assert(bytes.count == 0)
    itemCount = 0
    bytes.append(kind.rawValue)
    for _ in 1..<LedgerSnapshot.pieceHeaderByteCount { bytes.append(0) }
  }

  /// Room for an item of at most `byteCount` bytes, after handing on the piece where it is full.
  mutating func reserve<E: Error>(
    _ byteCount: Int, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    guard bytes.count + byteCount > LedgerSnapshot.pieceByteCountMax else { return }
    guard let kind = LedgerSnapshot.PieceKind(rawValue: bytes[0]) else {
      preconditionFailure("a piece has a kind")
    }
    try finish(emit)
    start(kind)
  }

  /// Counts an item, which `fill` writes from the start of what was reserved; it returns how many
  /// bytes it has.
  @inline(__always)
  mutating func append(_ byteCountMax: Int, _ fill: (UnsafeMutableRawPointer) -> Int) {
    bytes.append(byteCountMax, fill)
    itemCount += 1
  }

  /// Hands on the piece, if there is anything in it.
  mutating func finish<E: Error>(_ emit: (borrowing RawSpan) throws(E) -> Void) throws(E) {
    if itemCount > 0 {
      for shift in 0..<4 {
        bytes[4 + shift] = UInt8(truncatingIfNeeded: itemCount >> UInt32(shift * 8))
      }
      try emit(UnsafeRawBufferPointer(bytes.elements).bytes)
    }
    bytes.removeAll()
    itemCount = 0
  }
}

extension ClusterFacts {
  /// What the events say of the cluster, as one item.
  func write<E: Error>(
    to pieces: inout PieceBuffer, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    var writer = ByteWriter()
    encode(into: &writer)
    let bytes = writer.bytes
    precondition(bytes.count <= LedgerSnapshot.factsByteCountMax, "the facts have their limit")
    pieces.start(.cluster)
    pieces.append(bytes.count) { target in
      bytes.withUnsafeBytes { source in
        if let start = source.baseAddress {
          target.copyMemory(from: start, byteCount: source.count)
        }
      }
      return bytes.count
    }
    try pieces.finish(emit)
  }
}

extension AccountTable {
  /// Accounts in the order in which they were opened: balance, currency, name.
  borrowing func write<E: Error>(
    to pieces: inout PieceBuffer, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    pieces.start(.accounts)
    for number in 0..<count {
      let account = accounts[number]
      let nameByteCount = Int(account.nameByteCount)
      let byteCount = LedgerSnapshot.accountByteCountMin + nameByteCount
      try pieces.reserve(byteCount, emit)
      let name = UnsafeRawBufferPointer(
        rebasing: UnsafeRawBufferPointer(names.elements)[account.nameOffset...]
          .prefix(nameByteCount))
      pieces.append(byteCount) { target in
        target.storeBytes(of: account.balance.littleEndian, as: Int128.self)
        target.storeBytes(
          of: account.currency.packed.littleEndian, toByteOffset: 16, as: UInt32.self)
        target.storeBytes(
          of: UInt16(nameByteCount).littleEndian, toByteOffset: 20, as: UInt16.self)
        if let start = name.baseAddress {
          (target + LedgerSnapshot.accountByteCountMin)
            .copyMemory(from: start, byteCount: nameByteCount)
        }
        return byteCount
      }
    }
    try pieces.finish(emit)
  }
}

extension AppliedBitmap {
  /// Words of the bitmap that hold an event's bit.
  var wordCount: Int { Int((count + 63) / 64) }

  /// The words, event 1 in the lowest bit of the first.
  borrowing func write<E: Error>(
    to pieces: inout PieceBuffer, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    pieces.start(.applied)
    for word in 0..<wordCount {
      try pieces.reserve(8, emit)
      let value = chunks[word / Self.chunkWordCount][word % Self.chunkWordCount]
      pieces.append(8) { target in
        target.storeBytes(of: value.littleEndian, as: UInt64.self)
        return 8
      }
    }
    try pieces.finish(emit)
  }
}

extension TransactionTable {
  /// Segments in the order of the places that they hold, each as pages.
  borrowing func write<E: Error>(
    to pieces: inout PieceBuffer, _ emit: (borrowing RawSpan) throws(E) -> Void
  ) throws(E) {
    pieces.start(.transactions)
    var index = 0
    while index < directory.count {
      let segment = segments[Int(directory[index])]
      let slotCount = Int(segment.mask) + 1
      for first in stride(from: 0, to: slotCount, by: LedgerSnapshot.pageSlotCount) {
        try pieces.reserve(LedgerSnapshot.pageByteCountMax, emit)
        let pageSlotCount = min(slotCount - first, LedgerSnapshot.pageSlotCount)
        pieces.append(LedgerSnapshot.pageByteCountMax) { target in
          Self.writePage(of: segment, first..<first + pageSlotCount, to: target)
        }
      }
      index += 1 << (depth - Int(segment.depth))
    }
    try pieces.finish(emit)
  }

  /// Writes one page, and returns its length: header, a bit for each slot, the entries there are.
  private static func writePage(
    of segment: Segment, _ slots: Range<Int>, to target: UnsafeMutableRawPointer
  ) -> Int {
    let bits = target + LedgerSnapshot.pageHeaderByteCount
    var next = bits + slots.count / 8
    var count: UInt32 = 0
    for firstSlot in stride(from: slots.lowerBound, to: slots.upperBound, by: 64) {
      var word: UInt64 = 0
      for offset in 0..<64 {
        let entry = segment.entries[firstSlot + offset]
        if entry.isEmpty { continue }
        word |= 1 << UInt64(offset)
        next.storeBytes(of: entry.keyHigh.littleEndian, as: UInt64.self)
        next.storeBytes(of: entry.keyLow.littleEndian, toByteOffset: 8, as: UInt64.self)
        next.storeBytes(of: entry.fingerprint.littleEndian, toByteOffset: 16, as: UInt64.self)
        next.storeBytes(of: entry.packed.littleEndian, toByteOffset: 24, as: UInt64.self)
        next += MemoryLayout<TransactionEntry>.stride
        count += 1
      }
      bits.storeBytes(
        of: word.littleEndian, toByteOffset: (firstSlot - slots.lowerBound) / 8, as: UInt64.self)
    }
    let slotCount = UInt64(segment.mask) + 1
    target.storeBytes(of: UInt8(segment.depth), as: UInt8.self)
    target.storeBytes(
      of: UInt8(slotCount.trailingZeroBitCount), toByteOffset: 1, as: UInt8.self)
    target.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
    target.storeBytes(of: count.littleEndian, toByteOffset: 4, as: UInt32.self)
    return next - target
  }
}

import Bytes

/// The form of a ledger in a snapshot (<doc:LedgerSnapshots>): a row of pieces, each of which can be
/// checked and read by itself.
package enum LedgerSnapshot {
  /// The version that the first piece carries.
  static let version: UInt8 = 2
  /// Most bytes of one piece.
  package static let pieceByteCountMax = 1 << 20
  /// Bytes before a piece's items: kind, zeros, and how many items there are.
  static let pieceHeaderByteCount = 8
  /// Most bytes of what the ledger says of the cluster: every rule, and one change of members.
  static let factsByteCountMax = 1 + PolicyKey.allCases.count * 12 + Record.byteCountMax
  /// Slots of the transaction table that are written together.
  static let pageSlotCount = TransactionTable.segmentCapacity
  /// Most bytes of one page: its header, a bit for each slot, and all slots taken.
  static let pageByteCountMax = pageHeaderByteCount + pageSlotCount / 8 + pageSlotCount * 32
  /// Bytes before a page's bits.
  static let pageHeaderByteCount = 8
  /// Bytes of an account without its name.
  static let accountByteCountMin = 22
  /// Most slots for each transaction: someone who knows the seed can have 3072 ids make 24 segments
  /// of 4096 slots; nothing makes more.
  static let slotsPerTransactionMax: UInt64 = 64

  /// What a piece holds. They come in this order, each kind until all of it has come.
  enum PieceKind: UInt8 {
    case head = 1
    case cluster = 2
    case accounts = 3
    case applied = 4
    case transactions = 5
    case agedRejections = 6
    case agedIDs = 7
  }
}

/// A snapshot's first piece: everything of a ledger that is no table.
struct LedgerSnapshotHead {
  /// Where the tables put things. HAZARD: whoever reads it can choose ids that crowd one segment of
  /// this node's table; a snapshot is as private as the data directory.
  var seed: UInt64
  var lastSequence: EventSequence
  var digest: Digest256
  var counts: LedgerCounts
  var accountCount: UInt64
  var transactionCount: UInt64
  var segmentCount: UInt64
  /// Bits of the transaction table's directory.
  var depth: UInt64

  /// Events up to here are in the log alone.
  var agedThrough: EventSequence
  var agedIDCount: UInt64
  var agedRejectionCount: UInt64

  static let byteCount = 8 + 8 + 8 + 32 + 5 * 8 + 7 * 8 + Currency.codeCount
  /// Bytes of an id that was let go of.
  static let agedIDByteCount = 5
  /// Bytes of a refused transaction that was let go of.
  static let agedRejectionByteCount = 8
}

extension LedgerSnapshotHead {
  init(_ ledger: borrowing LedgerState) {
    seed = ledger.transactions.seed
    lastSequence = ledger.lastSequence
    digest = ledger.digest
    counts = ledger.counts
    accountCount = UInt64(ledger.accounts.count)
    transactionCount = UInt64(ledger.transactions.count)
    segmentCount = UInt64(ledger.transactions.segments.count)
    depth = UInt64(ledger.transactions.depth)
    agedThrough = ledger.aged.through
    agedIDCount = ledger.aged.filter.count
    agedRejectionCount = UInt64(ledger.aged.rejections.count)
  }

  func encode(exponents: borrowing FlatStorage<UInt8>) -> [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.integer(LedgerSnapshot.PieceKind.head.rawValue)
    writer.integer(LedgerSnapshot.version)
    writer.integer(UInt16(0))
    writer.integer(UInt32(1))
    writer.integer(seed)
    writer.integer(lastSequence.rawValue)
    digest.withBytes { writer.append(contentsOf: $0) }
    for count in [
      counts.events, counts.applied, counts.duplicates, counts.rejected, counts.noted,
      accountCount, transactionCount, segmentCount, depth, agedThrough.rawValue, agedIDCount,
      agedRejectionCount,
    ] {
      writer.integer(count)
    }
    exponents.withElements { writer.append(contentsOf: $0) }
    assert(writer.count == Self.byteCount)
    return writer.bytes
  }

  /// Reads the first piece; `byteCount` is what all pieces have together.
  init(
    _ piece: borrowing RawSpan, byteCount: UInt64, exponents: inout FlatStorage<UInt8>
  ) throws(DecodeError) {
    var reader = ByteReader(piece)
    guard piece.byteCount == Self.byteCount else { throw .truncated(offset: piece.byteCount) }
    let opening = try reader.integer(UInt64.self, in: piece)
    let expected =
      UInt64(LedgerSnapshot.PieceKind.head.rawValue) | UInt64(LedgerSnapshot.version) << 8 | 1 << 32
    guard opening == expected else { throw .invalidField("ledger.version", offset: 0) }
    seed = try reader.integer(UInt64.self, in: piece)
    lastSequence = EventSequence(try reader.integer(UInt64.self, in: piece))
    digest = Digest256(at: try reader.skip(Digest256.byteCount).lowerBound, in: piece)
    counts = LedgerCounts()
    counts.events = try reader.integer(UInt64.self, in: piece)
    counts.applied = try reader.integer(UInt64.self, in: piece)
    counts.duplicates = try reader.integer(UInt64.self, in: piece)
    counts.rejected = try reader.integer(UInt64.self, in: piece)
    counts.noted = try reader.integer(UInt64.self, in: piece)
    accountCount = try reader.integer(UInt64.self, in: piece)
    transactionCount = try reader.integer(UInt64.self, in: piece)
    segmentCount = try reader.integer(UInt64.self, in: piece)
    depth = try reader.integer(UInt64.self, in: piece)
    agedThrough = EventSequence(try reader.integer(UInt64.self, in: piece))
    agedIDCount = try reader.integer(UInt64.self, in: piece)
    agedRejectionCount = try reader.integer(UInt64.self, in: piece)
    try check(byteCount: byteCount)
    for code in 0..<Currency.codeCount {
      let mark = try reader.integer(UInt8.self, in: piece)
      guard mark <= UInt8(Currency.exponentMax + 1) else {
        throw .invalidField("ledger.exponents", offset: reader.offset - 1)
      }
      exponents[code] = mark
    }
  }

  /// No count is believed that the bytes cannot hold, and none that contradicts another.
  private func check(byteCount: UInt64) throws(DecodeError) {
    guard lastSequence <= LedgerState.sequenceMax, counts.events == lastSequence.rawValue,
      [counts.applied, counts.duplicates, counts.rejected, counts.noted]
        .allSatisfy({ $0 <= counts.events }),
      counts.applied + counts.duplicates + counts.rejected + counts.noted == counts.events
    else { throw .invalidField("ledger.counts", offset: 56) }
    guard accountCount <= UInt64(AccountTable.countMax),
      accountCount <= byteCount / UInt64(LedgerSnapshot.accountByteCountMin)
    else { throw .invalidField("ledger.accountCount", offset: 96) }
    guard transactionCount <= counts.events,
      transactionCount <= byteCount / UInt64(MemoryLayout<TransactionEntry>.stride)
    else { throw .invalidField("ledger.transactionCount", offset: 104) }
    guard depth <= UInt64(TransactionTable.directoryDepthMax), segmentCount >= 1,
      segmentCount <= 1 << depth
    else { throw .invalidField("ledger.segmentCount", offset: 112) }
    guard agedThrough <= lastSequence, agedIDCount <= counts.events,
      agedIDCount <= byteCount / UInt64(Self.agedIDByteCount),
      agedRejectionCount <= agedThrough.rawValue,
      agedRejectionCount <= byteCount / UInt64(Self.agedRejectionByteCount),
      (agedIDCount == 0) || lastSequence > .zero
    else { throw .invalidField("ledger.aged", offset: 128) }
  }
}

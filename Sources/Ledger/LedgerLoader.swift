package import Bytes

/// Builds a ledger from the pieces that ``LedgerState/writeSnapshot(_:)`` wrote.
///
/// Whoever feeds it has verified each piece's digest before. It still believes no count that the
/// bytes do not bear out, so that pieces which are whole and wrong give an error and no crash.
package struct LedgerLoader: ~Copyable {
  private var ledger: LedgerState
  private var head: LedgerSnapshotHead?
  /// What all pieces have together, bytes.
  private let byteCount: UInt64
  private var hasFacts = false

  /// A loader of pieces that have `byteCount` bytes together.
  package init(byteCount: UInt64) {
    self.byteCount = byteCount
    ledger = LedgerState()
  }

  /// Takes the next piece. After an error the loader is of no use.
  package mutating func take(_ piece: borrowing RawSpan) throws(DecodeError) {
    guard let head else {
      var exponents = FlatStorage<UInt8>(repeating: 0, count: Currency.codeCount)
      let head = try LedgerSnapshotHead(piece, byteCount: byteCount, exponents: &exponents)
      ledger = LedgerState(loading: head, exponents: exponents)
      self.head = head
      if head.accountCount == 0 { try ledger.accounts.endLoading() }
      return
    }
    var reader = ByteReader(piece)
    let opening = try reader.integer(UInt32.self, in: piece)
    let itemCount = Int(try reader.integer(UInt32.self, in: piece))
    guard opening < 256, let kind = LedgerSnapshot.PieceKind(rawValue: UInt8(opening)),
      kind == due(head), itemCount > 0
    else { throw .invalidField("ledger.piece", offset: 0) }
    switch kind {
    case .head: throw .invalidField("ledger.piece", offset: 0)
    case .cluster:
      let facts = try reader.skip(reader.remaining)
      guard itemCount == 1, facts.count <= LedgerSnapshot.factsByteCountMax else {
        throw .invalidField("ledger.cluster", offset: facts.lowerBound)
      }
      ledger.cluster = try ClusterFacts(decoding: piece.extracting(facts))
      hasFacts = true
    case .accounts:
      try ledger.accounts.load(itemCount, from: &reader, in: piece, head)
      if ledger.accounts.count == Int(head.accountCount) { try ledger.accounts.endLoading() }
    case .applied: try ledger.bitmap.load(itemCount, from: &reader, in: piece, head)
    case .agedRejections:
      try ledger.aged.load(rejections: itemCount, from: &reader, in: piece, head)
    case .agedIDs: try ledger.aged.load(ids: itemCount, from: &reader, in: piece, head)
    case .transactions:
      for _ in 0..<itemCount { try ledger.transactions.loadPage(from: &reader, in: piece, head) }
    }
    guard reader.isAtEnd else { throw .invalidField("ledger.piece.end", offset: reader.offset) }
  }

  /// The kind of the next piece, or nil after the last.
  private borrowing func due(_ head: LedgerSnapshotHead) -> LedgerSnapshot.PieceKind? {
    if !hasFacts { return .cluster }
    if ledger.accounts.count < Int(head.accountCount) { return .accounts }
    if ledger.bitmap.count < head.counts.events { return .applied }
    if ledger.transactions.isLoading { return .transactions }
    if UInt64(ledger.aged.rejections.count) < head.agedRejectionCount { return .agedRejections }
    return ledger.aged.filter.count < head.agedIDCount ? .agedIDs : nil
  }

  /// The ledger, when all pieces have come.
  package consuming func finish() throws(DecodeError) -> LedgerState {
    guard let head, due(head) == nil else { throw .invalidField("ledger.end", offset: 0) }
    try ledger.transactions.endLoading(head)
    return ledger
  }
}

extension LedgerState {
  /// A ledger with empty tables that are about to be loaded.
  fileprivate init(loading head: LedgerSnapshotHead, exponents: consuming FlatStorage<UInt8>) {
    self.init(seed: head.seed)
    self.exponents = exponents
    transactions = TransactionTable(loadingWithSeed: head.seed)
    aged.through = head.agedThrough
    counts = head.counts
    lastSequence = head.lastSequence
    digest = head.digest
  }
}

extension AccountTable {
  /// Takes accounts over; they cannot be found before ``endLoading()``.
  fileprivate mutating func load(
    _ itemCount: Int, from reader: inout ByteReader, in piece: borrowing RawSpan,
    _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    for _ in 0..<itemCount {
      guard count < Int(head.accountCount) else {
        throw .invalidField("ledger.accounts", offset: reader.offset)
      }
      let balance = try reader.integer(Int128.self, in: piece)
      let packed = try reader.integer(UInt32.self, in: piece)
      guard let currency = Currency(packed: packed) else {
        throw .invalidField("ledger.account.currency", offset: reader.offset - 4)
      }
      let nameByteCount = Int(try reader.integer(UInt16.self, in: piece))
      guard (1...NameText.nameByteCountMax).contains(nameByteCount) else {
        throw .invalidField("ledger.account.name", offset: reader.offset - 2)
      }
      let name = try reader.skip(nameByteCount)
      accounts.append(
        Account(
          balance: balance, nameOffset: names.count, currency: currency,
          nameByteCount: UInt32(nameByteCount)))
      names.append(name, of: piece)
    }
  }

  /// Makes all accounts findable, and refuses two that are one.
  fileprivate mutating func endLoading() throws(DecodeError) {
    var placeCount = 128
    while accounts.count * 4 >= placeCount * 3 { placeCount *= 2 }
    places = FlatStorage(repeating: 0, count: placeCount)
    mask = UInt32(placeCount - 1)
    let bytes = UnsafeRawBufferPointer(names.elements).bytes
    for number in 0..<accounts.count {
      let account = accounts[number]
      let name = account.nameOffset..<account.nameOffset + Int(account.nameByteCount)
      let hash = hash(name, in: bytes, account.currency)
      let slot = slot(hash, name, in: bytes, account.currency)
      guard places[slot] == 0 else {
        throw .invalidField("ledger.account.repeated", offset: number)
      }
      places[slot] = UInt64(hash) << 32 | UInt64(number + 1)
    }
  }
}

extension AgedTransactions {
  fileprivate mutating func load(
    rejections itemCount: Int, from reader: inout ByteReader, in piece: borrowing RawSpan,
    _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    for _ in 0..<itemCount {
      let rejection = try reader.integer(UInt64.self, in: piece)
      let last = rejections.count == 0 ? 0 : rejections[rejections.count - 1]
      let code = OutcomeCode(rawValue: UInt8(truncatingIfNeeded: rejection))
      guard rejection >> 8 > last >> 8, rejection >> 8 <= head.agedThrough.rawValue,
        let code, code.isRejection, code != .idReused
      else { throw .invalidField("ledger.agedRejections", offset: reader.offset - 8) }
      rejections.append(rejection)
    }
  }

  fileprivate mutating func load(
    ids itemCount: Int, from reader: inout ByteReader, in piece: borrowing RawSpan,
    _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    for _ in 0..<itemCount {
      let top = UInt64(try reader.integer(UInt8.self, in: piece))
      let entry = UInt64(try reader.integer(UInt32.self, in: piece))
      let before = filter.count
      filter.insert(top << 56 | entry << 24)
      // Each stands there once.
      guard entry > 0, filter.count == before + 1 else {
        throw .invalidField("ledger.agedIDs", offset: reader.offset - 5)
      }
    }
  }
}

extension AppliedBitmap {
  fileprivate mutating func load(
    _ itemCount: Int, from reader: inout ByteReader, in piece: borrowing RawSpan,
    _ head: LedgerSnapshotHead
  ) throws(DecodeError) {
    for _ in 0..<itemCount {
      guard count < head.counts.events else {
        throw .invalidField("ledger.applied", offset: reader.offset)
      }
      let value = try reader.integer(UInt64.self, in: piece)
      let bitCount = min(64, head.counts.events - count)
      guard bitCount == 64 || value >> bitCount == 0 else {
        throw .invalidField("ledger.applied", offset: reader.offset - 8)
      }
      let word = Int(count / 64)
      if word / Self.chunkWordCount == chunks.count { addChunk() }
      chunks[word / Self.chunkWordCount][word % Self.chunkWordCount] = value
      count += bitCount
    }
  }
}

extension Currency {
  /// The currency with this ``packed`` word, or nil where there can be none.
  fileprivate init?(packed: UInt32) {
    self.init(
      letters: (
        UInt8(truncatingIfNeeded: packed >> 24), UInt8(truncatingIfNeeded: packed >> 16),
        UInt8(truncatingIfNeeded: packed >> 8)
      ), exponent: Int(packed & 0xff))
  }
}

import Bytes

/// One checked copy of a hard state (`Format.md`, "hardstate").
struct HardStateCopy {
  /// How many copies a slot has.
  static let copyCount = 2
  private static let slotCount = 2
  /// How far apart copies begin: a block that rots or is written to the wrong place takes one.
  private static let blockByteCount = 4096
  private static let byteCount = 512
  private static let checkOffset = 480
  private static let magic: UInt32 = 0x5348_5053  // "SPHS"
  private static let version: UInt16 = 2
  private static let flagTailSuspect: UInt16 = 1

  let counter: UInt64
  let clusterID: ClusterID
  let state: HardState

  /// Which slot this state is written to.
  var slot: Int { Int(counter % UInt64(Self.slotCount)) }

  /// Writes all copies of the slot, and makes them durable.
  func write(to file: some LogFile) throws(FileError) {
    let bytes = encoded
    for copy in 0..<Self.copyCount {
      try file.write(bytes.span.bytes, at: Self.offset(slot: slot, copy: copy))
    }
    try file.sync()
  }

  /// The copies that are whole, of all slots.
  ///
  /// Throws where a slot has none because the disk failed to read: that is no torn write.
  static func readAll(from file: some LogFile) throws(FileError) -> [HardStateCopy] {
    var copies: [HardStateCopy] = []
    for slot in 0..<slotCount {
      var failure: FileError?
      let countBefore = copies.count
      for copy in 0..<copyCount {
        do throws(FileError) {
          let bytes = try file.read(at: offset(slot: slot, copy: copy), count: byteCount)
          if let found = HardStateCopy(bytes), found.slot == slot { copies.append(found) }
        } catch {
          guard error.isUnreadable else { throw error }
          failure = error
        }
      }
      if let failure, copies.count == countBefore { throw failure }
    }
    return copies
  }

  private static func offset(slot: Int, copy: Int) -> UInt64 {
    UInt64((slot * copyCount + copy) * blockByteCount)
  }

  private var encoded: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.integer(Self.magic)
    writer.integer(Self.version)
    writer.integer(state.vote?.rawValue ?? 0)
    writer.integer(counter)
    writer.append(contentsOf: clusterID.bytes)
    writer.integer(state.term.rawValue)
    writer.integer(state.knownDurable.rawValue)
    writer.integer(state.isTailSuspect ? Self.flagTailSuspect : 0)
    writer.append(contentsOf: repeatElement(0, count: 6))
    writer.integer(state.store)
    writer.append(contentsOf: repeatElement(0, count: Self.checkOffset - writer.count))
    writer.digest(Digest256Hasher.digest(writer.bytes.span.bytes))
    assert(writer.count == Self.byteCount)
    return writer.bytes
  }
}

extension HardStateCopy {
  /// Reads a copy, or nil where it is not whole.
  private init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    let span = bytes.span.bytes
    guard span.littleEndian(at: 0) == Self.magic,
      Digest256Hasher.digest(span.extracting(0..<Self.checkOffset))
        == Digest256(at: Self.checkOffset, in: span),
      span.littleEndian(at: 4) == Self.version,
      span.littleEndian(at: 48, as: UInt16.self) & ~Self.flagTailSuspect == 0
    else { return nil }
    let vote = span.littleEndian(at: 6, as: UInt16.self)
    counter = span.littleEndian(at: 8)
    clusterID = ClusterID(at: 16, in: span)
    state = HardState(
      term: Term(span.littleEndian(at: 32)), vote: vote == 0 ? nil : NodeID(vote),
      knownDurable: LogIndex(span.littleEndian(at: 40)),
      isTailSuspect: span.littleEndian(at: 48, as: UInt16.self) & Self.flagTailSuspect != 0,
      store: span.littleEndian(at: 56))
  }
}

package import Bytes

/// What a node must not forget, or it could vote twice in one term (Raft, figure 2).
package struct HardState: Hashable, Sendable {
  /// The latest term this node has seen.
  package var term: Term
  /// Whom it voted for in that term, or nil.
  package var vote: NodeID?
  /// Highest index that is durable here and known to be committed; advisory, may lag. Committed
  /// batches are never cut, so it never has to go back.
  package var knownDurable: LogIndex

  /// A state from its parts; by default, that of a node that has seen nothing.
  package init(term: Term = .zero, vote: NodeID? = nil, knownDurable: LogIndex = .zero) {
    self.term = term
    self.vote = vote
    self.knownDurable = knownDurable
  }
}

/// The hard state on disk: two checked slots, written in turn (`Format.md`, "hardstate").
///
/// HAZARD: a slot that held the newest state and rots looks like one that was torn, and the older
/// state is taken: a node could then vote a second time in that term.
package struct HardStateFile<FS: LogFileSystem>: ~Copyable {
  /// The file's name in the log's directory.
  package static var fileName: String { "hardstate" }
  static var slotByteCount: Int { 512 }
  private static var magic: UInt32 { 0x5348_5053 }  // "SPHS"
  private static var checkOffset: Int { 480 }

  private let file: FS.File
  private let clusterID: ClusterID
  /// Counts the states written. Invariant: the newest is in slot `counter % 2`.
  private var counter: UInt64
  /// The state that is on disk.
  package private(set) var state: HardState
  /// Whether one slot could not be read: what a crash in the middle of a write leaves.
  package let hadTornSlot: Bool
  private var hasFailed = false

  /// Opens or creates the file of the log in `directory`.
  ///
  /// Errors: the state is missing or unreadable although the log is not empty; another cluster's.
  package init(
    _ fileSystem: FS, directory: String, clusterID: ClusterID, logIsEmpty: Bool
  ) throws(LogError) {
    try files { () throws(FileError) in try fileSystem.createDirectory(directory) }
    let path = directory + "/" + Self.fileName
    let isThere = try files { () throws(FileError) in
      try fileSystem.list(directory).contains(Self.fileName)
    }
    guard isThere || logIsEmpty else { throw .hardStateMissing(path: path) }
    let file = try files { () throws(FileError) in
      try fileSystem.open(path, isThere ? .update : .create)
    }
    let bytes = try files { () throws(FileError) in
      try file.read(at: 0, count: 2 * Self.slotByteCount)
    }
    let slots = [Self.decode(bytes, slot: 0), Self.decode(bytes, slot: 1)].compactMap { $0 }
    guard slots.allSatisfy({ $0.clusterID == clusterID }) else {
      throw .hardStateOfOtherCluster(path: path)
    }
    let newest = slots.max { $0.counter < $1.counter }
    guard newest != nil || logIsEmpty else { throw .hardStateDamaged(path: path) }
    let current = newest ?? Slot(counter: 1, clusterID: clusterID, state: HardState())
    if newest == nil {
      try files { () throws(FileError) in
        try Self.write(current, to: file)
        try fileSystem.syncDirectory(directory)
      }
    }
    self.file = file
    self.clusterID = clusterID
    counter = current.counter
    state = current.state
    hadTornSlot = slots.count == 1 && current.counter > 1
  }

  /// Writes a state and makes it durable. An error is final.
  package mutating func write(_ newState: HardState) throws(LogError) {
    guard !hasFailed else { throw .failed }
    let slot = Slot(counter: counter + 1, clusterID: clusterID, state: newState)
    do throws(FileError) {
      try Self.write(slot, to: file)
    } catch {
      hasFailed = true
      throw .file(error)
    }
    counter += 1
    state = newState
  }

  private struct Slot {
    let counter: UInt64
    let clusterID: ClusterID
    let state: HardState
  }

  private static func write(_ slot: Slot, to file: FS.File) throws(FileError) {
    try file.write(encode(slot).span.bytes, at: slot.counter % 2 * UInt64(slotByteCount))
    try file.sync()
  }

  private static func encode(_ slot: Slot) -> [UInt8] {
    var writer = ByteWriter(capacity: slotByteCount)
    writer.integer(magic)
    writer.integer(SegmentFormat.version)
    writer.integer(slot.state.vote?.rawValue ?? 0)
    writer.integer(slot.counter)
    writer.append(contentsOf: slot.clusterID.bytes)
    writer.integer(slot.state.term.rawValue)
    writer.integer(slot.state.knownDurable.rawValue)
    writer.append(contentsOf: repeatElement(0, count: checkOffset - writer.count))
    writer.digest(Digest256Hasher.digest(writer.bytes.span.bytes))
    assert(writer.count == slotByteCount)
    return writer.bytes
  }

  private static func decode(_ bytes: [UInt8], slot: Int) -> Slot? {
    guard bytes.count >= (slot + 1) * slotByteCount else { return nil }
    let span = bytes.span.bytes.extracting(slot * slotByteCount..<(slot + 1) * slotByteCount)
    guard span.littleEndian(at: 0) == magic,
      Digest256Hasher.digest(span.extracting(0..<checkOffset))
        == Digest256(at: checkOffset, in: span),
      span.littleEndian(at: 4) == SegmentFormat.version
    else { return nil }
    let vote = span.littleEndian(at: 6, as: UInt16.self)
    let counter = span.littleEndian(at: 8, as: UInt64.self)
    guard counter % 2 == UInt64(slot) else { return nil }
    return Slot(
      counter: counter, clusterID: ClusterID(at: 16, in: span),
      state: HardState(
        term: Term(span.littleEndian(at: 32)), vote: vote == 0 ? nil : NodeID(vote),
        knownDurable: LogIndex(span.littleEndian(at: 40))))
  }
}

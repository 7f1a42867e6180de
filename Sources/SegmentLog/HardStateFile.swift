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
  /// Whether this node's log may have lost batches at its end that it has acknowledged
  /// (``LogRepair/isTailSuspect``). Written before the log is mended, and kept over restarts until
  /// consensus has brought the log beyond all that it can have acknowledged.
  package var isTailSuspect: Bool
  /// The random number that the data directory was made with; 0 only where nobody gave one.
  package var store: UInt64

  /// A state from its parts; by default, that of a node that has seen nothing.
  package init(
    term: Term = .zero, vote: NodeID? = nil, knownDurable: LogIndex = .zero,
    isTailSuspect: Bool = false, store: UInt64 = 0
  ) {
    self.store = store
    self.term = term
    self.vote = vote
    self.knownDurable = knownDurable
    self.isTailSuspect = isTailSuspect
  }
}

/// The hard state on disk: two slots written in turn, of two copies each (`Format.md`,
/// "hardstate").
///
/// One rotten block takes one copy, and the other still tells the newest state. Both copies of a
/// slot are unreadable only after a crash in the middle of their write, whose state was never used;
/// then the other slot counts.
///
/// HAZARD: two rotten blocks that hold both copies of the newest slot look the same: a node could
/// then vote a second time in that term.
package struct HardStateFile<FS: LogFileSystem>: ~Copyable {
  /// The file's name in the log's directory.
  package static var fileName: String { "hardstate" }

  private let file: FS.File
  private let clusterID: ClusterID
  /// Counts the states written. Invariant: the newest is in slot `counter % 2`.
  private var counter: UInt64
  /// The state that is on disk.
  package private(set) var state: HardState
  /// Whether no copy of one slot could be read: what a crash in the middle of a write leaves.
  package let hadTornSlot: Bool
  /// How many copies of the newest slot did not tell its state, and have been written again.
  package let mendedCopyCount: Int
  private var hasFailed = false

  /// Opens or creates the file of the log in `directory`, and writes its state again: to the other
  /// slot, so that it is durable and in four copies before it is used, whatever became of the last
  /// write.
  ///
  /// A new directory is made with the number `newStore`. Errors: the state is missing or unreadable
  /// although the log is not empty; another cluster's.
  package init(
    _ fileSystem: FS, directory: String, clusterID: ClusterID, logIsEmpty: Bool,
    newStore: UInt64 = 0
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
    let copies = try files { () throws(FileError) in try HardStateCopy.readAll(from: file) }
    guard copies.allSatisfy({ $0.clusterID == clusterID }) else {
      throw .hardStateOfOtherCluster(path: path)
    }
    let newest = copies.max { $0.counter < $1.counter }
    guard newest != nil || logIsEmpty else { throw .hardStateDamaged(path: path) }
    let again = HardStateCopy(
      counter: (newest?.counter ?? 0) + 1, clusterID: clusterID,
      state: newest?.state ?? HardState(store: newStore))
    try files { () throws(FileError) in
      try again.write(to: file)
      // Also where the file is there: whoever made it may have ended before its name was durable.
      try fileSystem.syncDirectory(directory)
    }
    self.file = file
    self.clusterID = clusterID
    counter = again.counter
    state = again.state
    hadTornSlot = again.counter > 2 && Set(copies.map(\.slot)).count == 1
    let wholeCount = copies.count { $0.counter == newest?.counter }
    mendedCopyCount = newest == nil ? 0 : HardStateCopy.copyCount - wholeCount
  }

  /// Writes a state and makes it durable. An error is final.
  package mutating func write(_ newState: HardState) throws(LogError) {
    guard !hasFailed else { throw .failed }
    let copy = HardStateCopy(counter: counter + 1, clusterID: clusterID, state: newState)
    do throws(FileError) {
      try copy.write(to: file)
    } catch {
      hasFailed = true
      throw .file(error)
    }
    counter += 1
    state = newState
  }
}

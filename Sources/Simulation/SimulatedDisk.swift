import Bytes
package import SegmentLog

/// One change to a file's bytes that is not known to be on stable storage.
enum FileChange {
  case write(offset: Int, bytes: [UInt8])
  case truncate(Int)

  func apply(to image: inout [UInt8]) {
    switch self {
    case .truncate(let count):
      if count < image.count { image.removeLast(image.count - count) }
      image.append(contentsOf: repeatElement(0, count: count - image.count))
    case .write(let offset, let bytes):
      if image.count < offset {
        image.append(contentsOf: repeatElement(0, count: offset - image.count))
      }
      let over = min(image.count - offset, bytes.count)
      image.replaceSubrange(offset..<offset + over, with: bytes[..<over])
      image.append(contentsOf: bytes[over...])
    }
  }
}

/// What a disk does wrong now. All of it is off until a fault is planned.
package struct DiskFaults: Sendable {
  /// The next ``LogFile/sync()`` fails; what was to be synced is then lost or kept by chance.
  package var failsNextSync = false
  /// The next write fails.
  package var failsNextWrite = false
  /// The next read fails.
  package var failsNextRead = false
  /// Nothing more can be written or created.
  package var isFull = false
  /// Of a write that is torn, no later sector is there without an earlier one.
  package var tearsInOrder = false
  /// The canary's: a sync says it is done and does nothing.
  package var ignoresSync = false
  /// The power goes after so many more operations.
  var operationsLeft: Int?

  /// A disk in order.
  package init() {}
}

/// A disk that survives its node's crashes: each file has the bytes that running code sees, the bytes
/// that are durable, and the changes in between; names are durable only after
/// ``syncDirectory(_:)``.
/// Each directory's names are made durable apart from those of the others.
///
/// `@unchecked Sendable`: a world drives its disks from one thread, and shares them with none.
package final class SimulatedDisk: LogFileSystem, @unchecked Sendable {
  struct Inode {
    var live: [UInt8] = []
    var durable: [UInt8] = []
    var unsynced: [FileChange] = []
  }

  /// Sectors are written whole or not at all.
  package static let sectorByteCount = 512

  var inodes: [Inode] = []
  var names: [String: Int] = [:]
  /// What is not durable of the names: the changes of each directory since its last sync, in order,
  /// directories in the order of their first change.
  var nameChanges: [(directory: String, undone: [NameChange])] = []
  var random: SeededGenerator
  /// What goes wrong.
  package var faults = DiskFaults()
  /// How many operations changed something or read.
  package private(set) var operationCount = 0
  /// How many faults of each kind have hit an operation.
  package private(set) var hitCount = 0
  private var takenHitCount = 0
  /// What was in durable bytes that were changed behind everybody's back.
  private var damage: [(path: String, offset: Int, whole: [UInt8])] = []

  /// An empty disk; `seed` decides what a crash leaves.
  package init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// The files' paths, sorted.
  package var paths: [String] { names.keys.sorted() }

  /// A file's bytes as running code sees them, or nil where there is none.
  package func bytes(_ path: String) -> [UInt8]? { names[path].map { inodes[$0].live } }

  /// Counts an operation, and fails it where the power is gone or a fault is due.
  func operate(_ operation: FileOperation, _ path: String) throws(FileError) {
    operationCount += 1
    if let left = faults.operationsLeft {
      guard left > 0 else { throw FileError(operation: operation, path: path, errno: 5) }
      faults.operationsLeft = left - 1
    }
    switch operation {
    case .write where faults.failsNextWrite:
      faults.failsNextWrite = false
      throw hit(operation, path, errno: 5)
    case .write where faults.isFull: throw hit(operation, path, errno: 28)
    case .read where faults.failsNextRead:
      faults.failsNextRead = false
      throw hit(operation, path, errno: 5)
    case .list, .createDirectory, .open, .read, .write, .size, .sync, .truncate, .preallocate,
      .remove, .rename, .link, .syncDirectory, .map, .lock:
      break
    }
  }

  /// Whether a fault has hit an operation since this was last asked.
  func takeHit() -> Bool {
    defer { takenHitCount = hitCount }
    return hitCount > takenHitCount
  }

  /// Durable bytes are being changed that were `whole`.
  func noteDamage(_ path: String, at offset: Int, whole: [UInt8]) {
    damage.removeAll { !isDamaged($0) }
    // What was changed before is not what was written.
    var written = whole
    for old in damage where old.path == path {
      for (place, byte) in old.whole.enumerated() {
        let index = old.offset + place - offset
        if written.indices.contains(index) { written[index] = byte }
      }
    }
    damage.append((path, offset, written))
  }

  /// The whole log has been mended, with other bytes where another history's had been damaged.
  func forgetDamage() { damage = [] }

  /// Other bytes are written where the damage was: after a cut they are another history's.
  func forgetDamage(_ path: String, _ range: Range<Int>) {
    guard !damage.isEmpty else { return }
    damage.removeAll {
      $0.path == path && range.overlaps($0.offset..<$0.offset + $0.whole.count)
    }
  }

  /// Everything on it is gone.
  func wipe() {
    inodes = []
    names = [:]
    nameChanges = []
    damage = []
  }

  /// Whether durable bytes were changed behind everybody's back, and are still there.
  package var isDamaged: Bool { damage.contains { isDamaged($0) } }

  /// The files that hold such bytes.
  var damagedPaths: [String] { damage.filter { isDamaged($0) }.map(\.path) }

  private func isDamaged(_ place: (path: String, offset: Int, whole: [UInt8])) -> Bool {
    guard let inode = names[place.path] else { return false }
    let end = place.offset + place.whole.count
    return inodes[inode].live.count >= end
      && !inodes[inode].live[place.offset..<end].elementsEqual(place.whole)
  }

  func hit(_ operation: FileOperation, _ path: String, errno: Int32) -> FileError {
    hitCount += 1
    return FileError(operation: operation, path: path, errno: errno)
  }

  /// Directories are there without being made.
  package func createDirectory(_ path: String) throws(FileError) {}

  /// The names of files and directories right under a directory, sorted.
  package func list(_ directory: String) throws(FileError) -> [String] {
    let prefix = directory + "/"
    var found: [String] = []
    for path in names.keys where path.hasPrefix(prefix) {
      found.append(String(path.dropFirst(prefix.count).prefix { $0 != "/" }))
    }
    found.sort()
    return found.enumerated().filter { $0.offset == 0 || found[$0.offset - 1] != $0.element }
      .map(\.element)
  }

  /// Opens a file.
  package func open(_ path: String, _ mode: FileMode) throws(FileError) -> SimulatedFile {
    let known = names[path]
    switch (mode, known) {
    case (.create, nil), (.createSecret, nil):
      try operate(.open, path)
      if faults.isFull { throw hit(.open, path, errno: 28) }
      inodes.append(Inode())
      change([(path, inodes.count - 1)])
      return SimulatedFile(self, inodes.count - 1, path)
    case (.create, _), (.createSecret, _): throw FileError(operation: .open, path: path, errno: 17)
    case (_, nil): throw FileError(operation: .open, path: path, errno: 2)
    case (_, .some(let inode)): return SimulatedFile(self, inode, path)
    }
  }

  /// A copy of a file's bytes.
  package func map(_ path: String) throws(FileError) -> MappedBytes {
    try operate(.read, path)
    let bytes = bytes(path) ?? []
    return try MappedBytes(byteCount: bytes.count) { buffer throws(FileError) in
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
  }

  /// Removes a file.
  package func remove(_ path: String) throws(FileError) {
    try operate(.remove, path)
    change([(path, nil)])
  }

  /// Renames a file.
  package func rename(_ path: String, to newPath: String) throws(FileError) {
    try operate(.rename, path)
    change([(newPath, names[path]), (path, nil)])
  }

  /// Makes names durable.
  package func syncDirectory(_ directory: String) throws(FileError) {
    try operate(.syncDirectory, directory)
    if !faults.ignoresSync { nameChanges.removeAll { $0.directory == directory } }
  }

  /// Changes names of one directory, all at once.
  private func change(_ entries: [(path: String, inode: Int?)]) {
    let undone = entries.map { ($0.path, names[$0.path]) }
    for entry in entries { names[entry.path] = entry.inode }
    guard let path = entries.first?.path else { return }
    let directory = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
    if !nameChanges.contains(where: { $0.directory == directory }) {
      nameChanges.append((directory, []))
    }
    for place in nameChanges.indices where nameChanges[place].directory == directory {
      nameChanges[place].undone.append(NameChange(entries: undone))
    }
  }
}

/// What a change of names replaced, to be undone: the file of each name, or nil for none.
struct NameChange {
  let entries: [(path: String, inode: Int?)]
}

/// An open file of a ``SimulatedDisk``.
///
/// `@unchecked Sendable`: as its disk, it is touched by the one thread of its world.
package final class SimulatedFile: LogFile, @unchecked Sendable {
  private let disk: SimulatedDisk
  private let inode: Int
  private let path: String

  init(_ disk: SimulatedDisk, _ inode: Int, _ path: String) {
    self.disk = disk
    self.inode = inode
    self.path = path
  }

  /// Reads what running code sees.
  package func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    try disk.operate(.read, path)
    let size = disk.inodes[inode].live.count
    guard offset < size else { return 0 }
    let piece = disk.inodes[inode].live[Int(offset)..<min(size, Int(offset) + buffer.count)]
    buffer.copyBytes(from: piece)
    return piece.count
  }

  /// Changes what running code sees; not durable before ``sync()``.
  package func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
    try disk.operate(.write, path)
    change(.write(offset: Int(offset), bytes: bytes.withUnsafeBytes { [UInt8]($0) }))
  }

  /// Length as running code sees it.
  package func size() throws(FileError) -> UInt64 { UInt64(disk.inodes[inode].live.count) }

  /// Makes the file's bytes durable, or fails for good: what was to be synced is then lost or kept
  /// by chance, as the kernel drops the pages of a failed write-back.
  package func sync() throws(FileError) {
    try disk.operate(.sync, path)
    if disk.faults.failsNextSync {
      disk.faults.failsNextSync = false
      disk.settle(inode, isOrdered: true)
      throw disk.hit(.sync, path, errno: 5)
    }
    guard !disk.faults.ignoresSync else { return }
    let changes = disk.inodes[inode].unsynced
    disk.inodes[inode].unsynced = []
    for change in changes { change.apply(to: &disk.inodes[inode].durable) }
  }

  /// Cuts the file, or grows it with zeros.
  package func truncate(to byteCount: UInt64) throws(FileError) {
    try disk.operate(.truncate, path)
    change(.truncate(Int(byteCount)))
  }

  /// Does nothing.
  package func preallocate(_ byteCount: UInt64) throws(FileError) {}

  private func change(_ change: FileChange) {
    change.apply(to: &disk.inodes[inode].live)
    disk.inodes[inode].unsynced.append(change)
    if case .write(let offset, let bytes) = change {
      disk.forgetDamage(path, offset..<offset + bytes.count)
    }
  }
}

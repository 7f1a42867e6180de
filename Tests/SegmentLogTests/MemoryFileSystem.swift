import Bytes
import SegmentLog
import Synchronization

/// Files in memory with two images: what running code sees, and what would be there after a crash.
final class MemoryFileSystem: LogFileSystem {
  enum Operation: Sendable {
    case write(offset: Int, bytes: [UInt8])
    case truncate(Int)
  }

  struct Inode: Sendable {
    var live: [UInt8] = []
    var durable: [UInt8] = []
    /// What has been done to `live` since `durable` was the same.
    var unsynced: [Operation] = []
    /// Bytes that the disk cannot give back.
    var unreadable: Range<Int> = 0..<0
  }

  struct Names: Sendable {
    var live: [String: Int] = [:]
    /// After each change since the last sync of the directory; the first is the durable one.
    var history: [[String: Int]] = [[:]]
  }

  struct State: Sendable {
    var inodes: [Inode] = []
    var names = Names()
    /// How many more changing operations succeed; nil is any number.
    var budget: Int?
    var operationCount = 0
    var syncCount = 0
  }

  /// What a crash leaves of a write that was under way.
  enum Tear: Sendable {
    /// Its first bytes.
    case prefix
    /// Any of its sectors of 512 bytes; zeros in place of the others.
    case sectors
  }

  let state = Mutex(State())

  /// Lets `count` more changing operations succeed, and fails all after them.
  func fail(after count: Int?) { state.withLock { $0.budget = count } }

  var syncCount: Int { state.withLock { $0.syncCount } }

  /// The bytes of a file, or nil where there is none.
  func bytes(_ path: String) -> [UInt8]? {
    state.withLock { state in state.names.live[path].map { state.inodes[$0].live } }
  }

  /// Puts a durable file in place.
  func put(_ path: String, _ bytes: [UInt8]) {
    state.withLock { state in
      state.inodes.append(Inode(live: bytes, durable: bytes))
      state.names.live[path] = state.inodes.count - 1
      state.names.history = [state.names.live]
    }
  }

  /// Makes bytes of a file unreadable.
  func spoil(_ path: String, _ range: Range<Int>) {
    state.withLock { state in
      if let inode = state.names.live[path] { state.inodes[inode].unreadable = range }
    }
  }

  /// Another disk with the same durable files.
  func copy() -> MemoryFileSystem {
    let other = MemoryFileSystem()
    for path in paths { if let bytes = bytes(path) { other.put(path, bytes) } }
    return other
  }

  var paths: [String] { state.withLock { $0.names.live.keys.sorted() } }

  /// The files after a crash: what was not synced is lost or torn as `random` has it.
  func crashed(_ tear: Tear, using random: inout SeededGenerator) -> MemoryFileSystem {
    let image = state.withLock { $0 }
    let survivor = MemoryFileSystem()
    let names = image.names.history[Int.random(in: 0..<image.names.history.count, using: &random)]
    for path in names.keys.sorted() {
      guard let inode = names[path].map({ image.inodes[$0] }) else { continue }
      var bytes = inode.durable
      let kept = Int.random(in: 0...inode.unsynced.count, using: &random)
      for operation in inode.unsynced.prefix(kept) { Self.carryOut(operation, on: &bytes) }
      if kept < inode.unsynced.count, case .write(let offset, let written) = inode.unsynced[kept] {
        Self.tear(written, at: offset, tear, on: &bytes, using: &random)
      }
      survivor.put(path, bytes)
    }
    return survivor
  }

  private static func tear(
    _ written: [UInt8], at offset: Int, _ tear: Tear, on bytes: inout [UInt8],
    using random: inout SeededGenerator
  ) {
    switch tear {
    case .prefix:
      let count = Int.random(in: 0...written.count, using: &random)
      carryOut(.write(offset: offset, bytes: Array(written.prefix(count))), on: &bytes)
    case .sectors:
      for start in stride(from: 0, to: written.count, by: 512) where Bool.random(using: &random) {
        let piece = Array(written[start..<min(start + 512, written.count)])
        carryOut(.write(offset: offset + start, bytes: piece), on: &bytes)
      }
    }
  }

  static func carryOut(_ operation: Operation, on bytes: inout [UInt8]) {
    switch operation {
    case .truncate(let count):
      if count < bytes.count { bytes.removeLast(bytes.count - count) }
      bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
    case .write(let offset, let written):
      guard !written.isEmpty else { return }
      if bytes.count < offset + written.count {
        bytes.append(contentsOf: repeatElement(0, count: offset + written.count - bytes.count))
      }
      bytes.replaceSubrange(offset..<offset + written.count, with: written)
    }
  }

  /// Runs a change, unless the budget is spent.
  func change<T: Sendable>(
    _ operation: FileOperation, _ path: String,
    _ body: (inout sending State) -> sending Result<T, FileError>
  ) throws(FileError) -> T {
    let result = state.withLock { state -> Result<T, FileError> in
      state.operationCount += 1
      if let budget = state.budget {
        guard budget > 0 else {
          return .failure(FileError(operation: operation, path: path, errno: 5))
        }
        state.budget = budget - 1
      }
      return body(&state)
    }
    return try result.get()
  }
}

extension MemoryFileSystem {
  func createDirectory(_ path: String) throws(FileError) {}

  func list(_ directory: String) throws(FileError) -> [String] {
    let prefix = directory + "/"
    return paths.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
  }

  func open(_ path: String, _ mode: FileMode) throws(FileError) -> MemoryFile {
    let known = state.withLock { $0.names.live[path] }
    switch (mode, known) {
    case (.create, nil):
      let inode = try change(.open, path) { state in
        state.inodes.append(Inode())
        state.names.live[path] = state.inodes.count - 1
        state.names.history.append(state.names.live)
        return .success(state.inodes.count - 1)
      }
      return MemoryFile(self, inode, path)
    case (.create, _): throw FileError(operation: .open, path: path, errno: 17)
    case (_, nil): throw FileError(operation: .open, path: path, errno: 2)
    case (_, .some(let inode)): return MemoryFile(self, inode, path)
    }
  }

  func map(_ path: String) throws(FileError) -> MappedBytes {
    let bytes = bytes(path) ?? []
    return try MappedBytes(byteCount: bytes.count) { buffer throws(FileError) in
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
  }

  func remove(_ path: String) throws(FileError) {
    try change(.remove, path) { state in
      state.names.live[path] = nil
      state.names.history.append(state.names.live)
      return .success(())
    }
  }

  func rename(_ path: String, to newPath: String) throws(FileError) {
    try change(.rename, path) { state in
      state.names.live[newPath] = state.names.live.removeValue(forKey: path)
      state.names.history.append(state.names.live)
      return .success(())
    }
  }

  func syncDirectory(_ directory: String) throws(FileError) {
    try change(.syncDirectory, directory) { state in
      state.names.history = [state.names.live]
      return .success(())
    }
  }
}

final class MemoryFile: LogFile {
  private let system: MemoryFileSystem
  private let inode: Int
  private let path: String

  init(_ system: MemoryFileSystem, _ inode: Int, _ path: String) {
    self.system = system
    self.inode = inode
    self.path = path
  }

  func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    let inode = inode
    let (bytes, unreadable) = system.state.withLock { state in
      (state.inodes[inode].live, state.inodes[inode].unreadable)
    }
    if unreadable.overlaps(Int(offset)..<Int(offset) + buffer.count) {
      throw FileError(operation: .read, path: path, errno: 5)
    }
    guard offset < bytes.count else { return 0 }
    let piece = bytes[Int(offset)..<min(bytes.count, Int(offset) + buffer.count)]
    buffer.copyBytes(from: piece)
    return piece.count
  }

  func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
    try apply(.write, .write(offset: Int(offset), bytes: bytes.withUnsafeBytes { [UInt8]($0) }))
  }

  func size() throws(FileError) -> UInt64 {
    let inode = inode
    return system.state.withLock { UInt64($0.inodes[inode].live.count) }
  }

  func sync() throws(FileError) {
    let inode = inode
    try system.change(.sync, path) { state in
      state.inodes[inode].durable = state.inodes[inode].live
      state.inodes[inode].unsynced = []
      state.syncCount += 1
      return .success(())
    }
  }

  func truncate(to byteCount: UInt64) throws(FileError) {
    try apply(.truncate, .truncate(Int(byteCount)))
  }

  func preallocate(_ byteCount: UInt64) throws(FileError) {}

  private func apply(
    _ kind: FileOperation, _ operation: MemoryFileSystem.Operation
  ) throws(FileError) {
    let inode = inode
    try system.change(kind, path) { state in
      MemoryFileSystem.carryOut(operation, on: &state.inodes[inode].live)
      state.inodes[inode].unsynced.append(operation)
      return .success(())
    }
  }
}

import Bytes
package import SegmentLog
import Synchronization

/// A file system that counts the bytes that are read from it.
package struct CountedFiles<Base: LogFileSystem>: LogFileSystem {
  private let base: Base
  private let counter: ByteCounter

  /// Counts what is read from `base` from now on.
  package init(_ base: Base) {
    self.base = base
    counter = ByteCounter()
  }

  /// Bytes read so far.
  package var byteCount: UInt64 { counter.byteCount }

  /// Passes on.
  package func createDirectory(_ path: String) throws(FileError) { try base.createDirectory(path) }

  /// Passes on.
  package func list(_ directory: String) throws(FileError) -> [String] { try base.list(directory) }

  /// Passes on, and counts what is read from the file.
  package func open(_ path: String, _ mode: FileMode) throws(FileError) -> CountedFile<Base.File> {
    CountedFile(try base.open(path, mode), counter)
  }

  /// Passes on, and counts the whole file.
  package func map(_ path: String) throws(FileError) -> MappedBytes {
    let bytes = try base.map(path)
    counter.add(bytes.byteCount)
    return bytes
  }

  /// Passes on.
  package func remove(_ path: String) throws(FileError) { try base.remove(path) }

  /// Passes on.
  package func rename(_ path: String, to newPath: String) throws(FileError) {
    try base.rename(path, to: newPath)
  }

  /// Passes on.
  package func syncDirectory(_ directory: String) throws(FileError) {
    try base.syncDirectory(directory)
  }
}

/// A file whose reads are counted.
package final class CountedFile<Base: LogFile>: LogFile {
  private let base: Base
  private let counter: ByteCounter

  fileprivate init(_ base: Base, _ counter: ByteCounter) {
    self.base = base
    self.counter = counter
  }

  /// Passes on, and counts.
  package func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    let count = try base.read(at: offset, into: buffer)
    counter.add(count)
    return count
  }

  /// Passes on.
  package func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
    try base.write(bytes, at: offset)
  }

  /// Passes on.
  package func size() throws(FileError) -> UInt64 { try base.size() }

  /// Passes on.
  package func sync() throws(FileError) { try base.sync() }

  /// Passes on.
  package func truncate(to byteCount: UInt64) throws(FileError) {
    try base.truncate(to: byteCount)
  }

  /// Passes on.
  package func preallocate(_ byteCount: UInt64) throws(FileError) {
    try base.preallocate(byteCount)
  }
}

private final class ByteCounter: Sendable {
  private let count = Atomic<UInt64>(0)

  var byteCount: UInt64 { count.load(ordering: .relaxed) }

  func add(_ bytes: Int) { count.add(UInt64(bytes), ordering: .relaxed) }
}

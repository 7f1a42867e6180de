/// What was being done when a file operation failed.
package enum FileOperation: String, Hashable, Sendable {
  /// Listing a directory.
  case list
  /// Creating a directory.
  case createDirectory
  /// Opening or creating a file.
  case open
  /// Reading.
  case read
  /// Writing.
  case write
  /// Asking for a file's size.
  case size
  /// Bringing a file's bytes to stable storage.
  case sync
  /// Cutting a file.
  case truncate
  /// Reserving room.
  case preallocate
  /// Removing a file.
  case remove
  /// Renaming a file.
  case rename
  /// Making or reading a symbolic link.
  case link
  /// Bringing a directory's entries to stable storage.
  case syncDirectory
  /// Mapping a file into memory.
  case map
  /// Taking a directory for one process.
  case lock
}

/// A file operation that failed.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was being done.
  package let operation: FileOperation
  /// The file or directory.
  package let path: String
  /// The system's error number.
  package let errno: Int32

  /// An error from its parts.
  package init(operation: FileOperation, path: String, errno: Int32) {
    self.operation = operation
    self.path = path
    self.errno = errno
  }

  /// Whether the disk cannot give back what it has (`EIO`, and of a damaged file system `EBADMSG` and
  /// `EUCLEAN`): damage, like wrong bytes.
  var isUnreadable: Bool {
    switch operation {
    case .read, .open, .size: [5, 74, 117].contains(errno)
    default: false
    }
  }

  /// No room is left (`ENOSPC`).
  package static func noRoom(_ path: String) -> FileError {
    FileError(operation: .preallocate, path: path, errno: 28)
  }

  /// Whether a file is not there (`ENOENT`).
  var isMissing: Bool { operation == .open && errno == 2 }

  /// Operation, path and number.
  package var description: String { "\(operation.rawValue) \(path): errno \(errno)" }
}

/// How a file is opened.
package enum FileMode: Hashable, Sendable {
  /// An existing file, for reading.
  case read
  /// An existing file, for reading and writing.
  case update
  /// A new file, for reading and writing; an error where the name is taken.
  case create
  /// As `create`, for nobody but the owner to read.
  case createSecret
}

/// What a log needs of the place where its files are.
///
/// Nothing is durable before ``LogFile/sync()``, and no name before ``syncDirectory(_:)``.
package protocol LogFileSystem: Sendable {
  /// An open file.
  associatedtype File: LogFile

  /// Creates a directory and its parents where they are missing.
  func createDirectory(_ path: String) throws(FileError)
  /// The names in a directory, sorted.
  func list(_ directory: String) throws(FileError) -> [String]
  /// Opens a file.
  func open(_ path: String, _ mode: FileMode) throws(FileError) -> File
  /// A file's bytes, all of them, for scanning.
  ///
  /// HAZARD: a mapped file that is cut, or whose disk fails, ends the process when the missing part
  /// is read. Map only what no one cuts; read what is live.
  func map(_ path: String) throws(FileError) -> MappedBytes
  /// Removes a file.
  func remove(_ path: String) throws(FileError)
  /// Renames a file, in place of one that has the new name.
  func rename(_ path: String, to newPath: String) throws(FileError)
  /// Makes a symbolic link at `path`, which must be free, to the absolute path `target`.
  func link(_ path: String, to target: String) throws(FileError)
  /// Where a symbolic link leads; nil where the file is none.
  func linkTarget(_ path: String) throws(FileError) -> String?
  /// Makes creations, removals and renames in a directory durable.
  func syncDirectory(_ directory: String) throws(FileError)
  /// How many bytes may still be written to the disk that a directory is on; nil: nobody knows.
  func freeByteCount(_ directory: String) -> UInt64?
}

extension LogFileSystem {
  /// There are no links here (`ENOTSUP`).
  package func link(_ path: String, to target: String) throws(FileError) {
    throw FileError(operation: .link, path: path, errno: 95)
  }

  /// There are no links here.
  package func linkTarget(_ path: String) throws(FileError) -> String? { nil }

  /// Nobody knows.
  package func freeByteCount(_ directory: String) -> UInt64? { nil }
}

/// An open file; the last reference closes it. Reads at any time from any thread.
package protocol LogFile: AnyObject, Sendable {
  /// Reads into `buffer`, and returns how many bytes: fewer than fit only at the end of the file.
  func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int
  /// Writes all of `bytes`.
  func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError)
  /// Length in bytes.
  func size() throws(FileError) -> UInt64
  /// Brings the file's bytes and length to stable storage (`fdatasync`).
  func sync() throws(FileError)
  /// Cuts the file, or grows it with zeros.
  func truncate(to byteCount: UInt64) throws(FileError)
  /// Reserves room for `byteCount` bytes without changing the visible size; may do nothing.
  func preallocate(_ byteCount: UInt64) throws(FileError)
  /// Lets go of what memory holds of the file's durable bytes, so that the next reads come from the
  /// disk itself; may do nothing.
  func dropCache()
}

extension LogFile {
  /// Does nothing.
  package func dropCache() {}

  /// Reads up to `count` bytes: fewer only at the end of the file. The caller limits `count`.
  package func read(at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      do throws(FileError) {
        initialized = try read(at: offset, into: UnsafeMutableRawBufferPointer(target))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}

/// Bytes of a file in memory, mapped or read; the last reference lets go of them.
///
/// `@unchecked Sendable`: no one writes the memory between `init` and `deinit`.
package final class MappedBytes: @unchecked Sendable {
  /// The memory. Valid only while this object is held.
  let pointer: UnsafeRawBufferPointer
  private let release: (UnsafeRawBufferPointer) -> Void

  /// Takes over memory that `release` lets go of.
  package init(
    _ pointer: UnsafeRawBufferPointer,
    release: @escaping (UnsafeRawBufferPointer) -> Void
  ) {
    self.pointer = pointer
    self.release = release
  }

  /// Memory of its own, of at most `byteCount` bytes, which `fill` writes and counts.
  package convenience init(
    byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(FileError) -> Int
  ) throws(FileError) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    do throws(FileError) {
      let count = try fill(memory)
      self.init(UnsafeRawBufferPointer(rebasing: memory[..<count])) { _ in memory.deallocate() }
    } catch {
      memory.deallocate()
      throw error
    }
  }

  deinit { release(pointer) }

  /// Length in bytes.
  package var byteCount: Int { pointer.count }

  /// Calls `body` with the bytes.
  package func withBytes<R, E: Error>(
    _ body: (borrowing RawSpan) throws(E) -> R
  ) throws(E) -> R {
    try body(pointer.bytes)
  }
}

import Glibc
package import SegmentLog

/// The files of the host, through POSIX calls.
package struct PosixFileSystem: LogFileSystem {
  /// The host's file system.
  package init() {}

  /// Creates a directory and its parents where they are missing (mode 0750), durably.
  package func createDirectory(_ path: String) throws(FileError) {
    if Glibc.mkdir(path, 0o750) == 0 { return try syncParent(of: path) }
    switch errno {
    case EEXIST:
      return
    case ENOENT:
      guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
        throw FileError(operation: .createDirectory, path: path, errno: ENOENT)
      }
      try createDirectory(String(path[..<slash]))
      try check(Glibc.mkdir(path, 0o750), .createDirectory, path)
      try syncParent(of: path)
    case let code:
      throw FileError(operation: .createDirectory, path: path, errno: code)
    }
  }

  private func syncParent(of path: String) throws(FileError) {
    let slash = path.lastIndex(of: "/")
    try syncDirectory(
      slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
  }

  /// The names in a directory, sorted, without `.` and `..`.
  package func list(_ directory: String) throws(FileError) -> [String] {
    guard let stream = opendir(directory) else {
      throw FileError(operation: .list, path: directory, errno: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw FileError(operation: .list, path: directory, errno: errno) }
    return names.sorted()
  }

  /// Opens a file (mode 0640 where it is new, 0600 a secret), closed on exec.
  package func open(_ path: String, _ mode: FileMode) throws(FileError) -> PosixFile {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .update: O_RDWR
      case .create, .createSecret: O_RDWR | O_CREAT | O_EXCL
      }
    let permissions: mode_t = mode == .createSecret ? 0o600 : 0o640
    let descriptor = try retrying(.open, path) {
      Glibc.open(path, flags | O_CLOEXEC, permissions)
    }
    return PosixFile(descriptor: Int32(descriptor), path: path)
  }

  /// Maps a file for reading.
  package func map(_ path: String) throws(FileError) -> MappedBytes {
    let file = try open(path, .read)
    let size = Int(try file.size())
    guard size > 0 else {
      return MappedBytes(UnsafeRawBufferPointer(start: nil, count: 0)) { _ in }
    }
    let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw FileError(operation: .map, path: path, errno: errno)
    }
    madvise(address, size, MADV_SEQUENTIAL)
    return MappedBytes(UnsafeRawBufferPointer(start: address, count: size)) { mapped in
      munmap(UnsafeMutableRawPointer(mutating: mapped.baseAddress), mapped.count)
    }
  }

  /// Removes a file.
  package func remove(_ path: String) throws(FileError) {
    try check(unlink(path), .remove, path)
  }

  /// Renames a file, in place of one that has the new name.
  package func rename(_ path: String, to newPath: String) throws(FileError) {
    try check(Glibc.rename(path, newPath), .rename, path)
  }

  /// Makes a symbolic link (symlink(2)).
  package func link(_ path: String, to target: String) throws(FileError) {
    try check(symlink(target, path), .link, path)
  }

  /// Where a symbolic link leads (readlink(2)); nil where the file is none.
  package func linkTarget(_ path: String) throws(FileError) -> String? {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { bytes -> Int in
      guard let start = bytes.baseAddress else { return 0 }
      return readlink(path, start.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    if count >= 0 { return String(decoding: buffer[..<count], as: UTF8.self) }
    guard errno == EINVAL else { throw FileError(operation: .link, path: path, errno: errno) }
    return nil
  }

  /// Makes creations, removals and renames in a directory durable.
  package func syncDirectory(_ directory: String) throws(FileError) {
    let descriptor = try retrying(.syncDirectory, directory) {
      Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    defer { close(Int32(descriptor)) }
    try check(fsync(Int32(descriptor)), .syncDirectory, directory)
  }

  /// Bytes that this user may still write to the disk (statvfs(3)).
  package func freeByteCount(_ directory: String) -> UInt64? {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return nil }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }
}

/// An open file of the host.
package final class PosixFile: LogFile {
  let descriptor: Int32
  private let path: String

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// Reads until `buffer` is full or the file ends.
  package func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Int {
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = try retrying(.read, path) {
        pread(descriptor, base + done, buffer.count - done, off_t(offset) + done)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Writes all of `bytes`.
  package func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
    try bytes.withUnsafeBytes { buffer throws(FileError) in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        done += try retrying(.write, path) {
          pwrite(descriptor, base + done, buffer.count - done, off_t(offset) + done)
        }
      }
    }
  }

  /// Length in bytes.
  package func size() throws(FileError) -> UInt64 {
    var status = stat()
    try check(fstat(descriptor, &status), .size, path)
    return UInt64(status.st_size)
  }

  /// `fdatasync`, once: an error is not tried again, for the kernel may have dropped the pages.
  package func sync() throws(FileError) {
    try check(fdatasync(descriptor), .sync, path)
  }

  /// Cuts the file, or grows it with zeros.
  package func truncate(to byteCount: UInt64) throws(FileError) {
    _ = try retrying(.truncate, path) { Int(ftruncate(descriptor, off_t(byteCount))) }
  }

  /// Does nothing: reserving room without growing the file (`fallocate`) was measured, and did not
  /// make appending faster.
  package func preallocate(_ byteCount: UInt64) throws(FileError) {}

  /// Asks the kernel to drop the file's clean pages (posix_fadvise(2), `POSIX_FADV_DONTNEED`).
  package func dropCache() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }
}

/// Calls again where a signal came in between (signal(7)); for calls that may be repeated.
func retrying(
  _ operation: FileOperation, _ path: String, _ call: () -> some BinaryInteger
) throws(FileError) -> Int {
  while true {
    let result = Int(call())
    if result >= 0 { return result }
    guard errno == EINTR else {
      throw FileError(operation: operation, path: path, errno: errno)
    }
  }
}

func check(_ result: Int32, _ operation: FileOperation, _ path: String) throws(FileError) {
  guard result == 0 else { throw FileError(operation: operation, path: path, errno: errno) }
}

extension FileError {
  /// The system's words for the error.
  package var message: String {
    "cannot \(operation.rawValue) \(path): \(String(cString: strerror(errno)))"
  }
}

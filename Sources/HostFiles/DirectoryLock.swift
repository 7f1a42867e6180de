import Glibc
package import SegmentLog

/// Keeps a directory for this process: of two daemons on one data directory, the second fails.
///
/// An advisory `flock` on the file `lock` in it; the system lets go of it when the process ends,
/// however it does. HAZARD: over NFS, other hosts may not see it.
package struct DirectoryLock: ~Copyable, Sendable {
  /// The lock file's name.
  package static let fileName = "lock"

  private let descriptor: Int32

  /// Takes a directory, which is created where it is missing.
  ///
  /// Errors: ``isTaken(_:)`` tells whether another process has it.
  package init(_ directory: String) throws(FileError) {
    try PosixFileSystem().createDirectory(directory)
    let path = directory + "/" + Self.fileName
    let descriptor = Int32(
      try retrying(.lock, path) { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640) })
    let code = flock(descriptor, LOCK_EX | LOCK_NB)
    guard code == 0 else {
      let error = FileError(operation: .lock, path: path, errno: errno)
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Whether an error says that another process has the directory.
  package static func isTaken(_ error: FileError) -> Bool {
    error.operation == .lock && error.errno == EWOULDBLOCK
  }
}

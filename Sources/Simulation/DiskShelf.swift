package import SegmentLog

/// All disks of a world as one file system, for reading: the first part of a path names the disk.
package struct DiskShelf: LogFileSystem {
  private let disks: [String: SimulatedDisk]

  /// Disks by the directory that they are seen under.
  package init(_ disks: [String: SimulatedDisk]) { self.disks = disks }

  private func find(
    _ path: String, _ operation: FileOperation
  ) throws(FileError) -> (disk: SimulatedDisk, path: String) {
    let name = String(path.prefix { $0 != "/" })
    guard let disk = disks[name] else {
      throw FileError(operation: operation, path: path, errno: 2)
    }
    return (disk, String(path.dropFirst(name.count + 1)))
  }

  /// Fails: the shelf is read-only, as are all other changes.
  package func createDirectory(_ path: String) throws(FileError) {
    throw FileError(operation: .createDirectory, path: path, errno: 30)
  }

  /// The names right under a directory.
  package func list(_ directory: String) throws(FileError) -> [String] {
    let place = try find(directory, .list)
    return try place.disk.list(place.path)
  }

  /// Opens a file.
  package func open(_ path: String, _ mode: FileMode) throws(FileError) -> SimulatedFile {
    let place = try find(path, .open)
    return try place.disk.open(place.path, mode)
  }

  /// A file's bytes.
  package func map(_ path: String) throws(FileError) -> MappedBytes {
    let place = try find(path, .map)
    return try place.disk.map(place.path)
  }

  /// Fails.
  package func remove(_ path: String) throws(FileError) {
    throw FileError(operation: .remove, path: path, errno: 30)
  }

  /// Fails.
  package func rename(_ path: String, to newPath: String) throws(FileError) {
    throw FileError(operation: .rename, path: path, errno: 30)
  }

  /// Fails.
  package func syncDirectory(_ directory: String) throws(FileError) {
    throw FileError(operation: .syncDirectory, path: directory, errno: 30)
  }
}

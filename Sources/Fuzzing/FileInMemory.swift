import SegmentLog

/// A directory of one file that is only read.
struct FileInMemory: LogFileSystem {
  /// The file, open.
  final class File: LogFile {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(
      at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) -> Int {
      let start = min(Int(clamping: offset), bytes.count)
      let piece = bytes[start..<min(start + buffer.count, bytes.count)]
      buffer.copyBytes(from: piece)
      return piece.count
    }

    func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(FileError) {
      throw readOnly(.write)
    }

    func size() throws(FileError) -> UInt64 { UInt64(bytes.count) }
    func sync() throws(FileError) { throw readOnly(.sync) }
    func truncate(to byteCount: UInt64) throws(FileError) { throw readOnly(.truncate) }
    func preallocate(_ byteCount: UInt64) throws(FileError) { throw readOnly(.preallocate) }
  }

  let name: String
  let bytes: [UInt8]

  func list(_ directory: String) throws(FileError) -> [String] { [name] }
  func open(_ path: String, _ mode: FileMode) throws(FileError) -> File { File(bytes) }

  func map(_ path: String) throws(FileError) -> MappedBytes {
    try MappedBytes(byteCount: bytes.count) { buffer throws(FileError) in
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
  }

  func createDirectory(_ path: String) throws(FileError) { throw readOnly(.createDirectory) }
  func remove(_ path: String) throws(FileError) { throw readOnly(.remove) }

  func rename(_ path: String, to newPath: String) throws(FileError) { throw readOnly(.rename) }

  func syncDirectory(_ directory: String) throws(FileError) { throw readOnly(.syncDirectory) }
}

/// `EROFS`.
private func readOnly(_ operation: FileOperation) -> FileError {
  FileError(operation: operation, path: "", errno: 30)
}

import Bytes

/// Bytes of a file that are handled at once.
private let pieceByteCount = 1 << 20

extension LogFileSystem {
  /// Calls `body` with a file's bytes, piece by piece, and where each begins, until it says that it has
  /// seen enough.
  package func forEachPiece(
    of path: String, _ body: ([UInt8], UInt64) throws(FileError) -> Bool
  ) throws(FileError) {
    let file = try self.open(path, .read)
    var offset: UInt64 = 0
    while true {
      let piece = try file.read(at: offset, count: pieceByteCount)
      guard try body(piece, offset), piece.count == pieceByteCount else { return }
      offset += UInt64(piece.count)
    }
  }

  /// Copies a file to a new name, durably but for the name itself.
  package func copy(_ path: String, to target: String) throws(FileError) {
    let copy = try self.open(target, .create)
    try forEachPiece(of: path) { piece, offset throws(FileError) in
      try copy.write(piece.span.bytes, at: offset)
      return true
    }
    try copy.sync()
    copy.dropCache()
  }
}

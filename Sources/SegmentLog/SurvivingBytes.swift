import Bytes

/// A file's bytes in memory, as far as the disk still gives them back.
///
/// Read, not mapped: a bad sector of a mapped file ends the process.
struct SurvivingBytes {
  private static let stepByteCount = 4 << 20
  private static let sectorByteCount = 4096

  /// All of the file; zeros where it cannot be read.
  let bytes: MappedBytes
  /// What cannot be read. Ascending.
  let unreadable: [Range<Int>]

  /// Reads a file into `memory`, in place of what was there: bytes that were read before are
  /// overwritten. Errors of the disk at single places are no errors of this.
  init(_ file: some LogFile, into memory: ReusedMemory = ReusedMemory()) throws(FileError) {
    let size = Int(try file.size())
    let buffer = memory.reserve(size)
    var unreadable: [Range<Int>] = []
    for start in stride(from: 0, to: size, by: Self.stepByteCount) {
      let step = start..<min(start + Self.stepByteCount, size)
      if try Self.read(step, of: file, into: buffer) { continue }
      for sector in stride(from: start, to: step.upperBound, by: Self.sectorByteCount) {
        let piece = sector..<min(sector + Self.sectorByteCount, step.upperBound)
        if try !Self.read(piece, of: file, into: buffer) { unreadable.append(piece) }
      }
    }
    bytes = MappedBytes(UnsafeRawBufferPointer(buffer)) { _ in withExtendedLifetime(memory) {} }
    self.unreadable = unreadable
  }

  /// Whether the piece could be read; it is zeros where not, and beyond the end of the file.
  private static func read(
    _ range: Range<Int>, of file: some LogFile, into buffer: UnsafeMutableRawBufferPointer
  ) throws(FileError) -> Bool {
    let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
    do throws(FileError) {
      let count = try file.read(at: UInt64(range.lowerBound), into: piece)
      piece[count...].initializeMemory(as: UInt8.self, repeating: 0)
      return true
    } catch {
      guard error.isUnreadable else { throw error }
      piece.initializeMemory(as: UInt8.self, repeating: 0)
      return false
    }
  }
}

/// Memory for one file after the other: fresh pages for each would cost more than reading it.
final class ReusedMemory {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  deinit { memory.deallocate() }

  /// The first `byteCount` bytes, whose content is lost.
  func reserve(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if memory.count < byteCount {
      memory.deallocate()
      memory = .allocate(byteCount: byteCount, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount])
  }
}

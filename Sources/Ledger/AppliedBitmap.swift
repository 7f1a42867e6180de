import Bytes

/// Which events moved money: one bit an event, in chunks, so that growing copies nothing.
struct AppliedBitmap: ~Copyable {
  /// 64-bit words in a chunk: 64 KiB, half a million events.
  static let chunkWordCount = 8192

  var chunks: FlatStorage<UnsafeMutablePointer<UInt64>>
  /// Events noted so far; event n has bit n − 1.
  var count: UInt64 = 0

  init() { chunks = FlatStorage(capacity: 16) }

  deinit {
    for index in 0..<chunks.count { chunks[index].deallocate() }
  }

  /// Notes the next event.
  @inline(__always)
  mutating func append(_ isApplied: Bool) {
    let word = Int(truncatingIfNeeded: count >> 6)
    let chunk = word / Self.chunkWordCount
    if chunk == chunks.count { addChunk() }
    if isApplied { chunks[chunk][word % Self.chunkWordCount] |= 1 << (count & 63) }
    count += 1
  }

  mutating func addChunk() {
    let words = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.chunkWordCount)
    words.initialize(repeating: 0, count: Self.chunkWordCount)
    chunks.append(words)
  }

  /// Whether the event moved money; false for one that is not there.
  func contains(_ sequence: EventSequence) -> Bool {
    guard sequence.rawValue >= 1, sequence.rawValue <= count else { return false }
    let bit = sequence.rawValue - 1
    let word = Int(truncatingIfNeeded: bit >> 6)
    return chunks[word / Self.chunkWordCount][word % Self.chunkWordCount] >> (bit & 63) & 1 == 1
  }
}

// The chunks are reached through this one owner alone, as in FlatStorage.
extension AppliedBitmap: @unchecked Sendable {}

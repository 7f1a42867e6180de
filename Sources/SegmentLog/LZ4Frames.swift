import CLZ4

/// The frame parameters of a batch: one independent block with a checksum, the content's size, no
/// content checksum, and the smallest block size that holds the records.
private func framePreferences(byteCount: Int, level: Int) -> LZ4F_preferences_t {
  var preferences = LZ4F_preferences_t()
  preferences.frameInfo.blockSizeID =
    byteCount <= 64 << 10
    ? LZ4F_max64KB : byteCount <= 256 << 10 ? LZ4F_max256KB : LZ4F_max1MB
  preferences.frameInfo.blockMode = LZ4F_blockIndependent
  preferences.frameInfo.contentSize = UInt64(byteCount)
  // The chained hash is over uncompressed records, and two compressed forms can give the same
  // records: the block's checksum covers the stored bytes, and lets plain `lz4 -t` find damage.
  preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
  preferences.compressionLevel = Int32(level)
  preferences.autoFlush = 1
  return preferences
}

/// An LZ4 frame compression context and its output buffer.
///
/// `@unchecked Sendable`: the only owner of its memory, which no method hands out but for the time
/// of the owner's next call; so passing it to another thread shares nothing.
struct FrameCompressor: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private var output: UnsafeMutableRawBufferPointer
  private let level: Int

  init(level: Int) {
    var context: OpaquePointer?
    let code = LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(code) == 0, let context else { preconditionFailure("out of memory") }
    self.context = context
    self.level = level
    output = .allocate(byteCount: 0, alignment: 16)
  }

  deinit {
    LZ4F_freeCompressionContext(context)
    output.deallocate()
  }

  /// Compresses one frame; the result is valid until the next call.
  mutating func compress(_ records: borrowing RawSpan) -> UnsafeRawBufferPointer {
    precondition((1...SegmentFormat.recordsByteCountMax).contains(records.byteCount))
    var preferences = framePreferences(byteCount: records.byteCount, level: level)
    let bound = LZ4F_compressFrameBound(records.byteCount, &preferences)
    precondition(bound <= SegmentFormat.frameByteCountMax)
    reserve(bound)
    let output = output
    let context = context
    let count = records.withUnsafeBytes { source in
      let start = step(LZ4F_compressBegin(context, output.baseAddress, bound, &preferences))
      let middle = step(
        LZ4F_compressUpdate(
          context, output.baseAddress.map { $0 + start }, bound - start, source.baseAddress,
          source.count, nil))
      let end = step(
        LZ4F_compressEnd(
          context, output.baseAddress.map { $0 + start + middle }, bound - start - middle, nil))
      return start + middle + end
    }
    return UnsafeRawBufferPointer(rebasing: output[..<count])
  }

  private mutating func reserve(_ byteCount: Int) {
    guard output.count < byteCount else { return }
    output.deallocate()
    output = .allocate(byteCount: max(byteCount, 4096), alignment: 16)
  }
}

/// A context with enough room cannot fail but for our own misuse or want of memory.
private func step(_ code: Int) -> Int {
  precondition(LZ4F_isError(code) == 0, "LZ4 frame compression failed")
  return code
}

/// An LZ4 frame decompression context and its output buffer.
///
/// `@unchecked Sendable`: as ``FrameCompressor``.
struct FrameDecompressor: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  /// How many bytes of the buffer the last frame filled.
  private var count = 0

  init() {
    var context: OpaquePointer?
    let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(code) == 0, let context else { preconditionFailure("out of memory") }
    self.context = context
    // As large as the largest block, so that blocks are decoded in place.
    buffer = .allocate(byteCount: SegmentFormat.recordsByteCountMax, alignment: 64)
  }

  deinit {
    LZ4F_freeDecompressionContext(context)
    buffer.deallocate()
  }

  /// What the last call decoded; valid until the next one.
  var output: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<count]) }

  /// Decodes a frame that must give exactly `byteCount` bytes and end with its last byte.
  mutating func decompress(_ frame: borrowing RawSpan, byteCount: Int) -> Bool {
    precondition((0...SegmentFormat.recordsByteCountMax).contains(byteCount))
    count = 0
    guard byteCount > 0 else { return frame.byteCount == 0 }
    var produced = buffer.count
    var consumed = frame.byteCount
    let (context, target) = (context, buffer.baseAddress)
    let code = frame.withUnsafeBytes {
      LZ4F_decompress(context, target, &produced, $0.baseAddress, &consumed, nil)
    }
    guard code == 0, consumed == frame.byteCount, produced == byteCount else {
      LZ4F_resetDecompressionContext(context)
      return false
    }
    count = byteCount
    return true
  }
}

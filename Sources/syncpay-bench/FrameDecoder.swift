import CLZ4

/// Decodes LZ4 frames and nothing else: the limit that a replay is measured against.
struct FrameDecoder: ~Copyable {
  private let context: OpaquePointer
  private let output: UnsafeMutableRawBufferPointer

  /// A decoder for frames of at most `byteCountMax` bytes, decoded.
  init(byteCountMax: Int) throws(BenchFailure) {
    var context: OpaquePointer?
    let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(code) == 0, let context else { throw BenchFailure("out of memory") }
    self.context = context
    output = .allocate(byteCount: byteCountMax, alignment: 64)
  }

  deinit {
    LZ4F_freeDecompressionContext(context)
    output.deallocate()
  }

  /// Decodes one whole frame; how many bytes it gave.
  func decode(_ frame: UnsafeRawBufferPointer) throws(BenchFailure) -> Int {
    var (produced, consumed) = (output.count, frame.count)
    let code = LZ4F_decompress(
      context, output.baseAddress, &produced, frame.baseAddress, &consumed, nil)
    guard code == 0, consumed == frame.count else { throw BenchFailure("not one LZ4 frame") }
    return produced
  }
}

/// A segment that is being written anew, under a name of its own.
struct SegmentOutput<FS: LogFileSystem> {
  let file: FS.File
  var summary: SegmentSummary
  /// What has not been written yet; ends at the end of `summary`.
  var buffer: [UInt8]

  static var writeByteCountMax: Int { 4 << 20 }

  mutating func append(_ bytes: some Collection<UInt8>) throws(LogError) {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.writeByteCountMax { try flush() }
  }

  mutating func flush() throws(LogError) {
    guard !buffer.isEmpty else { return }
    let (file, bytes) = (file, buffer)
    let start = summary.byteCount - UInt64(buffer.count)
    try files { () throws(FileError) in try file.write(bytes.span.bytes, at: start) }
    buffer.removeAll(keepingCapacity: true)
  }
}

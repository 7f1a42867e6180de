import HostFiles
import NIOPosix
import SegmentLog

extension ReplicaGateway {
  /// Bytes of a segment in one answer.
  private static let pieceByteCountMax = 4 << 20

  func segments() async throws(ReadProblem) -> [SegmentExtent] {
    try await reading { reader throws(LogError) in try reader.extents() }
  }

  func bytes(
    of segment: SegmentID, from offset: UInt64
  ) async throws(ReadProblem) -> [UInt8]? {
    try await reading { reader throws(LogError) in
      try reader.bytes(of: segment, from: offset, byteLimit: Self.pieceByteCountMax)
    }
  }

  private func reading<T: Sendable>(
    _ body: @escaping @Sendable (LogReader<PosixFileSystem>) throws(LogError) -> T
  ) async throws(ReadProblem) -> T {
    let result: Result<T, LogError>
    do {
      result = try await environment.readers.runIfActive {
        [reader = environment.reader] () -> Result<T, LogError> in
        do throws(LogError) { return .success(try body(reader)) } catch { return .failure(error) }
      }
    } catch {
      throw .stopping
    }
    switch result {
    case .success(let value): return value
    case .failure(let error):
      environment.scrub.met(error)
      throw .unreadable(reason: "\(error)")
    }
  }
}

import Bytes
import Raft
import Replica
import SegmentLog

/// A frame from a peer, after its length.
enum PeerFrameFuzzing {
  /// Reads the frame as it is, and with batches whose checks and hashes are right.
  static func run(_ bytes: [UInt8]) {
    check(bytes)
    let repaired = withRepairedBatches(bytes)
    if repaired != bytes { check(repaired) }
  }

  private static func check(_ bytes: [UInt8]) {
    if let hello = try? PeerFrame.decodeHello(bytes.span.bytes) {
      precondition(bytes.count == PeerFrame.helloByteCount, "a hello has one length")
      var writer = ByteWriter()
      PeerFrame.encode(hello, into: &writer)
      precondition(writer.bytes.dropFirst(4) == bytes[...], "a hello has one encoding")
    }
    var opener = BatchOpener()
    guard let message = try? PeerFrame.decode(bytes.span.bytes, opener: &opener) else { return }
    precondition(encoded(message) == bytes, "a message has one encoding")
    if case .append(let request, let batches) = message { checkParts(request, batches) }
  }

  /// The bytes of a frame after its length.
  private static func encoded(_ message: PeerMessage) -> [UInt8] {
    var writer = ByteWriter()
    PeerFrame.encode(message, into: &writer)
    precondition(writer.count - 4 <= PeerFrame.byteCountMax, "a frame has a limit")
    return Array(writer.bytes.dropFirst(4))
  }

  /// An append request that was cut up says the same, and every part can be read.
  private static func checkParts(_ request: AppendRequest, _ batches: [Batch]) {
    var opener = BatchOpener()
    var hashes: [Digest256] = []
    for part in AppendParts(request: request, batches: batches) {
      let bytes = encoded(.append(part.request, batches: part.batches))
      guard
        case .append(_, let read)? = try? PeerFrame.decode(bytes.span.bytes, opener: &opener)
      else { preconditionFailure("a part of a request is a request") }
      hashes += read.map(\.header.hash)
    }
    precondition(hashes == batches.map(\.header.hash), "the parts are the whole")
  }

  /// The two kinds of frames that hold batches.
  private static func withRepairedBatches(_ bytes: [UInt8]) -> [UInt8] {
    func index(at offset: Int) -> UInt64 {
      bytes.withUnsafeBytes {
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
    }
    switch bytes.first {
    case PeerFrameSeeds.kindAppend where bytes.count > 37:
      return FormatRepair.batches(bytes, at: 37, after: index(at: 9))
    case PeerFrameSeeds.kindBatches where bytes.count > 14:
      return FormatRepair.batches(bytes, at: 14, after: index(at: 1) &- 1)
    default: return bytes
    }
  }
}

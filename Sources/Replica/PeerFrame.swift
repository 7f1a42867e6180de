package import Bytes
import HybridTime
import Raft
package import SegmentLog

/// Why a frame from a peer was not understood. The connection is closed; nothing else happens.
package enum PeerFrameError: Error, Hashable, Sendable {
  /// The first bytes are not a hello of this protocol.
  case notAHello
  /// The peer speaks another version of the frames.
  case versionMismatch(theirs: UInt16)
  /// The frame's kind is none of this version's.
  case unknownKind(UInt8)
  /// A field is cut short or holds what it cannot.
  case malformed(DecodeError)
  /// Bytes are left over after the last field.
  case trailingBytes(count: Int)
  /// More entries or batches than a frame may carry, or their numbers disagree.
  case entryCountInvalid(Int)
  /// A batch does not verify.
  case batchInvalid(BatchError)
}

/// The peer protocol's frames as bytes: `u32 length | u8 kind | payload`, all little-endian.
///
/// The length counts kind and payload. The first frame each way is the hello; see
/// <doc:PeerProtocol> for every payload.
package enum PeerFrame {
  /// Longest frame that is read or written, bytes: length field excluded.
  package static let byteCountMax = 8 << 20
  /// Most entries in one append frame.
  package static let entryCountMax = 1024
  /// Most bytes of records in one forward frame.
  package static let forwardByteCountMax = 1 << 20

  /// Highest index that a frame may name: the arithmetic on indices never overflows.
  static let indexMax: UInt64 = 1 << 62
  /// Length of a hello after its length field: until then a peer may send nothing longer.
  package static let helloByteCount = 1 + 4 + 2 + 2 + ClusterID.byteCount + 8

  static let helloMagic: UInt32 = 0x5950_5953  // "SYPY" in memory

  enum Kind: UInt8 {
    case hello = 1
    case preVoteRequest, preVoteResponse, voteRequest, voteResponse
    case append, appendResponse, heartbeatRequest, heartbeatResponse, timeoutNow
    case forward, forwardRefused, clockRequest, clockResponse
    case readRequest, readResponse, operatorRequest, operatorResponse, digest
    case batchesRequest, batches, storeRefused, checkpoint
  }

  /// Appends a hello frame, length included.
  package static func encode(_ hello: PeerHello, into writer: inout ByteWriter) {
    frame(.hello, into: &writer) { writer in
      writer.integer(helloMagic)
      writer.integer(PeerHello.protocolVersion)
      writer.integer(hello.node.rawValue)
      writer.append(contentsOf: hello.cluster.bytes)
      writer.integer(hello.store)
    }
  }

  /// Reads a hello from a frame's bytes after its length.
  package static func decodeHello(
    _ bytes: borrowing RawSpan
  ) throws(PeerFrameError) -> PeerHello {
    var reader = ByteReader(bytes)
    do {
      guard try reader.integer(UInt8.self, in: bytes) == Kind.hello.rawValue,
        try reader.integer(UInt32.self, in: bytes) == helloMagic
      else { throw PeerFrameError.notAHello }
      let version = try reader.integer(UInt16.self, in: bytes)
      guard version == PeerHello.protocolVersion else {
        throw PeerFrameError.versionMismatch(theirs: version)
      }
      let node = NodeID(try reader.integer(UInt16.self, in: bytes))
      let cluster = try reader.array(ClusterID.byteCount, in: bytes)
      let store = try reader.integer(UInt64.self, in: bytes)
      guard reader.isAtEnd, let id = ClusterID(bytes: cluster) else {
        throw PeerFrameError.notAHello
      }
      return PeerHello(cluster: id, node: node, store: store)
    } catch let error as PeerFrameError {
      throw error
    } catch {
      throw .notAHello
    }
  }

  static func frame(
    _ kind: Kind, into writer: inout ByteWriter, payload: (inout ByteWriter) -> Void
  ) {
    let start = writer.count
    writer.integer(UInt32(0))
    writer.integer(kind.rawValue)
    payload(&writer)
    let length = writer.count - start - MemoryLayout<UInt32>.size
    precondition(length <= byteCountMax, "a frame over the limit is never built")
    writer.patch(UInt32(length), at: start)
  }
}

package import Bytes
package import HybridTime

/// A clock that this node compares itself with.
package enum ClockSource: Hashable, Comparable, Sendable {
  /// This node's own system clock: a voice in the cluster's median, never polled.
  case host
  /// Another node of the cluster.
  case peer(NodeID)
  /// A time server, by its place in the configuration.
  case server(UInt16)
  /// The kernel's word on how far the host's clock is from true time, where a daemon disciplines it
  /// (adjtimex(2)).
  case kernel

  /// The host first, then peers, then servers, each by number, then the kernel.
  package static func < (left: Self, right: Self) -> Bool { left.order < right.order }

  private var order: UInt32 {
    switch self {
    case .host: 0
    case .peer(let node): 1 << 16 | UInt32(node.rawValue)
    case .server(let number): 2 << 16 | UInt32(number)
    case .kernel: 3 << 16
    }
  }
}

/// What a peer says of its own clock in an answer: with it, its raw time becomes corrected time.
package struct PeerClockClaim: Hashable, Sendable {
  /// The peer's corrected − raw at its transmit time, nanoseconds.
  package var correctionNanoseconds: Int64
  /// The peer's bound about its corrected time, nanoseconds.
  package var boundNanoseconds: Int64
  /// What the peer's clock claims about itself.
  package var status: ClockStatus
  /// What the peer's bound is measured against.
  package var reference: ClockReference
  /// Whether time servers of the peer's own decide its time. Only such a peer may pass true time
  /// on: two nodes that learn it from each other would be a timing loop.
  package var isDirect: Bool

  /// A claim from its fields.
  package init(
    correctionNanoseconds: Int64, boundNanoseconds: Int64, status: ClockStatus,
    reference: ClockReference, isDirect: Bool
  ) {
    self.correctionNanoseconds = correctionNanoseconds
    self.boundNanoseconds = boundNanoseconds
    self.status = status
    self.reference = reference
    self.isDirect = isDirect
  }

  /// Whether the peer's corrected time may stand in for a time server's.
  package var isExternal: Bool {
    isDirect && reference == .external && status == .synchronized
  }
}

/// A node's answer to a peer's clock request, for whatever transport carries it.
package struct PeerClockAnswer: Hashable, Sendable {
  /// Most bytes that ``encode(into:)`` writes.
  package static let encodedByteCountMax = 8 + 8 + 8 + 1 + 10 + 10

  /// The request's number, given back.
  package var nonce: UInt64
  /// The answering node's raw time when the request came in (t2), nanoseconds since 1970.
  package var receiveNanoseconds: Int64
  /// Its raw time when the answer left (t3), nanoseconds since 1970.
  package var transmitNanoseconds: Int64
  /// What it says of its clock at that instant.
  package var claim: PeerClockClaim

  /// An answer from its fields.
  package init(
    nonce: UInt64, receiveNanoseconds: Int64, transmitNanoseconds: Int64, claim: PeerClockClaim
  ) {
    self.nonce = nonce
    self.receiveNanoseconds = receiveNanoseconds
    self.transmitNanoseconds = transmitNanoseconds
    self.claim = claim
  }

  /// Appends the canonical encoding.
  ///
  /// | field | form |
  /// | --- | --- |
  /// | nonce | u64 little-endian |
  /// | receive, transmit | i64 little-endian, nanoseconds since 1970 |
  /// | clock | u8: status in bits 0–1, reference in bits 2–3, direct in bit 4, the rest zero |
  /// | correction | zigzag varint, nanoseconds |
  /// | bound | varint, nanoseconds |
  package func encode(into writer: inout ByteWriter) {
    writer.integer(nonce)
    writer.integer(receiveNanoseconds)
    writer.integer(transmitNanoseconds)
    let direct: UInt8 = claim.isDirect ? 1 << 4 : 0
    writer.integer(claim.status.rawValue | claim.reference.rawValue << 2 | direct)
    writer.signedVarint(claim.correctionNanoseconds)
    writer.varint(UInt64(bitPattern: claim.boundNanoseconds))
  }

  /// Reads what ``encode(into:)`` wrote; refuses values outside ``ClockLimits``.
  package init(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) {
    let start = reader.offset
    let nonce = try reader.integer(UInt64.self, in: bytes)
    let receive = try reader.integer(Int64.self, in: bytes)
    let transmit = try reader.integer(Int64.self, in: bytes)
    let clock = try reader.integer(UInt8.self, in: bytes)
    guard clock < 32, let status = ClockStatus(rawValue: clock & 3),
      let reference = ClockReference(rawValue: clock >> 2 & 3)
    else { throw .invalidField("answer.clock", offset: start) }
    let correction = try reader.signedVarint(in: bytes)
    let bound = try reader.varint(in: bytes)
    guard ClockLimits.isTime(receive), ClockLimits.isTime(transmit),
      ClockLimits.isSpan(correction), bound <= UInt64(ClockLimits.spanNanosecondsMax)
    else { throw .invalidField("answer", offset: start) }
    self.init(
      nonce: nonce, receiveNanoseconds: receive, transmitNanoseconds: transmit,
      claim: PeerClockClaim(
        correctionNanoseconds: correction, boundNanoseconds: Int64(bound), status: status,
        reference: reference, isDirect: clock & 16 != 0))
  }
}

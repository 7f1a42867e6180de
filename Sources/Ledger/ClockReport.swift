public import Bytes
public import HybridTime

/// What kind of clock a node measured.
public enum ClockSourceKind: UInt8, Sendable, CaseIterable {
  /// Another node; the id is its node number.
  case peer = 0
  /// A time server; the id is its place in the node's configuration.
  case server = 1
  /// The kernel's own estimate, where a daemon disciplines the host's clock; the id is 0.
  case kernel = 2
}

/// What the selection thought of a source (RFC 5905 §11.2.1).
public enum ClockSourceVerdict: UInt8, Sendable, CaseIterable {
  /// Its interval agrees with the majority's.
  case selected = 0
  /// Its interval does not.
  case falseticker = 1
  /// It has not answered for too long.
  case stale = 2
  /// It took no part for another reason: better sources decided, or it asked to be left alone.
  case unused = 3
}

/// One source in a clock report.
public struct ClockSourceReport: Hashable, Sendable {
  /// Most bytes of its encoding.
  static let encodedByteCountMax = 1 + 5 + 10 + 10 + 10 + 1

  /// Peer, server or kernel.
  public var kind: ClockSourceKind
  /// Node number or place in the configuration.
  public var id: UInt32
  /// source − this node's raw clock, nanoseconds.
  public var offsetNanoseconds: Int64
  /// The source's time lies within ± this of the offset; nanoseconds, never negative.
  public var errorNanoseconds: Int64
  /// Round trip of the sample behind the offset; nanoseconds, never negative.
  public var delayNanoseconds: Int64
  /// Whether it took part in the correction.
  public var verdict: ClockSourceVerdict

  /// A source from its fields.
  public init(
    kind: ClockSourceKind, id: UInt32, offsetNanoseconds: Int64, errorNanoseconds: Int64,
    delayNanoseconds: Int64, verdict: ClockSourceVerdict
  ) {
    self.kind = kind
    self.id = id
    self.offsetNanoseconds = offsetNanoseconds
    self.errorNanoseconds = errorNanoseconds
    self.delayNanoseconds = delayNanoseconds
    self.verdict = verdict
  }

  func encode(into writer: inout ByteWriter) {
    precondition(errorNanoseconds >= 0 && delayNanoseconds >= 0)
    writer.integer(kind.rawValue)
    writer.varint(UInt64(id))
    writer.signedVarint(offsetNanoseconds)
    writer.varint(UInt64(errorNanoseconds))
    writer.varint(UInt64(delayNanoseconds))
    writer.integer(verdict.rawValue)
  }

  init(from reader: inout ByteReader, in bytes: borrowing RawSpan) throws(DecodeError) {
    let start = reader.offset
    guard let kind = ClockSourceKind(rawValue: try reader.integer(UInt8.self, in: bytes)) else {
      throw .invalidField("source.kind", offset: start)
    }
    let id = try reader.varint(in: bytes)
    let offset = try reader.signedVarint(in: bytes)
    let error = try reader.varint(in: bytes)
    let delay = try reader.varint(in: bytes)
    guard id <= UInt64(UInt32.max), error <= UInt64(Int64.max), delay <= UInt64(Int64.max) else {
      throw .invalidField("source", offset: start)
    }
    let verdictOffset = reader.offset
    let verdictNumber = try reader.integer(UInt8.self, in: bytes)
    guard let verdict = ClockSourceVerdict(rawValue: verdictNumber) else {
      throw .invalidField("source.verdict", offset: verdictOffset)
    }
    self.init(
      kind: kind, id: UInt32(truncatingIfNeeded: id), offsetNanoseconds: offset,
      errorNanoseconds: Int64(bitPattern: error), delayNanoseconds: Int64(bitPattern: delay),
      verdict: verdict)
  }
}

/// What a node's clock synchronization saw at one time, in the replicated log.
///
/// | field | form |
/// | --- | --- |
/// | stamp | `Stamp` |
/// | drift | zigzag varint, parts per billion |
/// | count | varint, at most 64 |
/// | sources | each: u8 kind, varint id, zigzag offset, varint error and delay, u8 verdict |
public struct ClockReport: Hashable, Sendable {
  /// Most sources in a report.
  public static let sourceCountMax = 64

  /// Which node, when, and what its clock made of the sources.
  public var stamp: Stamp
  /// How much faster the reference runs than this node's oscillator, parts per billion.
  public var driftPartsPerBillion: Int64
  /// The sources, in the node's own order. Invariant: at most ``sourceCountMax``.
  public var sources: [ClockSourceReport]

  /// A report from its fields. Precondition: at most ``sourceCountMax`` sources.
  public init(stamp: Stamp, driftPartsPerBillion: Int64, sources: [ClockSourceReport]) {
    precondition(sources.count <= Self.sourceCountMax)
    self.stamp = stamp
    self.driftPartsPerBillion = driftPartsPerBillion
    self.sources = sources
  }

  /// Appends the report's record.
  public func encode(into writer: inout ByteWriter) {
    precondition(sources.count <= Self.sourceCountMax)
    writer.record(.clockReport) { writer in
      stamp.encode(into: &writer)
      writer.signedVarint(driftPartsPerBillion)
      writer.varint(UInt64(sources.count))
      for source in sources { source.encode(into: &writer) }
    }
  }

  /// Reads a report's body, which must fill `body`.
  public init(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    var reader = ByteReader(body)
    stamp = try Stamp(from: &reader, in: bytes)
    driftPartsPerBillion = try reader.signedVarint(in: bytes)
    let countOffset = reader.offset
    let count = try reader.varint(in: bytes)
    guard count <= UInt64(Self.sourceCountMax) else {
      throw .invalidField("report.count", offset: countOffset)
    }
    sources = []
    for _ in 0..<count { sources.append(try ClockSourceReport(from: &reader, in: bytes)) }
    guard reader.isAtEnd else { throw .invalidField("report.end", offset: reader.offset) }
  }

  /// Checks a report's body without keeping anything.
  static func check(_ body: Range<Int>, in bytes: borrowing RawSpan) throws(DecodeError) {
    _ = try ClockReport(body, in: bytes)
  }
}

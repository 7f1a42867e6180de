package import Bytes

/// The NTP packet header, 48 bytes, big-endian (RFC 5905 §7.3).
///
/// Extension fields and a message authentication code after the header are ignored: this
/// system neither sends nor trusts them.
package struct NTPPacket: Hashable, Sendable {
  /// Bytes of the header.
  package static let byteCount = 48

  /// Leap indicator (RFC 5905 figure 9).
  package enum Leap: UInt8, Sendable {
    /// No leap second is announced.
    case none = 0
    /// The last minute of the day has 61 seconds.
    case insert = 1
    /// The last minute of the day has 59 seconds.
    case delete = 2
    /// The sender's clock is not synchronized.
    case unsynchronized = 3
  }

  /// Association mode (RFC 5905 figure 10).
  package enum Mode: UInt8, Sendable {
    /// Reserved.
    case reserved = 0
    /// A symmetric association that was configured.
    case symmetricActive = 1
    /// A symmetric association that was answered.
    case symmetricPassive = 2
    /// A request.
    case client = 3
    /// An answer to a request.
    case server = 4
    /// A broadcast.
    case broadcast = 5
    /// An NTP control message.
    case control = 6
    /// Private use.
    case privateUse = 7
  }

  /// Warning of a leap second, or of an unsynchronized clock.
  package var leap: Leap
  /// Protocol version, 0…7; 4 is what we send.
  package var version: UInt8
  /// What kind of packet this is.
  package var mode: Mode
  /// Hops from a reference clock: 1 primary, 2–15 secondary, 0 unspecified or kiss-o'-death.
  package var stratum: UInt8
  /// Maximum interval between messages, log2 seconds.
  package var poll: Int8
  /// Precision of the sender's clock, log2 seconds.
  package var precision: Int8
  /// Round trip to the reference clock.
  package var rootDelay: NTPShort
  /// Dispersion to the reference clock.
  package var rootDispersion: NTPShort
  /// The reference: four ASCII letters at stratum 0 and 1, else a number of the upstream source.
  package var referenceID: UInt32
  /// When the sender's clock was last set.
  package var referenceTime: NTPTimestamp
  /// The transmit time of the request that this answers.
  package var origin: NTPTimestamp
  /// When that request came in.
  package var receive: NTPTimestamp
  /// When this packet left.
  package var transmit: NTPTimestamp

  /// A packet of version 4 with everything unknown.
  package init(leap: Leap = .none, version: UInt8 = 4, mode: Mode) {
    self.leap = leap
    self.version = version & 7
    self.mode = mode
    stratum = 0
    poll = 0
    precision = 0
    rootDelay = NTPShort(rawValue: 0)
    rootDispersion = NTPShort(rawValue: 0)
    referenceID = 0
    referenceTime = .zero
    origin = .zero
    receive = .zero
    transmit = .zero
  }

  /// Reads the header from the start of a datagram; what follows it is not looked at.
  package init(
    from reader: inout ByteReader, in bytes: borrowing RawSpan
  ) throws(DecodeError) {
    let start = reader.offset
    let first = try reader.integer(UInt8.self, in: bytes)
    guard let leap = Leap(rawValue: first >> 6), let mode = Mode(rawValue: first & 7) else {
      throw .invalidField("ntp.flags", offset: start)
    }
    self.init(leap: leap, version: first >> 3 & 7, mode: mode)
    stratum = try reader.integer(UInt8.self, in: bytes)
    poll = try reader.integer(Int8.self, in: bytes)
    precision = try reader.integer(Int8.self, in: bytes)
    rootDelay = NTPShort(rawValue: try reader.bigEndian(UInt32.self, in: bytes))
    rootDispersion = NTPShort(rawValue: try reader.bigEndian(UInt32.self, in: bytes))
    referenceID = try reader.bigEndian(UInt32.self, in: bytes)
    referenceTime = NTPTimestamp(rawValue: try reader.bigEndian(UInt64.self, in: bytes))
    origin = NTPTimestamp(rawValue: try reader.bigEndian(UInt64.self, in: bytes))
    receive = NTPTimestamp(rawValue: try reader.bigEndian(UInt64.self, in: bytes))
    transmit = NTPTimestamp(rawValue: try reader.bigEndian(UInt64.self, in: bytes))
  }

  /// Appends the 48 bytes.
  package func encode(into writer: inout ByteWriter) {
    writer.integer(leap.rawValue << 6 | (version & 7) << 3 | mode.rawValue)
    writer.integer(stratum)
    writer.integer(poll)
    writer.integer(precision)
    writer.bigEndian(rootDelay.rawValue)
    writer.bigEndian(rootDispersion.rawValue)
    writer.bigEndian(referenceID)
    writer.bigEndian(referenceTime.rawValue)
    writer.bigEndian(origin.rawValue)
    writer.bigEndian(receive.rawValue)
    writer.bigEndian(transmit.rawValue)
  }
}

extension NTPPacket {
  /// Reads the header from a whole datagram.
  package init(datagram: [UInt8]) throws(DecodeError) {
    var reader = ByteReader(0..<datagram.count)
    self = try NTPPacket(from: &reader, in: datagram.span.bytes)
  }

  /// The 48 bytes to send.
  package var datagram: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    encode(into: &writer)
    return writer.bytes
  }
}

extension ByteReader {
  /// Reads an integer in network byte order.
  mutating func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, in bytes: borrowing RawSpan
  ) throws(DecodeError) -> T {
    try integer(type, in: bytes).byteSwapped
  }
}

extension ByteWriter {
  /// Appends an integer in network byte order.
  mutating func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    integer(value.byteSwapped)
  }
}

package import Bytes

/// Why a server sent a kiss-o'-death (RFC 5905 §7.4).
package enum KissCode: Hashable, Sendable {
  /// RATE: the client must poll less often.
  case rate
  /// DENY: the client must go away.
  case deny
  /// RSTR: the client must go away.
  case restrict
  /// Another code, as its four ASCII bytes.
  case other(UInt32)

  /// The code in a stratum-0 packet's reference id.
  package init(referenceID: UInt32) {
    self =
      switch referenceID {
      case 0x5241_5445: .rate
      case 0x4445_4e59: .deny
      case 0x5253_5452: .restrict
      default: .other(referenceID)
      }
  }

  /// Whether the source must not be asked again (RFC 5905 §7.4).
  package var isFinal: Bool { self == .deny || self == .restrict }
}

/// Why an answer was not believed.
package enum NTPRefusal: Error, Hashable, Sendable {
  /// Not 48 readable bytes.
  case malformed(DecodeError)
  /// Not a server's answer.
  case wrongMode(NTPPacket.Mode)
  /// Not version 3 or 4.
  case wrongVersion(UInt8)
  /// It does not answer the request that is out: late, a duplicate, or forged (RFC 5905 §8).
  case originMismatch
  /// The server says that it does not know the time (leap 3, or a stratum above 15).
  case unsynchronized
  /// Receive or transmit time is 0, or lies outside what can be told.
  case missingTimestamp
  /// Root delay / 2 + root dispersion is over 16 s (RFC 5905 §A.5.1.1).
  case rootDistanceTooLong
  /// The timestamps make no sample.
  case sample(ClockSampleRefusal)
}

/// What a believed answer gives.
package enum NTPAnswer: Hashable, Sendable {
  /// A sample of the server's clock.
  case sample(ClockSample)
  /// The server asks to be left alone.
  case kissOfDeath(KissCode)
}

/// One request that is out: what must be kept until its answer comes.
///
/// The nonce stands in the transmit field of an NTP request in place of the time: the answer must
/// give it back, and the request tells nobody what this host's clock says (RFC 9109's concern,
/// RFC 8915 §5.7's habit). It must be unpredictable to whoever could forge an answer.
package struct ClockExchange: Hashable, Sendable {
  /// Whom the request was sent to.
  package let source: ClockSource
  /// A random number, not 0.
  package let nonce: UInt64
  /// Monotonic time of the sending (t1), nanoseconds: read as late as can be before the send.
  package let sentMonotonicNanoseconds: Int64

  /// An exchange that starts now.
  package init(source: ClockSource, nonce: UInt64, sentMonotonicNanoseconds: Int64) {
    precondition(nonce != 0, "a nonce of 0 would match an answer that names no request")
    self.source = source
    self.nonce = nonce
    self.sentMonotonicNanoseconds = sentMonotonicNanoseconds
  }

  /// The packet to send to a time server.
  package var request: NTPPacket {
    NTPPacket.makeClientRequest(transmit: NTPTimestamp(rawValue: nonce))
  }

  /// Checks a time server's datagram and makes the sample of it (RFC 5905 §8, §9.2).
  ///
  /// The origin is checked before a kiss-o'-death is believed, so that only who saw the request
  /// can silence a source. `rawNanoseconds` is the local system clock at the receipt; it picks the
  /// NTP era and is kept in the sample, nothing else.
  package func accept(
    datagram: [UInt8], monotonicNanoseconds: Int64, rawNanoseconds: Int64
  ) throws(NTPRefusal) -> NTPAnswer {
    let packet: NTPPacket
    do { packet = try NTPPacket(datagram: datagram) } catch { throw .malformed(error) }
    guard packet.mode == .server else { throw .wrongMode(packet.mode) }
    guard packet.version == 3 || packet.version == 4 else { throw .wrongVersion(packet.version) }
    guard packet.origin.rawValue == nonce else { throw .originMismatch }
    if packet.stratum == 0 {
      guard let code = packet.kissCode else { throw .unsynchronized }
      return .kissOfDeath(code)
    }
    guard packet.leap != .unsynchronized, packet.stratum < 16 else { throw .unsynchronized }
    guard packet.receive != .zero, packet.transmit != .zero,
      let receive = packet.receive.unixNanoseconds(near: rawNanoseconds),
      let transmit = packet.transmit.unixNanoseconds(near: rawNanoseconds)
    else { throw .missingTimestamp }
    let distance = packet.rootDistanceNanoseconds
    guard distance <= ClockSample.errorNanosecondsMax else { throw .rootDistanceTooLong }
    do {
      return .sample(
        try ClockSample(
          sentMonotonicNanoseconds: sentMonotonicNanoseconds, receiveNanoseconds: receive,
          transmitNanoseconds: transmit, monotonicNanoseconds: monotonicNanoseconds,
          rawNanoseconds: rawNanoseconds, remoteErrorNanoseconds: distance,
          stratum: packet.stratum))
    } catch { throw .sample(error) }
  }

  /// Checks a peer's answer and makes the sample of it.
  package func accept(
    _ answer: PeerClockAnswer, monotonicNanoseconds: Int64, rawNanoseconds: Int64
  ) throws(NTPRefusal) -> ClockSample {
    guard answer.nonce == nonce else { throw .originMismatch }
    do {
      return try ClockSample(
        sentMonotonicNanoseconds: sentMonotonicNanoseconds,
        receiveNanoseconds: answer.receiveNanoseconds,
        transmitNanoseconds: answer.transmitNanoseconds,
        monotonicNanoseconds: monotonicNanoseconds, rawNanoseconds: rawNanoseconds,
        claim: answer.claim)
    } catch { throw .sample(error) }
  }
}

extension NTPPacket {
  /// A client's request that tells nothing but its version and the number to give back.
  package static func makeClientRequest(transmit: NTPTimestamp) -> NTPPacket {
    var packet = NTPPacket(mode: .client)
    packet.transmit = transmit
    return packet
  }

  /// What a server needs to know of itself to answer.
  package struct ServerState: Hashable, Sendable {
    /// Warning of a leap second, or ``Leap/unsynchronized``.
    package var leap: Leap
    /// 1…15; 16 and above go out as 0 with ``Leap/unsynchronized`` (RFC 5905 §7.3).
    package var stratum: UInt8
    /// log2 seconds of the clock's resolution.
    package var precision: Int8
    /// Round trip to the reference, nanoseconds.
    package var rootDelayNanoseconds: Int64
    /// Dispersion to the reference, nanoseconds.
    package var rootDispersionNanoseconds: Int64
    /// The reference's id.
    package var referenceID: UInt32
    /// When the clock was last set or corrected, nanoseconds since 1970.
    package var referenceTimeNanoseconds: Int64

    /// A state from its fields.
    package init(
      leap: Leap = .none, stratum: UInt8, precision: Int8 = -20, rootDelayNanoseconds: Int64,
      rootDispersionNanoseconds: Int64, referenceID: UInt32, referenceTimeNanoseconds: Int64
    ) {
      self.leap = leap
      self.stratum = stratum
      self.precision = precision
      self.rootDelayNanoseconds = rootDelayNanoseconds
      self.rootDispersionNanoseconds = rootDispersionNanoseconds
      self.referenceID = referenceID
      self.referenceTimeNanoseconds = referenceTimeNanoseconds
    }
  }

  /// The answer to a client's request (RFC 5905 §9.2, fast_xmit), or `nil` if the packet is not
  /// a request of version 3 or 4. Never larger than the request, so it cannot amplify.
  package static func makeServerResponse(
    to request: NTPPacket, receiveNanoseconds: Int64, transmitNanoseconds: Int64,
    state: ServerState
  ) -> NTPPacket? {
    guard request.mode == .client, request.version == 3 || request.version == 4 else {
      return nil
    }
    let known = (1...15).contains(state.stratum) && state.leap != .unsynchronized
    var packet = NTPPacket(
      leap: known ? state.leap : .unsynchronized, version: request.version, mode: .server)
    packet.stratum = (1...15).contains(state.stratum) ? state.stratum : 0
    packet.poll = request.poll
    packet.precision = state.precision
    packet.rootDelay = NTPShort(nanoseconds: state.rootDelayNanoseconds)
    packet.rootDispersion = NTPShort(nanoseconds: state.rootDispersionNanoseconds)
    packet.referenceID = state.referenceID
    packet.referenceTime = NTPTimestamp(unixNanoseconds: state.referenceTimeNanoseconds)
    packet.origin = request.transmit
    packet.receive = NTPTimestamp(unixNanoseconds: receiveNanoseconds)
    packet.transmit = NTPTimestamp(unixNanoseconds: transmitNanoseconds)
    return packet
  }

  /// The kiss-o'-death of a stratum-0 packet. Servers that have not found their time yet answer
  /// at stratum 0 too, with leap 3 and no code, or one that asks for nothing (INIT, STEP).
  fileprivate var kissCode: KissCode? {
    let code = KissCode(referenceID: referenceID)
    guard case .other = code else { return code }
    return leap == .unsynchronized || referenceID == 0 ? nil : code
  }

  /// Root delay / 2 + root dispersion + precision, nanoseconds, rounded up: how far the server
  /// says that it may be from true time.
  package var rootDistanceNanoseconds: Int64 {
    let resolution: Int64 =
      precision >= 0 ? 1_000_000_000 : (1_000_000_000 >> min(-Int64(precision), 30)) + 1
    return (rootDelay.nanoseconds + 1) / 2 + rootDispersion.nanoseconds + resolution
  }
}

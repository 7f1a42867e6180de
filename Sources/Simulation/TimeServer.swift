import Bytes
import ClockSync

/// A time server somewhere: right within what it says, or false.
struct TimeServer {
  /// Its clock − true time, nanoseconds.
  let error: Int64
  /// What it says that it may be off, nanoseconds.
  let declaredError: Int64
  /// Least latency to it and from it, nanoseconds.
  let latency: (there: Int64, back: Int64)

  /// A right server, or one that is off by more than any exchange could hide.
  init(isFalse: Bool, declaredError: Int64, latencyMax: Int64, _ random: inout SeededGenerator) {
    self.declaredError = declaredError
    let sign: Int64 = random.chance(500) ? 1 : -1
    error =
      isFalse
      ? sign * random.span(10 * Span.second...3600 * Span.second)
      : random.span(-declaredError...declaredError)
    latency = (
      random.span(50 * Span.microsecond...latencyMax),
      random.span(50 * Span.microsecond...latencyMax)
    )
  }

  /// The answer to a datagram that came in at `received` and is answered at `answered`, nanoseconds
  /// since the world's start.
  func answer(_ datagram: [UInt8], received: Int64, answered: Int64) -> [UInt8]? {
    guard let request = try? NTPPacket(datagram: datagram) else { return nil }
    let start = SimulatedClock.worldStartNanoseconds + error
    let state = NTPPacket.ServerState(
      stratum: 2, rootDelayNanoseconds: 0, rootDispersionNanoseconds: declaredError,
      referenceID: 1, referenceTimeNanoseconds: start)
    return NTPPacket.makeServerResponse(
      to: request, receiveNanoseconds: start + received, transmitNanoseconds: start + answered,
      state: state)?.datagram
  }
}

import Bytes
import HybridTime

@testable import ClockSync

/// A clock that runs at a wrong rate from a wrong start, over true nanoseconds since the start.
struct DriftingClock {
  var start: Int64
  var ratePartsPerBillion: Int64

  func time(atTrue elapsed: Int64) -> Int64 {
    start + elapsed + elapsed / 1_000_000 * ratePartsPerBillion / 1000
  }
}

/// A node with its two clocks, in a world where true time is known.
struct SimulatedNode {
  var raw: DriftingClock
  var monotonic: DriftingClock
  var clock: NodeClock

  init(_ configuration: ClockConfiguration, raw: DriftingClock, monotonic: DriftingClock) {
    self.raw = raw
    self.monotonic = monotonic
    clock = NodeClock(
      configuration: configuration, rawNanoseconds: raw.time(atTrue: 0),
      monotonicNanoseconds: monotonic.time(atTrue: 0))
  }

  func reading(atTrue now: Int64) -> ClockReading {
    clock.reading(
      rawNanoseconds: raw.time(atTrue: now), monotonicNanoseconds: monotonic.time(atTrue: now))
  }

  func snapshot(atTrue now: Int64) -> ClockSnapshot {
    clock.snapshot(
      rawNanoseconds: raw.time(atTrue: now), monotonicNanoseconds: monotonic.time(atTrue: now))
  }

  mutating func poll(atTrue now: Int64) {
    clock.poll(
      rawNanoseconds: raw.time(atTrue: now), monotonicNanoseconds: monotonic.time(atTrue: now))
  }
}

/// Nodes and time servers over a network with jitter, losses and asymmetry, from one seed.
struct SimulatedCluster {
  static let epoch: Int64 = 1_790_000_000_000_000_000
  var nodes: [SimulatedNode]
  /// Errors of the time servers, which declare 1 ms of dispersion.
  var serverErrors: [Int64] = []
  var random: SeededGenerator
  var lossPercent = 2
  /// The least time a packet takes each way.
  var floors: (there: Int64, back: Int64) = (60_000, 180_000)
  /// Nodes that neither ask nor answer.
  var isDown: [Bool]

  /// `rawOffsets`: each node's system clock at the start, against true time.
  init(
    seed: UInt64, rawOffsets: [Int64], driftMax: Int64 = 50_000, serverErrors: [Int64] = [],
    configure: (inout ClockConfiguration) -> Void = { _ in }
  ) {
    var random = SeededGenerator(seed: seed)
    let all = rawOffsets.indices.map { NodeID(UInt16($0 + 1)) }
    nodes = rawOffsets.indices.map { index in
      var configuration = ClockConfiguration(node: all[index])
      configuration.peers = all.filter { $0 != all[index] }
      configuration.servers = serverErrors.indices.map {
        ClockServer(number: UInt16($0), name: "server\($0)")
      }
      configure(&configuration)
      func clock(_ start: Int64) -> DriftingClock {
        DriftingClock(
          start: start,
          ratePartsPerBillion: Int64.random(in: -driftMax...driftMax, using: &random))
      }
      return SimulatedNode(
        configuration, raw: clock(Self.epoch + rawOffsets[index]),
        monotonic: clock(Int64.random(in: 0...1_000_000_000_000_000, using: &random)))
    }
    self.serverErrors = serverErrors
    self.random = random
    isDown = rawOffsets.map { _ in false }
  }

  /// Runs what is due at each node, then polls each; exchanges end within `step / 2`.
  mutating func tick(atTrue now: Int64, step: Int64) {
    for index in nodes.indices where !isDown[index] {
      let sent = nodes[index].monotonic.time(atTrue: now)
      for source in nodes[index].clock.nextPolls(monotonicNanoseconds: sent) {
        exchange(from: index, with: source, atTrue: now)
      }
    }
    for index in nodes.indices where !isDown[index] {
      nodes[index].poll(atTrue: now + step / 2)
    }
  }

  private mutating func travel(floor: Int64) -> Int64 {
    let jitter = Int64.random(in: 0...400_000, using: &random)
    let isSpike = Int.random(in: 0..<50, using: &random) == 0
    return floor + jitter + (isSpike ? Int64.random(in: 0...20_000_000, using: &random) : 0)
  }

  private mutating func exchange(from index: Int, with source: ClockSource, atTrue now: Int64) {
    let received = now + travel(floor: floors.there)
    let answered = received + Int64.random(in: 1_000...200_000, using: &random)
    let ended = answered + travel(floor: floors.back)
    let isLost = Int.random(in: 0..<100, using: &random) < lossPercent
    let pending = ClockExchange(
      source: source, nonce: random.next() | 1,
      sentMonotonicNanoseconds: nodes[index].monotonic.time(atTrue: now))
    let end = (
      monotonic: nodes[index].monotonic.time(atTrue: ended),
      raw: nodes[index].raw.time(atTrue: ended)
    )
    do {
      switch source {
      case .host, .kernel: return
      case .peer(let node):
        let peer = nodes[Int(node.rawValue) - 1]
        if isLost || isDown[Int(node.rawValue) - 1] { throw ClockFailure.timeout }
        let answer = peer.clock.discipline.answer(
          nonce: pending.nonce, receivedRawNanoseconds: peer.raw.time(atTrue: received),
          receivedMonotonicNanoseconds: peer.monotonic.time(atTrue: received),
          monotonicNanoseconds: peer.monotonic.time(atTrue: answered))
        let sample = try pending.accept(
          answer, monotonicNanoseconds: end.monotonic, rawNanoseconds: end.raw)
        nodes[index].clock.record(sample, from: source)
      case .server(let number):
        if isLost { throw ClockFailure.timeout }
        try askServer(
          number, pending, received: received, answered: answered, end: end, index: index)
      }
    } catch let failure as ClockFailure {
      nodes[index].clock.recordFailure(failure, from: source)
    } catch let refusal as NTPRefusal {
      nodes[index].clock.recordFailure(.refused(refusal), from: source)
    } catch {
      preconditionFailure("unexpected \(error)")
    }
  }

  private mutating func askServer(
    _ number: UInt16, _ pending: ClockExchange, received: Int64, answered: Int64,
    end: (monotonic: Int64, raw: Int64), index: Int
  ) throws {
    let error = serverErrors[Int(number)]
    let state = NTPPacket.ServerState(
      stratum: 2, rootDelayNanoseconds: 0, rootDispersionNanoseconds: 1_000_000,
      referenceID: 1, referenceTimeNanoseconds: Self.epoch)
    guard
      let packet = NTPPacket.makeServerResponse(
        to: pending.request, receiveNanoseconds: Self.epoch + received + error,
        transmitNanoseconds: Self.epoch + answered + error, state: state)
    else { throw ClockFailure.unreachable }
    let answer = try pending.accept(
      datagram: packet.datagram, monotonicNanoseconds: end.monotonic, rawNanoseconds: end.raw)
    switch answer {
    case .sample(let sample): nodes[index].clock.record(sample, from: .server(number))
    case .kissOfDeath(let code):
      nodes[index].clock.recordFailure(.kissOfDeath(code), from: .server(number))
    }
  }
}

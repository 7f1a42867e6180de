import Bytes

/// One direction between two hosts.
struct Link {
  /// Least latency, nanoseconds.
  let latency: Int64
  /// How many partitions cut it now.
  var cutCount = 0
  /// Everything arrives after this, nanoseconds.
  var cloggedUntil: Int64 = 0
  /// When the last frame of the connection arrives: later ones come after it.
  var lastArrival: Int64 = 0
  /// Frames that a cut holds back, in order.
  var held: [Frame] = []

  var isCut: Bool { cutCount > 0 }
}

/// A peer message on its way.
struct Frame {
  let from: Int
  let to: Int
  /// The numbers that both went by when it was sent.
  let ids: (from: NodeID, to: NodeID)
  /// The connection it was written to.
  let connection: Int
  /// Kind and payload, without the length.
  let bytes: [UInt8]
}

/// One side's view of the connection to a peer.
struct ConnectionSide {
  /// Its number, or nil while there is none.
  var connection: Int?
  /// When the peer was last heard on it, nanoseconds.
  var heard: Int64 = 0
}

/// Links and connections between all hosts. Says when what arrives; the world delivers it.
struct SimulatedNetwork {
  let count: Int
  let options: NetworkOptions
  var random: SeededGenerator
  private var links: [Link]
  private var sides: [ConnectionSide]
  private var connectionCount = 0
  private(set) var lostCount = 0
  private(set) var repeatedCount = 0
  private(set) var sentCount = 0
  /// Without chances and cuts, from the settling phase on.
  var isCalm = false

  init(count: Int, options: NetworkOptions, seed: UInt64) {
    self.count = count
    self.options = options
    var random = SeededGenerator(seed: seed, concern: .network)
    links = (0..<count * count).map { _ in
      Link(latency: random.span(20 * Span.microsecond...options.latencyMax))
    }
    sides = [ConnectionSide](repeating: ConnectionSide(), count: count * count)
    self.random = random
  }

  subscript(link from: Int, _ to: Int) -> Link {
    get { links[from * count + to] }
    set { links[from * count + to] = newValue }
  }

  subscript(side owner: Int, _ peer: Int) -> ConnectionSide {
    get { sides[owner * count + peer] }
    set { sides[owner * count + peer] = newValue }
  }

  /// Time for one way, nanoseconds.
  mutating func latency(_ from: Int, _ to: Int, now: Int64) -> Int64 {
    let link = self[link: from, to]
    return max(link.latency + random.span(0...options.jitterMax), link.cloggedUntil - now)
  }

  /// A new connection's number.
  mutating func makeConnection() -> Int {
    connectionCount += 1
    return connectionCount
  }

  /// Whether both directions work.
  func isOpen(_ one: Int, _ other: Int) -> Bool {
    !self[link: one, other].isCut && !self[link: other, one].isCut
  }

  /// When copies of a frame arrive; none where it is lost or held back.
  mutating func arrivals(of frame: Frame, now: Int64) -> [Int64] {
    sentCount += 1
    let place = frame.from * count + frame.to
    switch options.transport {
    case .stream:
      guard !links[place].isCut else {
        links[place].held.append(frame)
        return []
      }
      return [inOrder(place, frame, now: now)]
    case .messages:
      guard !links[place].isCut, isCalm || !random.chance(options.lossPermille) else {
        lostCount += 1
        return []
      }
      var times = [now + latency(frame.from, frame.to, now: now)]
      if !isCalm, random.chance(options.repeatPermille) {
        repeatedCount += 1
        times.append(
          now + latency(frame.from, frame.to, now: now)
            + random.logarithmicSpan(Span.millisecond...2 * Span.second))
      }
      return times
    }
  }

  private mutating func inOrder(_ place: Int, _ frame: Frame, now: Int64) -> Int64 {
    let arrival = max(
      now + latency(frame.from, frame.to, now: now), links[place].lastArrival + 1)
    links[place].lastArrival = arrival
    return arrival
  }

  /// One more partition cuts a direction.
  mutating func cut(_ from: Int, _ to: Int) { links[from * count + to].cutCount += 1 }

  /// All partitions end; returns what they held back, as ``mend(_:_:now:)``.
  mutating func mendAll(now: Int64) -> [(Frame, Int64)] {
    var frames: [(Frame, Int64)] = []
    for from in 0..<count {
      for to in 0..<count where self[link: from, to].isCut {
        self[link: from, to].cutCount = 1
        frames.append(contentsOf: mend(from, to, now: now))
      }
    }
    return frames
  }

  /// A partition ends; returns what it held back, with the times at which it arrives now.
  mutating func mend(_ from: Int, _ to: Int, now: Int64) -> [(Frame, Int64)] {
    let place = from * count + to
    links[place].cutCount -= 1
    guard !links[place].isCut else { return [] }
    let held = links[place].held
    links[place].held = []
    return held.map { ($0, inOrder(place, $0, now: now)) }
  }
}

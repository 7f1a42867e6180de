package import Bytes

/// How a leader feeds one follower.
package enum ProgressFlow: Hashable, Sendable {
  /// Where the logs part is unknown: one append at a time. `isPaused`: one is on the way.
  case probe(isPaused: Bool)
  /// The follower keeps up: appends leave without waiting, up to the window.
  case replicate
}

/// What a status page shows about one member.
package struct PeerProgress: Hashable, Sendable {
  /// The member.
  package let id: NodeID
  /// Highest place it is known to hold durably.
  package let match: LogIndex
  /// Next place to send.
  package let next: LogIndex
  /// How it is fed.
  package let flow: ProgressFlow
  /// Appends with entries on the way to it.
  package let inFlightMessages: Int
  /// Ticks since it was last heard.
  package let ticksSilent: Int
}

/// What a leader knows about one member.
struct Progress: Hashable, Sendable {
  /// Highest place the member is known to hold durably. Invariant: `match < next`.
  var match: LogIndex
  /// Next place to send.
  var next: LogIndex
  /// How it is fed. Starts with a probe.
  var flow = ProgressFlow.probe(isPaused: false)
  /// The last places of the appends on the way. Invariant: empty while probing.
  var window: InFlightWindow
  /// Ticks since it was last heard.
  var ticksSilent = 0
  /// Latest heartbeat round it answered.
  var roundHeard: UInt64 = 0
  /// 1 + the leader's tick at which that round was sent; 0: too long ago, or never.
  var roundSent: UInt64 = 0

  init(match: LogIndex, next: LogIndex, inFlightMessagesMax: Int) {
    self.match = match
    self.next = next
    window = InFlightWindow(capacity: inFlightMessagesMax)
  }

  /// Goes back to one append at a time, from `next` on.
  mutating func probe(from next: LogIndex) {
    self.next = next
    match = min(match, next.previous)
    flow = .probe(isPaused: false)
    window.removeAll()
  }

  /// The member holds everything up to `index`. False if that was known and told nothing new.
  mutating func accept(upTo index: LogIndex) -> Bool {
    guard index >= match else { return false }
    match = index
    window.remove(upTo: index)
    switch flow {
    case .probe:
      next = index.next
      flow = .replicate
    case .replicate: next = max(next, index.next)
    }
    return true
  }

  /// Whether a refusal of the append after `previous` is about the present, not a late one.
  ///
  /// While probing it must be the probe's; a follower may then even lack what it once
  /// acknowledged, which is its damage to mend by sending again. `match` only ever falls by it,
  /// which is safe: it delays commits.
  func isCurrentRefusal(previous: LogIndex) -> Bool {
    switch flow {
    case .probe: previous == next.previous
    case .replicate: previous > match && previous < next
    }
  }

  /// A heartbeat was answered: whatever was on the way has arrived or is lost.
  mutating func resume() {
    switch flow {
    case .probe: flow = .probe(isPaused: false)
    case .replicate: if window.isFull { window.removeFirst() }
    }
  }
}

/// A ring of the last places of appends on the way, oldest first. Allocates once.
struct InFlightWindow: Hashable, Sendable {
  private var slots: [LogIndex]
  private var start = 0
  /// How many are on the way. Invariant: at most the capacity.
  private(set) var count = 0

  init(capacity: Int) { slots = [LogIndex](repeating: .zero, count: capacity) }

  var isFull: Bool { count == slots.count }

  /// Notes an append that ends at `index`. Precondition: not full.
  mutating func add(_ index: LogIndex) {
    precondition(!isFull, "the window is full")
    slots[(start + count) % slots.count] = index
    count += 1
  }

  /// Forgets the appends that end at or before `index`: they arrived.
  mutating func remove(upTo index: LogIndex) {
    while count > 0 && slots[start] <= index { removeFirst() }
  }

  /// Forgets the oldest. Precondition: not empty.
  mutating func removeFirst() {
    precondition(count > 0, "the window is empty")
    start = (start + 1) % slots.count
    count -= 1
  }

  /// Forgets all.
  mutating func removeAll() {
    start = 0
    count = 0
  }
}

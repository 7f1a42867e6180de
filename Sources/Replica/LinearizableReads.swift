import Bytes

/// What became of a request to read what is true now.
package enum ReadResult: Hashable, Sendable {
  /// This node's ledger is now at least as new as when the request came.
  case granted
  /// It could not be made sure in time.
  case refused(PaymentRefusal)
}

/// The answer to one ``ReplicaInput/read(token:)``.
package struct ReadAnswer: Hashable, Sendable {
  /// The request's token.
  package var token: UInt64
  /// What became of it.
  package var result: ReadResult
}

/// Reads of this node's clients on their way to an answer: many share one question to the leader
/// (thesis §6.4).
struct LinearizableReads {
  /// A client's request.
  struct Waiting {
    let token: UInt64
    /// When it came.
    let tick: Int
  }

  /// A question on its way.
  private struct Asked {
    let context: UInt64
    let tick: Int
    let reads: [Waiting]
  }

  /// Came after the last question left.
  private var unasked: [Waiting] = []
  private var asked: [Asked] = []
  /// May be answered when this much has been applied.
  private var confirmed: [(index: LogIndex, reads: [Waiting])] = []
  private var contextNext: UInt64
  /// How many wait in all.
  private(set) var count = 0

  /// `firstContext` is random: an answer to a question of this node before it restarted must not
  /// look like one to a question of now.
  init(firstContext: UInt64) { contextNext = firstContext }

  var hasUnasked: Bool { !unasked.isEmpty }

  mutating func add(token: UInt64, tick: Int) {
    unasked.append(Waiting(token: token, tick: tick))
    count += 1
  }

  /// Takes all that have not been asked about into one question, and names it.
  mutating func ask(tick: Int) -> UInt64 {
    defer { contextNext &+= 1 }
    asked.append(Asked(context: contextNext, tick: tick, reads: unasked))
    unasked.removeAll()
    return contextNext
  }

  /// The leader answered. A late or repeated answer to a question that was given up is nothing.
  mutating func confirm(_ context: UInt64, index: LogIndex) {
    guard let place = asked.firstIndex(where: { $0.context == context }) else { return }
    confirmed.append((index, asked.remove(at: place).reads))
  }

  /// The question came to nothing: its reads will be asked about again.
  mutating func giveUp(_ context: UInt64) {
    guard let place = asked.firstIndex(where: { $0.context == context }) else { return }
    unasked.append(contentsOf: asked.remove(at: place).reads)
  }

  /// Gives up all questions asked at or before `tick`.
  mutating func giveUp(askedUpTo tick: Int) {
    for question in asked where question.tick <= tick { unasked.append(contentsOf: question.reads) }
    asked.removeAll { $0.tick <= tick }
  }

  /// The reads that may be answered with what has been applied.
  mutating func takeReady(applied: LogIndex) -> [Waiting] {
    guard confirmed.contains(where: { $0.index <= applied }) else { return [] }
    let ready = confirmed.filter { $0.index <= applied }.flatMap(\.reads)
    confirmed.removeAll { $0.index <= applied }
    count -= ready.count
    return ready
  }

  /// The reads that came at or before `tick`; they wait no longer.
  mutating func takeExpired(upTo tick: Int) -> [Waiting] {
    var expired = unasked.filter { $0.tick <= tick }
    unasked.removeAll { $0.tick <= tick }
    for (place, question) in asked.enumerated().reversed()
    where question.reads.contains(where: { $0.tick <= tick }) {
      // Of one question the oldest decides: the others are hardly younger.
      expired.append(contentsOf: question.reads)
      asked.remove(at: place)
    }
    for (place, group) in confirmed.enumerated().reversed()
    where group.reads.contains(where: { $0.tick <= tick }) {
      expired.append(contentsOf: group.reads)
      confirmed.remove(at: place)
    }
    count -= expired.count
    return expired
  }
}

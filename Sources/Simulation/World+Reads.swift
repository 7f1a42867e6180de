import Bytes
import Ledger
import NodeRuntime
import Replica

/// One linearizable read of a balance.
struct BalanceRead {
  let host: Int
  let account: [UInt8]
  let currency: Currency
  /// Virtual time of the sending, nanoseconds.
  let invoked: Int64
  /// The balance that was told, minor units, 0 where there is no account.
  var told: Int128?
  /// Virtual time at which the client had it, nanoseconds.
  var answered: Int64?
}

/// All linearizable reads.
struct ReadHistory {
  private(set) var reads: [BalanceRead] = []
  /// Granted in the call under way, to be read from the ledger after it.
  var granted: [Int] = []

  mutating func begin(_ read: BalanceRead) -> Int {
    reads.append(read)
    return reads.count - 1
  }

  mutating func tell(_ read: Int, _ balance: Int128) { reads[read].told = balance }

  mutating func finish(_ read: Int, now: Int64) { reads[read].answered = now }
}

extension World {
  /// Somebody reads the balance of a payment's sender, anywhere.
  func beginRead(of draft: PaymentDraft) {
    let read = reads.begin(
      BalanceRead(
        host: placeForClients(), account: draft.sender,
        currency: draft.currency, invoked: now))
    schedule(.read(read), in: workload.random.span(50 * Span.microsecond...2 * Span.millisecond))
  }

  func deliverRead(_ number: Int) {
    let host = hosts[reads.reads[number].host]
    guard host.pausedUntil <= now else {
      return schedule(.read(number), in: host.pausedUntil - now)
    }
    act(host, host.life) { node, _ in node.read(token: UInt64(number)) }
  }

  func readAnswered(_ answer: ReadAnswer, at host: SimulatedHost) {
    if case .granted = answer.result { reads.granted.append(Int(answer.token)) }
  }

  /// Reads the ledger for what was granted: right after the grant, as a server does.
  func readGranted(_ host: SimulatedHost, _ process: SimulatedProcess) {
    let granted = reads.granted
    reads.granted.removeAll(keepingCapacity: true)
    for number in granted where reads.reads[number].host == host.place {
      let read = reads.reads[number]
      let balance = process.node.withLedger { $0.balance(of: read.account, read.currency) ?? 0 }
      reads.tell(number, balance)
      statistics.readCount += 1
      schedule(
        .readResult(number),
        in: workload.random.span(50 * Span.microsecond...2 * Span.millisecond))
    }
  }

  /// Linearizable reads, account by account: the log fixes the order of payments, so a read must tell
  /// a balance that stood at some time between its sending and its answer.
  ///
  /// A payment stands from its commit (its first answer anywhere comes after it) and not before its
  /// first sending. Reads that follow each other in time must not go back in the log.
  func checkReads() throws(Violation) {
    var histories: [BalanceKey: [BalanceRead]] = [:]
    var keys: [BalanceKey] = []
    for read in reads.reads where read.told != nil {
      let key = BalanceKey(account: read.account, currency: read.currency)
      if histories[key] == nil { keys.append(key) }
      histories[key, default: []].append(read)
    }
    for key in keys {
      let steps = checks.ledger.balances(of: key.account, key.currency)
      try Self.check(histories[key, default: []], against: steps, commits: commitTimes)
    }
  }

  private struct BalanceKey: Hashable {
    let account: [UInt8]
    let currency: Currency
  }

  /// Places the reads of one account one after the other, by their answers, each as early in the
  /// log as it can stand: a later read may not need a place before that of one that ended before it.
  private static func check(
    _ reads: [BalanceRead], against steps: [(sequence: Int, balance: Int128)], commits: [Int64]
  ) throws(Violation) {
    /// The least place that a read which ended by `time` was given.
    var placed: [(time: Int64, place: Int)] = []
    for read in reads.sorted(by: { ($0.answered ?? .max) < ($1.answered ?? .max) }) {
      // Payments committed before the read was sent are seen by it.
      var place = steps.lastIndex { commits[$0.sequence] < read.invoked } ?? 0
      for earlier in placed where earlier.time < read.invoked { place = max(place, earlier.place) }
      while place < steps.count, steps[place].balance != read.told { place += 1 }
      guard place < steps.count else {
        throw Violation(
          "reads are linearizable",
          "a read sent at \(read.invoked) tells \(read.told.map { "\($0)" } ?? "nothing"), which is "
            + "older than what was committed or told before it")
      }
      if let answered = read.answered { placed.append((answered, place)) }
    }
  }

  func operatorAnswered(_ answer: OperatorAnswer) {
    if case .done = answer.result { statistics.operatorCount += 1 }
    trace.note(now, "operator \(answer.token): \(answer.result)")
  }
}

package import Bytes

/// The deterministic ledger: double entry over 128-bit balances, each transaction id once.
///
/// The outcome of every event is a pure function of the events before it; the same batches give
/// the same ``digest`` on every node. It cannot be copied (it may hold gigabytes): hold it as a
/// stored property of a `~Copyable` struct or of a final class, and hand it on by `consuming`.
/// After ``apply(firstSequence:count:records:batchHash:outcomes:)`` threw midway, it refuses
/// everything further: rebuild it from the log.
package struct LedgerState: ~Copyable, Sendable {
  /// Highest event number: an id's entry has 55 bits for it.
  package static let sequenceMax = EventSequence(1 << 55 - 1)
  /// Events that are decoded together before they are applied one by one: enough to overlap their
  /// cache misses, few enough to stay in the first-level cache.
  static let groupCountMax = 32

  var transactions: TransactionTable
  /// What ``transactions`` has let go of.
  var aged: AgedTransactions
  /// The log that is asked for what has been let go of; nil: nothing ever is.
  var past: (any PastTransactions)?
  /// About how many transactions are held before older ones are let go of.
  var heldCount = LedgerState.heldCountDefault
  var accounts: AccountTable
  var bitmap = AppliedBitmap()
  /// Per currency code: 1 + the exponent that its first payment fixed; 0 where there was none.
  var exponents: FlatStorage<UInt8>
  private(set) var isBroken = false
  /// What the events so far say of the cluster itself.
  package internal(set) var cluster = ClusterFacts()
  /// Changes of a batch, which hold from the next batch on.
  private var changes: [Event] = []
  /// The events being applied; empty between calls but for its room.
  var group = FlatStorage<GatheredEvent>(capacity: groupCountMax)
  /// Where ``touchGroup()`` leaves what it read, so that the reads are not optimized away.
  var touched: UInt64 = 0

  /// Gathers what the payments can be found by.
  var collector = KeyCollector()
  /// The accounts between which money moved last.
  private var moved = (sender: 0, receiver: 0)

  /// The simulator's faults; empty everywhere else.
  private let canary: LedgerCanary

  /// How many events gave what.
  package internal(set) var counts = LedgerCounts()
  /// The last event applied; zero before the first.
  package internal(set) var lastSequence = EventSequence.zero
  /// Running digest over all batches, their outcomes and the balances they left.
  package internal(set) var digest = Digest256.zero

  /// An empty ledger.
  ///
  /// `seed` only places things in tables, no result depends on it. Where strangers choose names
  /// and ids, make it random, so that nobody can crowd a table.
  package init(seed: UInt64 = 0x5eed, canary: LedgerCanary = []) {
    self.canary = canary
    transactions = TransactionTable(seed: seed)
    aged = AgedTransactions(seed: seed)
    accounts = AccountTable(seed: seed ^ Mixing.multiplier2)
    exponents = FlatStorage(repeating: 0, count: Currency.codeCount)
  }

  /// Accounts opened so far; a name in two currencies counts twice.
  package var accountCount: Int { accounts.count }

  /// Applies one batch and appends one outcome per event to `outcomes`.
  ///
  /// `records` are the batch's uncompressed records, `batchHash` the hash that vouches for them.
  package mutating func apply(
    firstSequence: EventSequence, count: UInt64, records: borrowing RawSpan,
    batchHash: Digest256, outcomes: inout [Outcome]
  ) throws(LedgerError) {
    try prepare(firstSequence: firstSequence, count: count, records: records)
    applyPrepared(records: records, batchHash: batchHash, outcomes: &outcomes)
  }

  /// Decodes a batch, and finds out all that could keep it from being applied; changes nothing. After
  /// ``LedgerError/pastUnreadable(segment:)`` it can be tried again.
  package mutating func prepare(
    firstSequence: EventSequence, count: UInt64, records: borrowing RawSpan
  ) throws(LedgerError) {
    guard !isBroken else { throw .broken }
    guard firstSequence == lastSequence.next else {
      throw .sequenceGap(expected: lastSequence.next, found: firstSequence)
    }
    guard count <= Self.sequenceMax.rawValue - lastSequence.rawValue else {
      throw .sequenceBeyondLimit(firstSequence)
    }
    // Until the end is reached: whoever catches an error must not go on with half a batch.
    isBroken = true
    try gather(records, firstSequence.rawValue, count: count)
    do throws(PastProblem) { try resolveAged(in: records) } catch {
      // Nothing has been changed: the same batch can be applied when the log is whole again.
      changes.removeAll()
      isBroken = false
      throw .pastUnreadable(segment: error.segment)
    }
  }

  /// Applies the batch that has just been prepared.
  package mutating func applyPrepared(
    records: borrowing RawSpan, batchHash: Digest256, outcomes: inout [Outcome]
  ) {
    precondition(isBroken, "prepared, and not applied yet")
    let firstSequence = lastSequence.next
    let count = UInt64(group.count)
    var accumulator = OutcomeAccumulator()
    var start = 0
    while start < group.count {
      let end = min(start + Self.groupCountMax, group.count)
      touchGroup(start..<end)
      for index in start..<end {
        let sequence = EventSequence(firstSequence.rawValue + UInt64(index))
        settle(group[index], sequence, in: records, &accumulator, &outcomes)
      }
      start = end
    }
    for change in changes { cluster.take(change) }
    changes.removeAll()
    lastSequence = EventSequence(lastSequence.rawValue + count)
    digest = accumulator.digest(
      after: digest, batchHash: batchHash, firstSequence: firstSequence, count: count)
    isBroken = false
    age(group.count)
  }

  /// Decodes the events of a batch into ``group``: `count` records, no more and no fewer.
  private mutating func gather(
    _ records: borrowing RawSpan, _ first: UInt64, count: UInt64
  ) throws(LedgerError) {
    group.removeAll()
    var cursor = RecordCursor(records)
    while true {
      let sequence = EventSequence(first &+ UInt64(group.count))
      let record: Record?
      do { record = try cursor.next(in: records) } catch {
        throw .damagedRecord(sequence: sequence, error: error)
      }
      guard let record else { break }
      guard UInt64(group.count) < count else {
        throw .countMismatch(expected: count, found: count + 1)
      }
      guard let kind = record.kind else {
        throw .unknownKind(record.kindNumber, sequence: sequence)
      }
      do { group.append(try gathered(record, kind, in: records)) } catch {
        throw .damagedRecord(sequence: sequence, error: error)
      }
    }
    guard UInt64(group.count) == count else {
      throw .countMismatch(expected: count, found: UInt64(group.count))
    }
  }

  /// Decodes one event, and computes everything about it that no earlier event can change.
  @inline(__always)
  private mutating func gathered(
    _ record: Record, _ kind: EventKind, in records: borrowing RawSpan
  ) throws(DecodeError) -> GatheredEvent {
    switch kind {
    case .payment:
      let payment = try PaymentView(record.body, in: records)
      let key = TransactionKey(payment, in: records)
      return GatheredEvent(
        isPayment: true, key: key, place: transactions.place(key),
        fingerprint: Mixing.fingerprint(
          amount: payment.amountMinorUnits, currency: payment.currency, texts: payment.texts,
          in: records),
        amount: payment.amountMinorUnits, currency: payment.currency,
        senderHash: accounts.hash(payment.sender, in: records, payment.currency),
        receiverHash: accounts.hash(payment.receiver, in: records, payment.currency),
        sender: .init(payment.sender), receiver: .init(payment.receiver),
        id: .init(payment.idText))
    case .clockReport: try ClockReport.check(record.body, in: records)
    case .beacon: _ = try Event.beaconStamp(record.body, in: records)
    case .clockMeasurement, .logProgress, .occurrence: _ = try Event(record, in: records)
    case .membership, .policy, .leadership: changes.append(try Event(record, in: records))
    }
    return .noted
  }

  /// Brings what the group will need into the cache, all of it at once.
  private mutating func touchGroup(_ events: Range<Int>) {
    var sum = touched
    for index in events {
      sum &+= transactions.touch(group[index].place)
      if aged.hasTable { sum &+= aged.table.touch(group[index].place) }
      sum &+= accounts.touchPlace(group[index].senderHash)
      sum &+= accounts.touchPlace(group[index].receiverHash)
    }
    for index in events {
      sum &+= accounts.touchAccount(group[index].senderHash)
      sum &+= accounts.touchAccount(group[index].receiverHash)
    }
    touched = sum
  }

  @inline(__always)
  private mutating func settle(
    _ event: GatheredEvent, _ sequence: EventSequence, in records: borrowing RawSpan,
    _ accumulator: inout OutcomeAccumulator, _ outcomes: inout [Outcome]
  ) {
    var sender: Int128 = 0
    var receiver: Int128 = 0
    let outcome =
      event.isPayment
      ? settlePayment(event, sequence, in: records, &sender, &receiver) : Outcome(.noted)
    accumulator.mix(sequence, outcome, sender: sender, receiver: receiver)
    bitmap.append(outcome.code == .applied)
    counts.note(outcome.code)
    outcomes.append(outcome)
    if collector.isCollecting, event.isPayment {
      collect(event, sequence, in: records, isMoved: outcome.code == .applied)
    }
  }

  /// Notes what a payment can be found by. The names of one that moved money are looked at by the
  /// numbers of their accounts: hashed once for each stretch of events.
  @inline(__always)
  private mutating func collect(
    _ payment: GatheredEvent, _ sequence: EventSequence, in records: borrowing RawSpan,
    isMoved: Bool
  ) {
    let event = collector.begin(sequence)
    let hash = collector.keys.hash
    collector.keys.noteID(
      payment.key.isText
        ? hash.hash(payment.id.range, in: records)
        : hash.hash(bigEndian: payment.key.high, payment.key.low), event: event)
    if !isMoved || accounts.mark(moved.sender, collector.mark) {
      collector.keys.noteName(payment.sender.range, in: records, event: event)
    }
    if !isMoved || accounts.mark(moved.receiver, collector.mark) {
      collector.keys.noteName(payment.receiver.range, in: records, event: event)
    }
  }

  @inline(__always)
  private mutating func settlePayment(
    _ payment: GatheredEvent, _ sequence: EventSequence, in records: borrowing RawSpan,
    _ senderBalance: inout Int128, _ receiverBalance: inout Int128
  ) -> Outcome {
    let location = transactions.locate(payment.key, at: payment.place)
    var earlier = location.entry
    if earlier.isEmpty {
      if aged.hasTable {
        earlier = aged.table.locate(payment.key, at: payment.place).entry
      }
      if payment.answer > 0 { earlier = aged.answers[Int(payment.answer) - 1].entry }
    }
    guard earlier.isEmpty else {
      if canary.contains(.appliesAgain) {
        return Outcome(move(payment, in: records, &senderBalance, &receiverBalance))
      }
      return earlier.fingerprint == payment.fingerprint
        ? Outcome(.duplicate, originalCode: earlier.code, original: earlier.sequence)
        : Outcome(.idReused, originalCode: .idReused, original: earlier.sequence)
    }
    let code = move(payment, in: records, &senderBalance, &receiverBalance)
    transactions.insert(
      TransactionEntry(
        key: payment.key, fingerprint: payment.fingerprint, sequence: sequence, code: code),
      at: location)
    return Outcome(code)
  }

  /// Debits the sender and credits the receiver, or changes no balance.
  @inline(__always)
  private mutating func move(
    _ payment: GatheredEvent, in records: borrowing RawSpan,
    _ senderBalance: inout Int128, _ receiverBalance: inout Int128
  ) -> OutcomeCode {
    // Equal names have equal hashes, so the bytes are mostly not looked at.
    guard
      payment.senderHash != payment.receiverHash
        || !Self.equal(payment.sender.range, payment.receiver.range, in: records)
    else { return .sameAccount }
    let currency = payment.currency
    let exponentMark = UInt8(truncatingIfNeeded: currency.exponent + 1)
    let fixed = exponents[currency.codeIndex]
    guard fixed == 0 || fixed == exponentMark else { return .exponentMismatch }
    if cluster.hasAccountRules {
      if let refusal = refusal(of: payment, in: records) { return refusal }
    }
    guard
      let sender = accounts.findOrOpen(
        payment.sender.range, in: records, currency, hash: payment.senderHash),
      let receiver = accounts.findOrOpen(
        payment.receiver.range, in: records, currency, hash: payment.receiverHash)
    else { return .accountsFull }
    let amount = Int128(payment.amount)
    let (debited, isTooLow) = accounts.balance(sender).subtractingReportingOverflow(amount)
    let (credited, isTooHigh) = accounts.balance(receiver).addingReportingOverflow(amount)
    guard !isTooLow, !isTooHigh else { return .balanceOverflow }
    if fixed == 0 { exponents[currency.codeIndex] = exponentMark }
    accounts.setBalance(sender, debited)
    accounts.setBalance(receiver, credited)
    senderBalance = debited
    receiverBalance = credited
    moved = (sender, receiver)
    return .applied
  }

  /// What the cluster's rules for accounts say against a payment, if anything.
  private func refusal(
    of payment: GatheredEvent, in records: borrowing RawSpan
  ) -> OutcomeCode? {
    let sender = accounts.find(payment.sender.range, in: records, payment.currency)
    if cluster.policy[.accountsOpen] == 0 {
      guard sender != nil,
        accounts.find(payment.receiver.range, in: records, payment.currency) != nil
      else { return .unknownAccount }
    }
    if cluster.policy[.overdraft] == 0 {
      guard let sender, accounts.balance(sender) >= Int128(payment.amount) else {
        return .insufficientFunds
      }
    }
    return nil
  }

  @inline(__always)
  private static func equal(
    _ left: Range<Int>, _ right: Range<Int>, in bytes: borrowing RawSpan
  ) -> Bool {
    guard left.count == right.count else { return false }
    for offset in 0..<left.count {
      let first = bytes.unsafeLoad(fromByteOffset: left.lowerBound + offset, as: UInt8.self)
      let second = bytes.unsafeLoad(fromByteOffset: right.lowerBound + offset, as: UInt8.self)
      if first != second { return false }
    }
    return true
  }
}

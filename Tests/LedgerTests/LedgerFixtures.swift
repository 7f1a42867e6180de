import Bytes
import HybridTime
import Ledger

/// A stamp with these raw nanoseconds, otherwise plain.
func stamp(_ rawNanoseconds: Int64 = 1_727_123_456_789_000_000, node: UInt16 = 1) -> Stamp {
  let reading = ClockReading(
    rawNanoseconds: rawNanoseconds, correctionNanoseconds: -1_234, boundNanoseconds: 250_000,
    epoch: 3, status: .synchronized, reference: .external)
  return Stamp(
    reading: reading,
    hybrid: HybridTimestamp(wallNanoseconds: reading.correctedNanoseconds, logical: 2),
    node: NodeID(node))
}

/// A checked draft of these texts.
func draft(
  _ id: String?, _ amount: String, _ sender: String, _ receiver: String, _ currency: String = "USD",
  reference: String? = nil
) throws(PaymentProblem) -> PaymentDraft {
  let request = PaymentRequest(
    amount: Array(amount.utf8), sender: Array(sender.utf8), receiver: Array(receiver.utf8),
    currency: Array(currency.utf8), transactionID: id.map { Array($0.utf8) },
    reference: reference.map { Array($0.utf8) })
  return try PaymentDraft(validating: request, rules: PaymentRules()) {
    TransactionID(high: 7, low: 8)
  }
}

/// The records of these events, one after another.
func records(_ events: [Event]) -> [UInt8] {
  var writer = ByteWriter()
  for event in events { event.encode(into: &writer) }
  return writer.bytes
}

/// The records of these drafts, each with a stamp a little later.
func records(_ drafts: [PaymentDraft]) -> [UInt8] {
  var writer = ByteWriter()
  for (index, draft) in drafts.enumerated() {
    draft.encode(stamp: stamp(1_727_123_456_789_000_000 + Int64(index)), into: &writer)
  }
  return writer.bytes
}

extension LedgerState {
  /// Applies the drafts as the next batch and returns what they gave.
  mutating func apply(_ drafts: [PaymentDraft]) throws -> [Outcome] {
    try apply(bytes: records(drafts), count: drafts.count)
  }

  /// Applies encoded records as the next batch.
  mutating func apply(bytes: [UInt8], count: Int) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    try apply(
      firstSequence: lastSequence.next, count: UInt64(count), records: bytes.span.bytes,
      batchHash: Digest256Hasher.digest(bytes.span.bytes), outcomes: &outcomes)
    return outcomes
  }
}

/// A random text of these scalars.
func randomName(_ generator: inout SeededGenerator) -> String {
  let alphabet = Array("abcXYZ-09é漢🙂")
  let count = Int.random(in: 1...12, using: &generator)
  return String((0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
}

/// Random payments of every fate: new, retried, with a reused id, in three currencies.
func randomDrafts(
  _ count: Int, accounts: Int, using generator: inout SeededGenerator
) throws -> [PaymentDraft] {
  var drafts: [PaymentDraft] = []
  for index in 0..<count {
    let roll = Int.random(in: 0..<100, using: &generator)
    if roll < 5, let old = drafts.randomElement(using: &generator) {
      drafts.append(old)
      continue
    }
    var id = TransactionID(high: generator.next(), low: UInt64(index)).text
    if roll < 20 { id = "order-\(generator.next())" }
    if roll >= 97, let old = drafts.randomElement(using: &generator) { id = old.id.text }
    let sender = Int.random(in: 0..<accounts, using: &generator)
    let receiver = (sender + Int.random(in: 1..<accounts, using: &generator)) % accounts
    drafts.append(
      try draft(
        id, "\(Int.random(in: 1...1_000_000, using: &generator))", "account \(sender)",
        "account \(receiver)", ["USD", "JPY", "KWD"].randomElement(using: &generator) ?? "USD"))
  }
  return drafts
}

/// A random event of any kind.
func randomEvent(_ generator: inout SeededGenerator) throws -> Event {
  var when = stamp(Int64.random(in: 0...Int64.max / 2, using: &generator))
  when.reading.correctionNanoseconds = Int64.random(in: -1_000_000...1_000_000, using: &generator)
  when.hybrid.logical = UInt32.random(in: 0...300, using: &generator)
  switch Int.random(in: 0..<12, using: &generator) {
  case 0: return .beacon(when)
  case 9:
    return .clockMeasurement(
      ClockMeasurement(
        stamp: when, monotonicNanoseconds: Int64.random(in: 0...Int64.max, using: &generator),
        kind: ClockSourceKind.allCases.randomElement(using: &generator) ?? .peer,
        id: UInt32.random(in: 0...UInt32.max, using: &generator),
        offsetNanoseconds: Int64.random(in: Int64.min...Int64.max, using: &generator),
        delayNanoseconds: Int64.random(in: 0...Int64.max, using: &generator),
        errorNanoseconds: Int64.random(in: 0...Int64.max, using: &generator),
        stratum: UInt8.random(in: 0...16, using: &generator)))
  case 10: return .logProgress(randomProgress(when, &generator))
  case 11:
    return .occurrence(
      NodeOccurrence(
        stamp: when, topic: NodeOccurrence.Topic.allCases.randomElement(using: &generator) ?? .role,
        peer: Bool.random(using: &generator) ? NodeID(2) : nil, number: generator.next(),
        id: Bool.random(using: &generator)
          ? TransactionID(high: generator.next() >> 3, low: generator.next()) : nil,
        word: String(
          repeating: "ü", count: Int.random(in: 0...70, using: &generator))))
  case 6:
    let key = PolicyKey.allCases.randomElement(using: &generator) ?? .overdraft
    return .policy(
      PolicyChange(
        stamp: when, key: key, value: Int64.random(in: key.range, using: &generator)))
  case 7:
    let target = UInt16.random(in: 0...3, using: &generator)
    return .leadership(
      LeadershipTransfer(stamp: when, target: target == 0 ? nil : NodeID(target)))
  case 8:
    let ids = (1...UInt16.random(in: 2...7, using: &generator)).map { NodeID($0) }
    let members = ids.map { id in
      ClusterMember(
        id: id, peerAddress: "10.0.0.\(id.rawValue):6001",
        clientAddress: Bool.random(using: &generator) ? "node\(id.rawValue).example:5001" : "",
        store: generator.next())
    }
    return .membership(
      MembershipChange(
        stamp: when, voters: Array(ids.dropLast()),
        outgoing: Bool.random(using: &generator) ? Array(ids.dropFirst()) : [],
        learners: ids.suffix(1), members: members))
  case 1:
    let sources = (0..<Int.random(in: 0...5, using: &generator)).map { _ in
      ClockSourceReport(
        kind: ClockSourceKind.allCases.randomElement(using: &generator) ?? .peer,
        id: UInt32.random(in: 0...UInt32.max, using: &generator),
        offsetNanoseconds: Int64.random(in: Int64.min...Int64.max, using: &generator),
        errorNanoseconds: Int64.random(in: 0...Int64.max, using: &generator),
        delayNanoseconds: Int64.random(in: 0...1_000_000, using: &generator),
        verdict: ClockSourceVerdict.allCases.randomElement(using: &generator) ?? .stale)
    }
    return .clockReport(
      ClockReport(
        stamp: when, driftPartsPerBillion: Int64.random(in: -50_000...50_000, using: &generator),
        sources: sources))
  default:
    let id =
      Bool.random(using: &generator)
      ? TransactionID(high: generator.next(), low: generator.next()).text
      : "order-\(generator.next() % 1000)"
    let payment = try draft(
      id, "\(Int.random(in: 1...999_999, using: &generator))", "s" + randomName(&generator),
      "r" + randomName(&generator),
      ["USD", "JPY", "KWD"].randomElement(using: &generator) ?? "USD",
      reference: Bool.random(using: &generator) ? randomName(&generator) : nil)
    return .payment(Payment(draft: payment, stamp: when))
  }
}

/// A log's progress in some marks of one clock state, from `when` on.
func randomProgress(_ when: Stamp, _ generator: inout SeededGenerator) -> LogProgress {
  func index(_ generator: inout SeededGenerator) -> LogIndex {
    LogIndex(UInt64.random(in: 0...UInt64.max, using: &generator))
  }
  func position(_ generator: inout SeededGenerator) -> LogPosition {
    LogPosition(
      arrived: index(&generator), arrivedTerm: Term(generator.next()), durable: index(&generator),
      committed: index(&generator), applied: index(&generator))
  }
  var reading = when.reading
  let start = position(&generator)
  var marks: [ProgressMark] = []
  for number in 0...Int.random(in: 0...30, using: &generator) {
    if number > 0 {
      reading.rawNanoseconds &+= Int64.random(in: -1_000...1_000_000_000, using: &generator)
      reading.boundNanoseconds = Int64.random(in: 0...Int64.max, using: &generator)
    }
    marks.append(
      ProgressMark(
        position: position(&generator), reading: reading,
        monotonicNanoseconds: Int64.random(in: 0...Int64.max, using: &generator)))
  }
  return LogProgress(node: when.node, start: start, marks: marks)
}

import Bytes
import Ledger

/// One payment of a client, with all that was sent for it.
struct Operation {
  let client: Int
  let draft: PaymentDraft
  /// Calls sent, by number.
  var calls: [Int] = []
  /// Whether the client has an answer that ends it.
  var isDone = false
}

/// One submission of a payment to one node.
struct SimulatedCall {
  /// What came back.
  enum Answer {
    /// Nothing yet.
    case none
    /// Applied or a duplicate, by this event.
    case stands(sequence: UInt64, isDuplicate: Bool)
    /// The id has other contents.
    case idReused
    /// Nothing was done for it.
    case refused
    /// Nobody knows: it may be applied yet.
    case inDoubt
  }

  let operation: Int
  let host: Int
  let draft: PaymentDraft
  /// Virtual time of the sending, nanoseconds.
  let invoked: Int64
  /// The highest sequence that any client had been told by then.
  let floor: UInt64
  var answer = Answer.none
  /// Virtual time at which the client had the answer, nanoseconds.
  var answered: Int64?

  /// Whether the answer promises that nothing was done for it.
  var isRefused: Bool {
    if case .refused = answer { true } else { false }
  }
}

/// Clients and the history of their calls.
struct Workload {
  let options: WorkloadOptions
  var random: SeededGenerator
  private let accounts: [[UInt8]]
  private(set) var operations: [Operation] = []
  private(set) var calls: [SimulatedCall] = []
  /// The highest sequence that a client has been told.
  private(set) var told: UInt64 = 0

  init(_ options: WorkloadOptions, seed: UInt64) {
    self.options = options
    random = SeededGenerator(seed: seed, concern: .workload)
    accounts = (0..<options.accountCount).map { Array("account\($0)".utf8) }
  }

  mutating func thinkTime() -> Int64 {
    random.span(options.thinkNanoseconds / 4...2 * options.thinkNanoseconds)
  }

  /// A new operation of a client, its number.
  mutating func begin(client: Int, mayReuseID: Bool = true) -> Int {
    operations.append(Operation(client: client, draft: nextDraft(client, mayReuseID)))
    return operations.count - 1
  }

  /// A payment under an id of its own, or under the id of an earlier one with other contents.
  private mutating func nextDraft(_ client: Int, _ mayReuseID: Bool) -> PaymentDraft {
    var id = TransactionID(high: UInt64(client), low: UInt64(operations.count))
    if mayReuseID, random.chance(options.changedPermille), !operations.isEmpty {
      id = operations[random.number(max(0, operations.count - 20)...operations.count - 1)].draft.id
    }
    let sender = account()
    var receiver = account()
    while receiver == sender { receiver = account() }
    let request = PaymentRequest(
      amount: Array("\(random.number(1...5000)).\(random.number(10...99))".utf8),
      sender: accounts[sender], receiver: accounts[receiver],
      currency: Array((random.chance(800) ? "USD" : "EUR").utf8), transactionID: id.bytes)
    do {
      return try PaymentDraft(validating: request, rules: PaymentRules(), makeID: { id })
    } catch {
      preconditionFailure("the workload makes valid payments: \(error)")
    }
  }

  /// An account; the first ones are more popular (a halving at every step).
  private mutating func account() -> Int {
    var account = 0
    while random.chance(600), account < accounts.count - 1 { account += 1 }
    return random.chance(300) ? random.number(0...accounts.count - 1) : account
  }

  /// A new call of an operation, its number.
  mutating func call(_ operation: Int, host: Int, now: Int64) -> Int {
    calls.append(
      SimulatedCall(
        operation: operation, host: host, draft: operations[operation].draft, invoked: now,
        floor: told))
    operations[operation].calls.append(calls.count - 1)
    return calls.count - 1
  }

  mutating func setAnswer(_ answer: SimulatedCall.Answer, to call: Int) {
    calls[call].answer = answer
  }

  /// The client gets the answer of a call.
  mutating func answered(_ call: Int, now: Int64) {
    calls[call].answered = now
    if case .stands(let sequence, _) = calls[call].answer { told = max(told, sequence) }
  }

  /// An operation is over.
  mutating func finish(_ operation: Int) { operations[operation].isDone = true }
}

import Bytes
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  /// A node that has just started takes no clients before its clock has been looked at, or for so
  /// long, as ``NodeServer`` does.
  static let clockWaitNanoseconds = 1500 * Span.millisecond

  func beginOperation(_ client: Int) {
    guard !isSettling else { return }
    let operation = workload.begin(client: client)
    if workload.random.chance(200) { beginRead(of: workload.operations[operation].draft) }
    sendCall(operation)
    if workload.random.chance(options.workload.twicePermille) { sendCall(operation) }
    schedule(
      .outOfPatience(operation: operation, attempt: 1), in: options.workload.patienceNanoseconds)
  }

  private func sendCall(_ operation: Int) {
    let host = placeForClients()
    let call = workload.call(operation, host: host, now: now)
    schedule(.call(call), in: clientLatency())
  }

  /// Clients know all machines that are in use, also those that have left.
  func placeForClients() -> Int {
    workload.random.pick(hosts.filter { !$0.isSpare }.map(\.place))
  }

  private func clientLatency() -> Int64 {
    workload.random.span(50 * Span.microsecond...2 * Span.millisecond)
  }

  /// A call reaches its node.
  func deliverCall(_ number: Int) {
    let call = workload.calls[number]
    let host = hosts[call.host]
    guard host.pausedUntil <= now else {
      return schedule(.call(number), in: host.pausedUntil - now)
    }
    guard let process = host.process, let reading = process.environment.readClock(),
      process.environment.hasSynchronized || now - process.started >= Self.clockWaitNanoseconds
    else { return schedule(.answer(call: number), in: clientLatency()) }
    act(host, host.life) { node, _ in
      node.submit([Submission(token: UInt64(number), draft: call.draft, reading: reading)])
    }
  }

  /// A node answers a call: the answer is checked here, where it was given.
  func settled(_ settlement: PaymentSettlement) {
    let number = Int(settlement.token)
    guard workload.calls.indices.contains(number) else { return }
    let answer: SimulatedCall.Answer =
      switch settlement.result {
      case .applied(let sequence, _, _): .stands(sequence: sequence.rawValue, isDuplicate: false)
      case .duplicate(let sequence): .stands(sequence: sequence.rawValue, isDuplicate: true)
      case .rejected(.idReused, _), .refused(.idReused): .idReused
      case .rejected: .refused
      case .refused(.inDoubt): .inDoubt
      case .refused: .refused
      }
    trace.note(
      now, "call \(number) of \(workload.calls[number].draft.id.text) is answered: \(answer)")
    workload.setAnswer(answer, to: number)
    answersToCheck.append((number, settlement.result))
    schedule(.answer(call: number), in: clientLatency())
  }

  /// Compares an answer with the committed log.
  func checkAnswer(_ number: Int, _ result: PaymentResult) throws(Violation) {
    let call = workload.calls[number]
    let property = "answers are the log's"
    switch result {
    case .applied(let sequence, let index, let stamp):
      guard let batch = checks.committed[index], batch.header.firstSequence <= sequence,
        sequence <= batch.header.lastSequence, let event = checks.ledger[sequence],
        event.draft == call.draft, event.code == .applied, stamp.node == hosts[call.host].id
      else {
        throw Violation(property, "call \(number) is said to be applied as \(sequence.rawValue)")
      }
      // A call that found the payment pending is told what became of it, which may be older than the
      // call: only the first one is known to come before the payment.
      let first = workload.operations[call.operation].calls.first ?? number
      guard sequence.rawValue > workload.calls[first].floor else {
        throw Violation(
          "the log's order is the clients'",
          "call \(number) is event \(sequence.rawValue), and \(workload.calls[first].floor) was told before it"
        )
      }
    case .duplicate(let sequence):
      guard let event = checks.ledger[sequence], event.draft == call.draft, event.code == .applied
      else {
        throw Violation(property, "call \(number) is said to repeat \(sequence.rawValue)")
      }
    case .rejected(let code, let sequence):
      guard let event = checks.ledger[sequence], event.code == code else {
        throw Violation(property, "call \(number) is said to be rejected as \(code)")
      }
    case .refused(.idReused):
      let others = workload.operations.contains {
        $0.draft.id == call.draft.id && $0.draft != call.draft
      }
      guard others else { throw Violation(property, "call \(number) is said to reuse an id") }
    case .refused: break
    }
  }

  /// The answer reaches the client, or the news that the connection was refused.
  func takeAnswer(_ number: Int) {
    workload.answered(number, now: now)
    let call = workload.calls[number]
    guard !workload.operations[call.operation].isDone else { return }
    switch call.answer {
    case .stands:
      statistics.acknowledgedCount += 1
      finish(call.operation)
      if workload.random.chance(300) { beginRead(of: call.draft) }
      if workload.random.chance(300) {
        let host = placeForClients()
        schedule(.lookup(host: host, operation: call.operation), in: clientLatency())
      }
    case .idReused: finish(call.operation)
    case .none, .refused, .inDoubt:
      let attempt = workload.operations[call.operation].calls.count
      schedule(
        .outOfPatience(operation: call.operation, attempt: attempt),
        in: workload.random.span(20 * Span.millisecond...400 * Span.millisecond))
    }
  }

  private func finish(_ operation: Int) {
    workload.finish(operation)
    schedule(
      .begin(client: workload.operations[operation].client), in: workload.thinkTime())
  }

  /// A client has waited long enough: it sends the same payment to another node.
  func loseItsPatience(_ operation: Int, _ attempt: Int) {
    guard !workload.operations[operation].isDone,
      workload.operations[operation].calls.count <= max(attempt, 2)
    else { return }
    sendCall(operation)
    schedule(
      .outOfPatience(
        operation: operation, attempt: workload.operations[operation].calls.count),
      in: options.workload.patienceNanoseconds)
  }

  /// Asks a node for an id. It may be behind, but never ahead of the log.
  func lookUp(_ operation: Int, at host: SimulatedHost) {
    guard let process = host.process else { return }
    let draft = workload.operations[operation].draft
    // A node whose disk is damaged says that it does not know.
    let answer = process.node.withLedger { try? $0.lookup(draft.id) }
    guard let found = answer else { return }
    statistics.lookupCount += 1
    check { () throws(Violation) in
      switch found {
      case .unknown: break
      case .rejected(let sequence, let code):
        throw Violation("look-ups are the log's", "\(sequence.rawValue) is rejected as \(code)")
      case .applied(let sequence):
        guard checks.ledger.first(draft.id)?.sequence == sequence else {
          throw Violation(
            "look-ups are the log's", "node \(host.id.rawValue): \(sequence.rawValue)")
        }
      }
    }
  }
}

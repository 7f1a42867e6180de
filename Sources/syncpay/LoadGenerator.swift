import Synchronization

/// A load of payments: so many clients, each sending its next payment when the last is answered.
struct LoadPlan: Sendable {
  let clients: Int
  let payments: Int
  /// Client number c sends its first try to node c modulo their number, the next payment to the
  /// node after it, and so on; retries follow `policy`.
  let nodes: [NodeAddress]
  /// All payments of a load come from one account, so that they can be listed by it.
  let sender: String
  let receivers: [String]
  var policy = RetryPolicy(total: .seconds(30), attempt: .seconds(5))

  /// Payment number n: its amount is a function of n, so that the total is known beforehand.
  func order(_ number: Int) -> PaymentOrder {
    PaymentOrder(
      id: TransactionID.make(), sender: sender, receiver: receivers[number % receivers.count],
      amount: ExactDecimal(cents: Self.cents(number)).description)
  }

  static func cents(_ number: Int) -> Int { 1 + number * 37 % 50_000 }
}

/// What became of a load.
struct LoadReport: Sendable {
  /// Ids and amounts of the acknowledged payments.
  var acknowledged: [String: String] = [:]
  /// The sentences of the refusals.
  var refused: [String] = []
  /// Ids and the last reason of those without a definite answer.
  var undecided: [String: String] = [:]
  /// From the first try to the answer, retries included; of the acknowledged ones.
  var latencies: [Duration] = []
  /// Tries beyond the first of each payment.
  var retries = 0
  var elapsed: Duration = .zero

  mutating func add(_ other: LoadReport) {
    acknowledged.merge(other.acknowledged) { first, _ in first }
    refused += other.refused
    undecided.merge(other.undecided) { first, _ in first }
    latencies += other.latencies
    retries += other.retries
  }

  mutating func add(_ order: PaymentOrder, _ result: PaymentResult, tries: Int, took: Duration) {
    retries += tries - 1
    switch result {
    case .acknowledged:
      acknowledged[order.id] = order.amount
      latencies.append(took)
    case .refused(let answer): refused.append(answer.sentence)
    case .undecided(let reason): undecided[order.id] = reason
    }
  }

  /// The sum of the acknowledged amounts.
  var total: ExactDecimal {
    acknowledged.values.compactMap { ExactDecimal($0) }.reduce(.zero, +)
  }

  /// Acknowledged payments per second.
  var rate: Double {
    elapsed > .zero ? Double(acknowledged.count) / elapsed.secondsDouble : 0
  }

  /// The least latency that this share of the payments did not exceed (nearest rank).
  ///
  /// - Parameter share: in thousandths: 500 is the median.
  func percentile(_ share: Int) -> Duration {
    let sorted = latencies.sorted()
    guard !sorted.isEmpty else { return .zero }
    let rank = (sorted.count * share + 999) / 1_000
    return sorted[min(max(rank, 1), sorted.count) - 1]
  }

  var summary: String {
    let times = [("median", 500), ("p90", 900), ("p99", 990), ("p99.9", 999), ("max", 1_000)]
      .map { name, share in "\(name) " + milliseconds(percentile(share).secondsDouble) }
    return "\(acknowledged.count) acknowledged, \(refused.count) refused, \(undecided.count) "
      + "undecided, \(retries) retries; \(fixed(rate, decimals: 0)) payments/s; "
      + times.joined(separator: ", ")
  }
}

/// Runs loads.
struct LoadGenerator: Sendable {
  let client: NodeClient
  let plan: LoadPlan
  private let counter = LoadCounter()

  init(client: NodeClient, plan: LoadPlan) {
    self.client = client
    self.plan = plan
  }

  /// Payments that have ended so far, with whatever result.
  var ended: Int { counter.count.load(ordering: .relaxed) }

  func run() async -> LoadReport {
    let start = ContinuousClock.now
    var report = await withTaskGroup { group in
      for number in 0..<plan.clients { group.addTask { await runClient(number) } }
      var sum = LoadReport()
      for await part in group { sum.add(part) }
      return sum
    }
    report.elapsed = ContinuousClock.now - start
    Terminal.endProgress()
    return report
  }

  /// Waits until so many payments have ended.
  func waitUntil(ended count: Int) async {
    while ended < min(count, plan.payments), !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(2))
    }
  }

  private func runClient(_ client: Int) async -> LoadReport {
    var report = LoadReport()
    let payer = Payer(client: self.client, nodes: plan.nodes, policy: plan.policy)
    let clock = ContinuousClock()
    for number in stride(from: client, to: plan.payments, by: plan.clients) {
      let order = plan.order(number)
      let start = clock.now
      let first = (client + number / plan.clients) % plan.nodes.count
      let (result, tries) = await payer.pay(order, startingAt: first)
      report.add(order, result, tries: tries, took: clock.now - start)
      let ended = counter.count.add(1, ordering: .relaxed).newValue
      if ended.isMultiple(of: 100) { Terminal.progress("\(ended) of \(plan.payments) payments …") }
    }
    return report
  }
}

/// Counts the ended payments of all clients.
private final class LoadCounter: Sendable {
  let count = Atomic<Int>(0)
}

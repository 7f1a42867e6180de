import Histogram
import NIOCore
import NIOPosix

/// What became of the payments of a level.
struct LoadCounts: Sendable {
  /// Answered 200.
  var acknowledged = 0
  /// Not answered, or answered 5xx: they may or may not be in the log.
  var inDoubt = 0
  /// Connections that ended while a payment was under way, or could not be made.
  var connectionErrors = 0
  /// Answers other than 200, by status.
  var otherStatuses: [Int: Int] = [:]

  mutating func add(_ other: LoadCounts) {
    acknowledged += other.acknowledged
    inDoubt += other.inDoubt
    connectionErrors += other.connectionErrors
    otherStatuses.merge(other.otherStatuses, uniquingKeysWith: +)
  }

  /// Like `429: 3, 503: 12`.
  var otherStatusesText: String {
    let parts = otherStatuses.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }
}

/// One measured run on one event loop.
struct RunTally: Sendable {
  /// Nanoseconds from request to answer, of acknowledged payments, to three digits.
  var latencies = Histogram<UInt64>(
    lowestDiscernibleValue: 1_000, highestTrackableValue: 60_000_000_000,
    numberOfSignificantValueDigits: .three)
  var acknowledged = 0
  var start = NIODeadline.uptimeNanoseconds(0)
  var end = NIODeadline.uptimeNanoseconds(0)

  /// Acknowledged payments per second.
  var rate: Double {
    let nanoseconds = (end - start).nanoseconds
    return nanoseconds > 0 ? Double(acknowledged) * 1e9 / Double(nanoseconds) : 0
  }
}

/// What a load is.
struct LoadPlan: Sendable {
  /// Connection number c goes to target c modulo their number.
  let targets: [HTTPAddress]
  let connections: Int
  let accounts: Int
  let seed: UInt64
  let unixMilliseconds: UInt64
}

/// The connections of one event loop and what they count. Lives on that loop.
final class LoadWorker {
  private static let reconnectDelay = TimeAmount.milliseconds(50)

  let loop: any EventLoop
  private let plan: LoadPlan
  private(set) var isRunning = false
  private(set) var counts = LoadCounts()
  private(set) var runs: [RunTally]
  /// The run being measured, if any.
  private var run: Int?
  private var connections: [PayingConnection] = []

  init(_ plan: LoadPlan, loop: any EventLoop, runs: Int) {
    self.plan = plan
    self.loop = loop
    self.runs = Array(repeating: RunTally(), count: runs)
  }

  /// How many connections are open.
  var openCount: Int { connections.count }

  /// Opens connections; they do nothing before ``start()``.
  func connect(_ numbers: some Sequence<Int>) -> EventLoopFuture<Void> {
    EventLoopFuture.andAllSucceed(numbers.map { connect($0) }, on: loop)
  }

  private func connect(_ number: Int) -> EventLoopFuture<Void> {
    let target = plan.targets[number % plan.targets.count]
    let requests = PaymentRequests(
      to: target, accounts: plan.accounts, seed: plan.seed, stream: UInt16(number),
      unixMilliseconds: plan.unixMilliseconds)
    let bound = NIOLoopBound((self, requests), eventLoop: loop)
    return ClientBootstrap(group: loop)
      .connectTimeout(.seconds(5))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let (worker, requests) = bound.value
          try channel.pipeline.syncOperations.addHandler(
            PayingConnection(number: number, worker: worker, requests: requests))
        }
      }
      .connect(host: target.host, port: target.port)
      .map { _ in }
  }

  /// All connections begin to pay.
  func start() {
    isRunning = true
    for connection in connections { connection.pay() }
  }

  /// Begins to measure a run.
  func begin(_ run: Int) {
    self.run = run
    runs[run].start = .now()
  }

  /// Ends the run that is measured.
  func end() {
    guard let run else { return }
    runs[run].end = .now()
    self.run = nil
  }

  /// No more payments; connections close when they have their answer.
  func stop() { isRunning = false }

  /// Closes what is still open: its payments are in doubt.
  func abandon() {
    for connection in connections { connection.close() }
  }

  // MARK: - What connections tell

  func opened(_ connection: PayingConnection) {
    connections.append(connection)
    if isRunning { connection.pay() }
  }

  func answered(status: Int, after latency: TimeAmount) {
    guard status == 200 else {
      counts.otherStatuses[status, default: 0] += 1
      if status >= 500 { counts.inDoubt += 1 }
      return
    }
    counts.acknowledged += 1
    guard let run else { return }
    runs[run].acknowledged += 1
    runs[run].latencies.record(UInt64(clamping: min(latency.nanoseconds, 60_000_000_000)))
  }

  func closed(_ connection: PayingConnection, isInDoubt: Bool) {
    connections.removeAll { $0 === connection }
    if isInDoubt {
      counts.inDoubt += 1
      counts.connectionErrors += 1
    }
    if isRunning { reconnect(connection.number) }
  }

  /// Opens a connection again, after a while, for as long as the load runs.
  private func reconnect(_ number: Int) {
    loop.assumeIsolated().scheduleTask(in: Self.reconnectDelay) {
      guard self.isRunning else { return }
      self.connect(number).assumeIsolated().whenFailure { _ in
        self.counts.connectionErrors += 1
        self.reconnect(number)
      }
    }
  }
}

import Audit
import Bytes
import Glibc
import HostFiles
import HybridTime
import Ledger
import SegmentLog

/// A directory for one test, removed at its end.
final class TemporaryDirectory {
  let path: String

  init() {
    var template = Array("/tmp/syncpay-audit-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress, let made = mkdtemp(start) else {
        fatalError("no temporary directory")
      }
      return String(cString: made)
    }
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    for name in (try? PosixFileSystem().list(path)) ?? [] { remove("\(path)/\(name)") }
    unlink(path)
    rmdir(path)
  }
}

/// How the clock of a node in a test is.
struct TestClock {
  /// raw − true time, nanoseconds.
  var offset: Int64
  /// What the node adds to raw: −offset where it knows it well.
  var correction: Int64
  var bound: Int64 = 1_000_000
  var status = ClockStatus.synchronized
  var reference = ClockReference.cluster
}

/// A payment as the model ledger sees it.
struct TestPayment {
  var sender: String
  var receiver: String
  var minorUnits: Int64
  var currency: String
  var trueTime: Int64
  var id: TransactionID
}

/// Writes the same log to several nodes' data directories, as a cluster does.
struct TestCluster {
  static let start: Int64 = 1_767_323_045_000_000_000
  let directory = TemporaryDirectory()
  let nodeCount: Int
  var clocks: [TestClock]
  var payments: [TestPayment] = []
  var batches: [Batch] = []
  /// Ledger digest after each batch.
  var digests: [Digest256] = []
  private var random: SeededGenerator

  init(nodeCount: Int = 3, clocks: [TestClock], seed: UInt64 = 1) {
    self.nodeCount = nodeCount
    self.clocks = clocks
    random = SeededGenerator(seed: seed)
  }

  static var plainClocks: [TestClock] {
    [
      TestClock(offset: 100_000, correction: -90_000),
      TestClock(offset: 2_000_000_000, correction: -2_000_000_000 + 50_000),
      TestClock(offset: -30_000, correction: 20_000),
    ]
  }

  func data(_ node: Int) -> String { "\(directory.path)/node\(node)" }
  var all: [String] { (1...nodeCount).map { data($0) } }

  func stamp(_ node: Int, at time: Int64) -> Stamp {
    let clock = clocks[node - 1]
    let reading = ClockReading(
      rawNanoseconds: time + clock.offset, correctionNanoseconds: clock.correction,
      boundNanoseconds: clock.bound, epoch: 1, status: clock.status, reference: clock.reference)
    return Stamp(
      reading: reading,
      hybrid: HybridTimestamp(wallNanoseconds: reading.correctedNanoseconds, logical: 0),
      node: NodeID(UInt16(node)))
  }

  /// Builds batches of random payments in order of true time, after those that are there; every tenth is a
  /// retry of another.
  mutating func build(batchCount: Int, eventsPerBatch: Int, segmentBatchCount: Int = 8) throws {
    var builder = BatchBuilder()
    var ledger = LedgerState()
    var time = Self.start
    var sequence = (batches.last?.header.lastSequence.rawValue ?? 0) + 1
    var hash = batches.last?.header.hash ?? .zero
    let before = batches.count
    for batch in batches {
      var outcomes: [Outcome] = []
      let records = batch.records
      try ledger.apply(
        firstSequence: batch.header.firstSequence, count: UInt64(batch.header.count),
        records: records.span.bytes, batchHash: batch.header.hash, outcomes: &outcomes)
    }
    for number in before + 1...before + batchCount {
      var writer = ByteWriter()
      var stamps: [Stamp] = []
      for _ in 0..<eventsPerBatch {
        time += Int64.random(in: 1_000_000...20_000_000, using: &random)
        let node = Int.random(in: 1...nodeCount, using: &random)
        let stamp = stamp(node, at: time)
        stamps.append(stamp)
        let payment = nextPayment(time)
        payments.append(payment)
        try draft(payment).encode(stamp: stamp, into: &writer)
      }
      let leader = stamp(1, at: time + 1000)
      let fields = BatchFields(
        startsSegment: number == 1 || (number - 1) % segmentBatchCount == 0,
        index: LogIndex(UInt64(number)), term: Term(UInt64(1 + number / 10)),
        firstSequence: EventSequence(sequence), count: eventsPerBatch,
        commit: LogIndex(UInt64(number - 1)), stamp: leader,
        correctedMin: stamps.map(\.correctedNanoseconds).min() ?? 0,
        correctedMax: stamps.map(\.correctedNanoseconds).max() ?? 0,
        hybridMax: max(leader.hybrid, stamps.map(\.hybrid).max() ?? .zero), previousHash: hash)
      let batch = try builder.build(fields, records: writer.bytes)
      var outcomes: [Outcome] = []
      let records = writer.bytes
      try ledger.apply(
        firstSequence: fields.firstSequence, count: UInt64(eventsPerBatch),
        records: records.span.bytes, batchHash: batch.header.hash, outcomes: &outcomes)
      digests.append(ledger.digest)
      batches.append(batch)
      hash = batch.header.hash
      sequence += UInt64(eventsPerBatch)
    }
  }

  private mutating func nextPayment(_ time: Int64) -> TestPayment {
    if !payments.isEmpty, Int.random(in: 0..<10, using: &random) == 0 {
      return payments[Int.random(in: 0..<payments.count, using: &random)]
    }
    let sender = Int.random(in: 0..<6, using: &random)
    let receiver = (sender + Int.random(in: 1..<6, using: &random)) % 6
    return TestPayment(
      sender: "account \(sender)", receiver: "account \(receiver)",
      minorUnits: Int64.random(in: 1...100_000, using: &random),
      currency: ["USD", "EUR", "JPY"][Int.random(in: 0..<3, using: &random)], trueTime: time,
      id: TransactionID(high: random.next(), low: random.next()))
  }

  private func draft(_ payment: TestPayment) throws -> PaymentDraft {
    let currency = try Currency(iso4217: payment.currency)
    return try PaymentDraft(
      validating: PaymentRequest(
        amount: Amount.formatted(
          minorUnits: Int128(payment.minorUnits), exponent: currency.exponent),
        sender: Array(payment.sender.utf8), receiver: Array(payment.receiver.utf8),
        currency: Array(payment.currency.utf8), transactionID: payment.id.bytes),
      rules: PaymentRules(), makeID: { fatalError("has an id") })
  }

  /// Writes `batches` to a node's directory, and seals what has a successor.
  func write(
    _ node: Int, _ batches: [Batch], seals: Bool = true, to name: String = "log",
    keys: RecordKeys = .payments
  ) throws {
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: "\(data(node))/\(name)",
      clusterID: ClusterID(name: "test"), recovery: RecoveryOptions(keys: keys),
      visiting: { _ in })
    try store.append(batches)
    try store.sync()
    guard seals else { return }
    for range in store.unsealedSegments {
      let first = Int(range.id.firstIndex.rawValue)
      try store.seal(
        segment: range.id.firstIndex, ledgerBefore: first == 1 ? .zero : digests[first - 2],
        ledgerAfter: digests[Int(range.lastIndex.rawValue) - 1])
    }
  }

  func writeAll() throws { for node in 1...nodeCount { try write(node, batches) } }

  /// The path of a node's segment.
  func segment(_ node: Int, first: UInt64) -> String {
    "\(data(node))/log/\(SegmentID(LogIndex(first)).fileName)"
  }
}

/// A whole file.
func fileBytes(_ path: String) throws -> [UInt8] {
  let file = try PosixFileSystem().open(path, .read)
  return try file.read(at: 0, count: Int(try file.size()))
}

/// Overwrites a byte of a file.
func setByte(_ path: String, _ offset: Int, _ byte: UInt8) throws {
  let file = try PosixFileSystem().open(path, .update)
  try file.write([byte].span.bytes, at: UInt64(offset))
}

/// A writer that keeps the text.
final class Transcript {
  var bytes: [UInt8] = []
  lazy var writer = ReportWriter { [unowned self] (piece: [UInt8]) throws(OutputError) in
    bytes += piece
  }
  var text: String { String(decoding: bytes, as: UTF8.self) }
  var lines: [Substring] { text.split(separator: "\n") }
}

func openLog(_ directories: [String]) throws -> AgreedLog<PosixFileSystem> {
  try AgreedLog(directories, in: PosixFileSystem())
}

func verify(_ directories: [String]) throws -> VerifyReport {
  try VerifyReport(directories, in: PosixFileSystem(), meter: ProgressMeter())
}

import Bytes
import HostFiles
import Ledger
import SegmentLog

/// What the benchmarks over sealed segments are asked to do.
struct EvidenceSettings: Sendable {
  var events = 2_000_000
  var accounts = 1_000
  var batch = 1_000
  /// A segment is closed before the batch that would make it longer.
  var segmentByteCount: UInt64 = 8 << 20
  var runs = 3
  /// Look-ups of each kind.
  var lookups = 500
  var directory: String?
  var seed: UInt64 = 1

  static var toy: EvidenceSettings {
    var settings = EvidenceSettings()
    settings.events = 3_000
    settings.accounts = 10
    settings.batch = 100
    settings.segmentByteCount = 32 << 10
    settings.runs = 2
    settings.lookups = 5
    return settings
  }
}

/// A log whose segments are sealed, all but the last: made anew.
struct SealedLog {
  let directory: String
  private(set) var fileByteCount: UInt64 = 0
  private(set) var recordsByteCount: UInt64 = 0
  private(set) var lastIndex = LogIndex.zero
  private(set) var segments: [String] = []
  /// Ids of payments, drawn evenly from the whole log, with their times and accounts.
  private(set) var samples: [Payment] = []
  /// How many of them are in sealed segments: the first ones.
  private(set) var sealedSampleCount = 0
  /// Where the frames of the first segment begin, and the index that is due there: its file header, each
  /// batch, its footer.
  private(set) var frames: [(offset: UInt64, index: LogIndex)] = [(0, LogIndex(1))]
  private var firstSegmentEnd = UInt64(SegmentHeader.byteCount)
  private var isFirstSegmentOver = false

  /// Makes the log of these settings in `directory`.
  init(_ settings: EvidenceSettings, in directory: String) throws {
    self.directory = directory
    let files = PosixFileSystem()
    var store = try SegmentStore.open(
      files, directory: directory, clusterID: BatchMaker.cluster,
      recovery: RecoveryOptions(keys: .payments), visiting: { _ in })
    var maker = BatchMaker(accounts: settings.accounts, seed: settings.seed)
    var ledger = LedgerState()
    var outcomes: [Outcome] = []
    var first: (index: LogIndex, digest: Digest256)?
    var left = settings.events
    let step = max(1, settings.events / settings.batch / settings.lookups)
    while left > 0 {
      Terminal.progress("making the log, \(left) payments to go …")
      let made = try maker.records(min(left, settings.batch))
      left -= made.count
      let starts = store.currentSegmentByteCount > settings.segmentByteCount
      let batch = try maker.close(made, startsSegment: starts)
      noteFrame(batch)
      try store.append([batch])
      if let begun = first, batch.header.startsSegment {
        try store.seal(
          segment: begun.index, ledgerBefore: begun.digest, ledgerAfter: ledger.digest)
      }
      if batch.header.startsSegment {
        first = (batch.index, ledger.digest)
        sealedSampleCount = samples.count
      }
      outcomes.removeAll(keepingCapacity: true)
      let records = batch.records
      try ledger.apply(
        firstSequence: batch.header.firstSequence, count: UInt64(batch.header.count),
        records: records.span.bytes, batchHash: batch.header.hash, outcomes: &outcomes)
      recordsByteCount += UInt64(records.count)
      if Int(batch.index.rawValue).isMultiple(of: step) { samples.append(try Self.first(records)) }
    }
    try store.sync()
    lastIndex = store.lastIndex
    segments = try files.list(directory).filter { SegmentID(fileName: $0) != nil }
      .map { "\(directory)/\($0)" }
    for path in segments { fileByteCount += try files.open(path, .read).size() }
  }

  /// Removes the last segment, which is not sealed, and what was drawn from it.
  mutating func leaveSealed() throws {
    guard segments.count > 1, let last = segments.popLast() else {
      throw BenchFailure("the log has no sealed segment: ask for more events, or shorter segments.")
    }
    fileByteCount -= try PosixFileSystem().open(last, .read).size()
    try PosixFileSystem().remove(last)
    samples = Array(samples.prefix(sealedSampleCount))
  }

  /// Notes where a batch of the first segment begins, and, by the first of the next, where its footer does.
  private mutating func noteFrame(_ batch: Batch) {
    guard !isFirstSegmentOver else { return }
    frames.append((firstSegmentEnd, batch.index))
    isFirstSegmentOver = batch.header.startsSegment && batch.index > LogIndex(1)
    firstSegmentEnd += UInt64(batch.bytes.count)
  }

  private static func first(_ records: [UInt8]) throws -> Payment {
    let span = records.span.bytes
    var cursor = RecordCursor(span)
    guard let record = try cursor.next(in: span),
      case .payment(let payment) = try Event(record, in: span)
    else { throw BenchFailure("a batch has no payment.") }
    return payment
  }
}

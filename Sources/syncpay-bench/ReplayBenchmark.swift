import Audit
import Bytes
import HostFiles
import Ledger
import SegmentLog

/// What the replay benchmark is asked to do.
struct ReplaySettings: Sendable {
  var events = 2_000_000
  var accounts = 1_000
  var batch = 1_000
  var runs = 3
  /// Where the log is kept; nil: made anew and removed.
  var directory: String?
  var seed: UInt64 = 1

  static var toy: ReplaySettings {
    var settings = ReplaySettings()
    settings.events = 2_500
    settings.accounts = 10
    settings.batch = 100
    settings.runs = 2
    return settings
  }
}

/// Replays a log to balances on one core, and measures the parts of it alone.
struct ReplayBenchmark: Sendable {
  /// Each run, by what was measured.
  private struct Times {
    var recovery: [Took] = []
    var audit: [Took] = []
    var parts: [PartTimes] = []
  }

  private struct PartTimes {
    var apply = Took()
    var hash = Took()
    var decode = Took()
  }

  private let settings: ReplaySettings

  init(_ settings: ReplaySettings) { self.settings = settings }

  func run() throws -> BenchSection {
    guard let directory = settings.directory else {
      let scratch = try ScratchDirectory()
      defer { scratch.remove() }
      return try measure(try ReplayLog(settings, in: scratch.path))
    }
    try PosixFileSystem().createDirectory(directory)
    return try measure(try ReplayLog(settings, in: directory))
  }

  private func measure(_ log: ReplayLog) throws -> BenchSection {
    var times = Times()
    var digests: [Digest256] = []
    for run in 1...settings.runs {
      Terminal.progress("replay: run \(run) of \(settings.runs) …")
      times.recovery.append(try took { digests.append(try recover(log)) })
      times.audit.append(try took { digests.append(try audit(log)) })
      times.parts.append(try parts(log))
    }
    var section = section(log, times)
    if let first = digests.first, digests.contains(where: { $0 != first }) {
      section.failures.append("replays of one log gave different ledgers.")
    }
    return section
  }

  /// The way a node starts: all of the log verified and applied.
  private func recover(_ log: ReplayLog) throws -> Digest256 {
    var ledger = LedgerState()
    var outcomes: [Outcome] = []
    let store = try SegmentStore.open(
      PosixFileSystem(), directory: log.directory, clusterID: BatchMaker.cluster
    ) { batch in
      try ledger.apply(batch, &outcomes)
    }
    _ = store.lastIndex
    try requireAll(ledger.counts.applied)
    return ledger.digest
  }

  /// The way of `syncpay-audit replay`.
  private func audit(_ log: ReplayLog) throws -> Digest256 {
    let agreed = try AgreedLog([log.directory], in: PosixFileSystem())
    let summary = try agreed.replaySummary(through: agreed.lastIndex)
    try requireAll(summary.counts.applied)
    return summary.ledgerDigest
  }

  private func requireAll(_ applied: UInt64) throws(BenchFailure) {
    guard applied == UInt64(settings.events) else {
      throw BenchFailure("\(applied) of \(settings.events) payments were applied.")
    }
  }

  /// Applying, hashing and decoding, each alone over the same batches.
  private func parts(_ log: ReplayLog) throws -> PartTimes {
    var ledger = LedgerState()
    var outcomes: [Outcome] = []
    var times = PartTimes()
    let decoder = try FrameDecoder(byteCountMax: SegmentFormat.recordsByteCountMax)
    _ = try SegmentStore.open(
      PosixFileSystem(), directory: log.directory, clusterID: BatchMaker.cluster
    ) { batch in
      times.apply += try took { try ledger.apply(batch, &outcomes) }
      let records = batch.records
      times.hash += took { _ = Digest256Hasher.digest(records.span.bytes) }
      times.decode += try took { try decoder.decodeRecords(of: batch) }
    }
    return times
  }

  private func section(_ log: ReplayLog, _ times: Times) -> BenchSection {
    var section = BenchSection(
      name: "replay",
      settings: [
        .count("events", settings.events), .count("accounts", settings.accounts),
        .count("batch_events", settings.batch), .count("runs", settings.runs),
        .count("records_bytes", log.recordsByteCount), .count("file_bytes", log.fileByteCount),
        .count("threads", 1),
      ])
    section.results = [
      row("recovery", log, times.recovery), row("audit", log, times.audit),
      row("apply alone", log, times.parts.map(\.apply)),
      row("SHA-256 alone", log, times.parts.map(\.hash)),
      row("LZ4 alone", log, times.parts.map(\.decode)),
    ]
    section.notes.append(
      "Medians; MB of records, uncompressed. The parts alone run over batches that were just "
        + "read, so their bytes are in the cache.")
    return section
  }

  private func row(_ name: String, _ log: ReplayLog, _ times: [Took]) -> [Field] {
    let median = Spread(times.map(\.wall)).median
    return [.text("path", name)] + times.rateFields(events: settings.events)
      + [.real("mb_per_second", Double(log.recordsByteCount) / median / 1e6)]
  }
}

extension LedgerState {
  fileprivate mutating func apply(
    _ batch: Batch, _ outcomes: inout [Outcome]
  ) throws(LedgerError) {
    outcomes.removeAll(keepingCapacity: true)
    let records = batch.records
    try apply(
      firstSequence: batch.header.firstSequence, count: UInt64(batch.header.count),
      records: records.span.bytes, batchHash: batch.header.hash, outcomes: &outcomes)
  }
}

extension FrameDecoder {
  fileprivate func decodeRecords(of batch: Batch) throws {
    let count = try batch.bytes.withUnsafeBytes { bytes in
      try decode(UnsafeRawBufferPointer(rebasing: bytes[BatchHeader.byteCount...]))
    }
    guard count == batch.records.count else { throw BenchFailure("a frame decodes wrongly.") }
  }
}

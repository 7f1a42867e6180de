import Bytes
import Histogram
import HostFiles
import SegmentLog

/// What the append benchmark is asked to do.
struct AppendSettings: Sendable {
  var batchSizes = [1, 100, 8_192]
  var seconds = 3.0
  var accounts = 1_000
  var directory: String?
  var seed: UInt64 = 1

  static var toy: AppendSettings {
    var settings = AppendSettings()
    settings.batchSizes = [1, 10]
    settings.seconds = 0.02
    settings.accounts = 10
    return settings
  }
}

/// Appends durable batches to a log, in turn with raw writes of the same sizes.
struct AppendBenchmark: Sendable {
  private let settings: AppendSettings

  init(_ settings: AppendSettings) { self.settings = settings }

  func run() throws -> BenchSection {
    let scratch = try ScratchDirectory(in: settings.directory)
    defer { scratch.remove() }
    var section = BenchSection(
      name: "append",
      settings: [
        .text("file_system", Files.fileSystemName(scratch.path)),
        .real("seconds", settings.seconds, decimals: 2), .count("accounts", settings.accounts),
      ])
    for size in settings.batchSizes {
      Terminal.progress("append: batches of \(size) …")
      section.results.append(try measure(size, in: "\(scratch.path)/\(size)"))
    }
    section.notes.append(
      "Each batch is durable before the next. 'close' is the leader's compression and hash; 'raw' "
        + "is a write of the same bytes and an fdatasync, in turn with the appends.")
    return section
  }

  private func measure(_ size: Int, in directory: String) throws -> [Field] {
    let files = PosixFileSystem()
    try files.createDirectory(directory)
    var store = try SegmentStore.open(
      files, directory: directory + "/log", clusterID: BatchMaker.cluster, visiting: { _ in })
    let raw = try files.open(directory + "/raw", .create)
    var maker = BatchMaker(accounts: settings.accounts, seed: settings.seed)
    var (closing, appending, writing) = (StepTimes(), StepTimes(), StepTimes())
    var (recordsByteCount, rawOffset) = (0, UInt64(0))
    let deadline = ContinuousClock.now + .seconds(settings.seconds)
    repeat {
      let made = try maker.records(size)
      recordsByteCount += made.bytes.count
      let starts = store.currentSegmentByteCount > BatchMaker.segmentByteCountMax
      let batch = try closing.time { try maker.close(made, startsSegment: starts) }
      try appending.time {
        try store.append([batch])
        try store.sync()
      }
      let bytes = batch.bytes
      try writing.time {
        try raw.write(bytes.span.bytes, at: rawOffset)
        try raw.sync()
      }
      rawOffset += UInt64(bytes.count)
    } while ContinuousClock.now < deadline
    return row(
      size, closing, appending, writing, recordsByteCount: recordsByteCount,
      fileByteCount: Int(rawOffset))
  }

  private func row(
    _ size: Int, _ closing: StepTimes, _ appending: StepTimes, _ writing: StepTimes,
    recordsByteCount: Int, fileByteCount: Int
  ) -> [Field] {
    let batches = Double(appending.count)
    let events = batches * Double(size)
    return [
      .count("batch_events", size), .count("batches", appending.count),
      .count("batch_bytes", fileByteCount / appending.count),
      .real("batches_per_second", batches / appending.seconds),
      .real("events_per_second", events / appending.seconds),
      .real(
        "records_mb_per_second", Double(recordsByteCount) / appending.seconds / 1e6, decimals: 2),
      .real("p50_us", appending.microseconds(50)), .real("p99_us", appending.microseconds(99)),
      .real("raw_batches_per_second", batches / writing.seconds),
      .real("raw_p50_us", writing.microseconds(50)), .real("raw_p99_us", writing.microseconds(99)),
      .real("close_events_per_second", events / closing.seconds),
    ]
  }
}

/// How long something took, each time.
struct StepTimes {
  private(set) var seconds = 0.0
  private(set) var count = 0
  private var histogram = Histogram<UInt64>(
    lowestDiscernibleValue: 100, highestTrackableValue: 60_000_000_000)

  mutating func time<T>(_ body: () throws -> T) rethrows -> T {
    let start = ContinuousClock.now
    let result = try body()
    let took = (ContinuousClock.now - start).seconds
    seconds += took
    count += 1
    histogram.record(UInt64(min(took, 60) * 1e9))
    return result
  }

  func microseconds(_ percentile: Double) -> Double {
    Double(histogram.valueAtPercentile(percentile)) / 1_000
  }
}

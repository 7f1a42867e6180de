import Bytes
import FoundationEssentials
import HostFiles
import SegmentLog

/// A log to be replayed: made once.
struct ReplayLog {
  let directory: String
  private(set) var fileByteCount: UInt64 = 0
  private(set) var recordsByteCount: UInt64 = 0

  /// The log of these settings under `parent`: the one that is there, or a new one.
  init(_ settings: ReplaySettings, in parent: String) throws {
    directory =
      "\(parent)/log-\(settings.events)-\(settings.accounts)-\(settings.batch)-\(settings.seed)"
    if !FileManager.default.fileExists(atPath: directory) {
      // Made under another name, so that one left half done is not taken for a whole one.
      let draft = directory + ".part"
      try? FileManager.default.removeItem(atPath: draft)
      try Self.make(settings, in: draft)
      try FileManager.default.moveItem(atPath: draft, toPath: directory)
    }
    let report = try SegmentStore.open(
      PosixFileSystem(), directory: directory, clusterID: BatchMaker.cluster, visiting: { _ in }
    ).recoveryReport
    guard report.eventCount == UInt64(settings.events) else {
      throw BenchFailure("\(directory) has \(report.eventCount) events; remove it.")
    }
    (fileByteCount, recordsByteCount) = (report.fileByteCount, report.recordsByteCount)
  }

  /// Writes the log of these settings, and returns its last batch.
  @discardableResult
  static func make(_ settings: ReplaySettings, in directory: String) throws -> LogIndex {
    var store = try SegmentStore.open(
      PosixFileSystem(), directory: directory, clusterID: BatchMaker.cluster, visiting: { _ in })
    var maker = BatchMaker(accounts: settings.accounts, seed: settings.seed)
    var left = settings.events
    while left > 0 {
      Terminal.progress("making the log, \(left) payments to go …")
      let made = try maker.records(min(left, settings.batch))
      left -= made.count
      let starts = store.currentSegmentByteCount > BatchMaker.segmentByteCountMax
      try store.append([maker.close(made, startsSegment: starts)])
    }
    try store.sync()
    return store.lastIndex
  }
}

import Bytes
import HostFiles
import HybridTime
import Ledger
import SegmentLog

/// Records that go into a journal together.
struct JournalBatch: Sendable {
  private var writer = ByteWriter(capacity: 4096)
  private(set) var recordCount = 0
  private(set) var correctedMin = Int64.max
  private(set) var correctedMax = Int64.min
  private(set) var hybridMax = HybridTimestamp.zero
  /// The latest record's.
  private(set) var newest: Stamp?

  var isEmpty: Bool { recordCount == 0 }
  var byteCount: Int { writer.count }
  var records: [UInt8] { writer.bytes }

  /// Appends an event's record, or its records where one is not enough.
  mutating func append(_ event: Event) {
    guard case .logProgress(let progress) = event else {
      event.encode(into: &writer)
      return note(event.stamp, last: event.stamp)
    }
    var written: [(first: Stamp, last: Stamp)] = []
    progress.encode(into: &writer) { first, last in
      written.append((first, last.stamp(node: progress.node)))
    }
    for record in written { note(record.first, last: record.last) }
  }

  private mutating func note(_ stamp: Stamp, last: Stamp) {
    recordCount += 1
    correctedMin = min(correctedMin, stamp.correctedNanoseconds)
    correctedMax = max(correctedMax, last.correctedNanoseconds, stamp.correctedNanoseconds)
    hybridMax = max(hybridMax, stamp.hybrid, last.hybrid)
    newest = last
  }
}

/// The journal's file side: opens it at the first batch, appends, and removes the oldest segments where
/// there are too many.
///
/// `@unchecked Sendable`: used by one job at a time (see ``JournalService``).
final class JournalWriter: @unchecked Sendable {
  /// A segment is followed by another from this part of all that is kept on.
  private static let segmentShare: UInt64 = 16

  private let files = PosixFileSystem()
  private let directory: String
  private let cluster: ClusterID
  private let byteCountMax: UInt64
  private var store: SegmentStore<PosixFileSystem>?
  private var builder = BatchBuilder()
  private var last: BatchHeader?

  /// A journal of at most `byteCountMax` bytes, and a segment more while one is written.
  init(directory: String, cluster: ClusterID, byteCountMax: UInt64) {
    self.directory = directory
    self.cluster = cluster
    self.byteCountMax = byteCountMax
  }

  /// Appends one batch, and makes it durable.
  func write(_ batch: JournalBatch) throws(LogError) {
    if store == nil { store = try open() }
    guard let newest = batch.newest else { return }
    let startsSegment =
      last == nil
      || store?.currentSegmentByteCount ?? 0 > byteCountMax / Self.segmentShare
    if startsSegment { try removeOldest() }
    let fields = BatchFields(
      startsSegment: startsSegment,
      index: last?.index.next ?? LogIndex(1), term: .zero,
      firstSequence: last?.lastSequence.next ?? EventSequence(1), count: batch.recordCount,
      commit: last?.index ?? .zero, stamp: newest, correctedMin: batch.correctedMin,
      correctedMax: batch.correctedMax, hybridMax: batch.hybridMax,
      previousHash: last?.hash ?? .zero)
    let built: Batch
    do { built = try builder.build(fields, records: batch.records) } catch {
      preconditionFailure("a journal's batch is within all limits: \(error)")
    }
    try store?.append([built])
    try store?.sync()
    last = built.header
  }

  private func open() throws(LogError) -> SegmentStore<PosixFileSystem> {
    var last: BatchHeader?
    let store = try SegmentStore.open(
      files, directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(mayBeginLater: true, keys: .payments)
    ) { last = $0.header }
    self.last = last
    return store
  }

  /// Removes the oldest segments until what stays is below the limit by a segment.
  private func removeOldest() throws(LogError) {
    do throws(FileError) {
      var segments: [(path: String, byteCount: UInt64)] = []
      for name in try files.list(directory) where SegmentID(fileName: name) != nil {
        let path = directory + "/" + name
        segments.append((path, try files.open(path, .read).size()))
      }
      var sum = segments.reduce(0) { $0 + $1.byteCount }
      let limit = byteCountMax - byteCountMax / Self.segmentShare
      var removed = false
      for segment in segments where sum > limit {
        try files.remove(segment.path)
        sum -= segment.byteCount
        removed = true
      }
      if removed { try files.syncDirectory(directory) }
    } catch {
      throw .file(error)
    }
  }
}

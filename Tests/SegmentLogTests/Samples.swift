import Bytes
import HybridTime
import SegmentLog

let cluster = ClusterID(name: "test")
let directory = "log"

func sampleStamp(_ nanoseconds: Int64) -> Stamp {
  Stamp(
    reading: ClockReading(
      rawNanoseconds: nanoseconds, correctionNanoseconds: -7, boundNanoseconds: 1_000,
      epoch: 3, status: .synchronized, reference: .external),
    hybrid: HybridTimestamp(wallNanoseconds: nanoseconds, logical: 2), node: NodeID(5))
}

/// Closes batches one after the other, as a leader does.
struct SampleLeader: ~Copyable {
  var builder = BatchBuilder()
  var index = LogIndex(1)
  var sequence = EventSequence(1)
  var hash = Digest256.zero
  var term = Term(1)
  /// Up to where its batches say that the log is committed; nil: each up to the one before it.
  var commit: LogIndex?

  init(after last: Batch? = nil) {
    guard let header = last?.header else { return }
    index = header.index.next
    sequence = EventSequence(header.lastSequence.rawValue + 1)
    hash = header.hash
    term = header.term
  }

  /// The next batch: `content` as records with their lengths, or as it is.
  mutating func batch(
    _ content: [UInt8], count: Int? = nil, starts: Bool = false, isFramed: Bool = false
  ) -> Batch {
    let records = isFramed ? content : sampleRecords(content)
    let framedCount = (content.count + sampleRecordByteCountMax - 1) / sampleRecordByteCountMax
    let time = Int64(index.rawValue) * 1_000
    let fields = BatchFields(
      startsSegment: starts || index == LogIndex(1), index: index, term: term,
      firstSequence: sequence, count: count ?? (isFramed ? min(1, content.count) : framedCount),
      commit: commit ?? index.previous, stamp: sampleStamp(time), correctedMin: time - 5,
      correctedMax: time + 5, hybridMax: HybridTimestamp(wallNanoseconds: time, logical: 2),
      previousHash: hash)
    guard let batch = try? builder.build(fields, records: records) else {
      preconditionFailure("a sample outside the limits")
    }
    index = index.next
    sequence = EventSequence(batch.header.lastSequence.rawValue + 1)
    hash = batch.header.hash
    return batch
  }

  /// `count` batches of a few records; every `every`-th starts a segment.
  mutating func batches(_ count: Int, every: Int = .max) -> [Batch] {
    (0..<count).map { number in
      batch(
        Array("record \(index.rawValue) of the log\n".utf8),
        starts: number > 0 && number.isMultiple(of: every))
    }
  }
}

typealias MemoryStore = SegmentStore<MemoryFileSystem>

extension MemoryFileSystem {
  func path(_ first: UInt64) -> String { directory + "/" + SegmentID(LogIndex(first)).fileName }

  /// Opens the log and gives the indices it replayed.
  func recover(
    _ options: RecoveryOptions = RecoveryOptions()
  ) throws -> (batches: [Batch], report: RecoveryReport) {
    var batches: [Batch] = []
    let store = try MemoryStore.open(
      self, directory: directory, clusterID: cluster, recovery: options
    ) { batches.append($0) }
    return (batches, store.recoveryReport)
  }

  /// A log of these batches, synced, with all segments sealed but the last.
  static func log(_ batches: [Batch], sealing: Bool = false) throws -> MemoryFileSystem {
    let system = MemoryFileSystem()
    var store = try MemoryStore.open(system, directory: directory, clusterID: cluster) { _ in }
    try store.append(batches)
    try store.sync()
    if sealing { try store.sealAll() }
    return system
  }
}

extension SegmentStore {
  /// All sealed segments, one after the other as a scrub gets them.
  var sealedSegments: [SealedSegment] {
    var found: [SealedSegment] = []
    while let next = sealedSegment(after: found.last?.lastIndex ?? .zero) { found.append(next) }
    return found
  }

  mutating func sealAll() throws {
    for segment in unsealedSegments {
      try seal(
        segment: segment.id.firstIndex, ledgerBefore: sampleDigest(segment.id.firstIndex),
        ledgerAfter: sampleDigest(segment.lastIndex.next))
    }
  }
}

let sampleRecordByteCountMax = 60_000

/// Bytes as records, each with its length before it.
func sampleRecords(_ content: [UInt8]) -> [UInt8] {
  var records: [UInt8] = []
  for start in stride(from: 0, to: content.count, by: sampleRecordByteCountMax) {
    let record = content[start..<min(start + sampleRecordByteCountMax, content.count)]
    withUnsafeBytes(of: UInt16(record.count).littleEndian) { records.append(contentsOf: $0) }
    records.append(contentsOf: record)
  }
  return records
}

func sampleDigest(_ index: LogIndex) -> Digest256 {
  Digest256Hasher.digest(Array("ledger before \(index.rawValue)".utf8).span.bytes)
}

/// What went wrong in `body`, or nil.
func logError(_ body: () throws -> Void) -> LogError? {
  do {
    try body()
    return nil
  } catch {
    return error as? LogError
  }
}

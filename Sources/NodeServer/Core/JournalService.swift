import Bytes
import HostFiles
import HybridTime
import Ledger
import Logging
import NIOCore
import NIOPosix
import Replica
import SegmentLog

/// Keeps what this node saw of its clock sources in a log of its own, `journal/` beside `log/`: the same
/// segment format, readable by the same tools, not replicated.
///
/// It gathers for some seconds, then writes one batch and makes it durable. What is lost with a crash are the
/// last seconds. An error ends it until the next start, and never the node: evidence of time, not money.
///
/// `@unchecked Sendable`: everything is touched on `loop` only, but for `writer`, which one job at a time
/// uses on the pool.
final class JournalService: @unchecked Sendable {
  private static let flushSeconds: Int64 = 5
  /// Most bytes that wait to be written; what comes then is left out, and counted.
  private static let waitingByteCountMax = 256 << 10

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private let writer: JournalWriter
  private var waiting = ByteWriter(capacity: 4096)
  private var stamps: [Stamp] = []
  private var droppedCount = 0
  private var isWriting = false
  private var hasFailed = false
  private var task: RepeatedTask?
  /// Fulfilled when nothing is left to write, while the node stops.
  private var idle: EventLoopPromise<Void>?
  /// Whether nothing is to be written: the disk is short of room.
  var isHeld = false

  /// A journal over a thread pool, which must be started; nil where the settings want none.
  init?(
    _ settings: NodeSettings, loop: any EventLoop, pool: NIOThreadPool, clock: HostClock,
    logger: Logger
  ) {
    guard settings.keepsJournal else { return nil }
    self.loop = loop
    self.pool = pool
    self.logger = logger
    writer = JournalWriter(
      directory: settings.dataDirectory + "/journal", cluster: settings.replica.cluster)
  }

  /// Begins to write, again and again. On the loop.
  func start() {
    task = loop.scheduleRepeatedTask(
      initialDelay: .seconds(Self.flushSeconds), delay: .seconds(Self.flushSeconds)
    ) { _ in self.flush() }
  }

  /// Writes what is left, and no more. On the loop; done when that is durable.
  func stop() -> EventLoopFuture<Void> {
    task?.cancel()
    let promise = loop.makePromise(of: Void.self)
    idle = promise
    flush()
    if !isWriting { finish() }
    return promise.futureResult
  }

  private func finish() {
    idle?.succeed()
    idle = nil
  }

  /// Takes a measurement. On the loop.
  func take(_ measurement: ClockMeasurement) {
    guard !hasFailed else { return }
    guard waiting.count < Self.waitingByteCountMax else {
      droppedCount += 1
      return
    }
    measurement.encode(into: &waiting)
    stamps.append(measurement.stamp)
  }

  private func flush() {
    guard !isWriting, !isHeld, !hasFailed, !stamps.isEmpty else { return }
    isWriting = true
    let (records, stamps) = (waiting.bytes, stamps)
    waiting = ByteWriter(capacity: 4096)
    self.stamps.removeAll(keepingCapacity: true)
    pool.submit { [loop, writer] state in
      guard case .active = state else { return }
      let result: Result<Void, LogError>
      do throws(LogError) {
        result = .success(try writer.write(records, stamps))
      } catch {
        result = .failure(error)
      }
      loop.execute { self.written(result) }
    }
  }

  private func written(_ result: Result<Void, LogError>) {
    isWriting = false
    if droppedCount > 0 {
      logger.warning(
        "the journal lacks clock measurements", metadata: ["count": "\(droppedCount)"])
      droppedCount = 0
    }
    if case .failure(let error) = result { fail(error) }
    guard idle != nil else { return }
    flush()
    if !isWriting { finish() }
  }

  private func fail(_ error: LogError) {
    hasFailed = true
    logger.error(
      "the journal cannot be written; the node goes on without it",
      metadata: ["error": "\(error.sentence)"])
  }
}

/// The journal's file side: opens it at the first batch, and appends.
///
/// `@unchecked Sendable`: used by one job at a time (see ``JournalService``).
private final class JournalWriter: @unchecked Sendable {
  /// A segment is followed by another from this size on.
  private static let segmentByteCount: UInt64 = 16 << 20

  private let directory: String
  private let cluster: ClusterID
  private var store: SegmentStore<PosixFileSystem>?
  private var builder = BatchBuilder()
  private var last: BatchHeader?

  init(directory: String, cluster: ClusterID) {
    self.directory = directory
    self.cluster = cluster
  }

  /// Appends one batch of records with these stamps, and makes it durable.
  func write(_ records: [UInt8], _ stamps: [Stamp]) throws(LogError) {
    if store == nil { store = try open() }
    guard let newest = stamps.last else { return }
    let corrected = stamps.map(\.correctedNanoseconds)
    let fields = BatchFields(
      startsSegment: last == nil
        || store?.currentSegmentByteCount ?? 0 > Self.segmentByteCount,
      index: last?.index.next ?? LogIndex(1), term: .zero,
      firstSequence: last?.lastSequence.next ?? EventSequence(1), count: stamps.count,
      commit: last?.index ?? .zero, stamp: newest, correctedMin: corrected.min() ?? 0,
      correctedMax: corrected.max() ?? 0, hybridMax: stamps.map(\.hybrid).max() ?? .zero,
      previousHash: last?.hash ?? .zero)
    let batch: Batch
    do { batch = try builder.build(fields, records: records) } catch {
      preconditionFailure("a journal's batch is within all limits: \(error)")
    }
    try store?.append([batch])
    try store?.sync()
    last = batch.header
  }

  private func open() throws(LogError) -> SegmentStore<PosixFileSystem> {
    var last: BatchHeader?
    let store = try SegmentStore.open(
      PosixFileSystem(), directory: directory, clusterID: cluster,
      recovery: RecoveryOptions(keys: .payments)
    ) { last = $0.header }
    self.last = last
    return store
  }
}

import Bytes
import HybridTime
import Ledger
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Replica
import SegmentLog

/// Keeps what this node saw in a log of its own, `journal/` beside `log/`: answers of clock sources, when
/// its batches arrived and were committed, refused payments, elections, health. The same segment format,
/// readable by the same tools, not replicated.
///
/// It gathers for some seconds, then writes one batch and makes it durable. What is lost with a crash are the
/// last seconds. An error ends it until the next start, and never the node: evidence of time, not money.
///
/// `@unchecked Sendable`: everything is touched on `loop` only, but for `writer`, which one job at a time
/// uses on the pool.
final class JournalService: @unchecked Sendable {
  private static let flushSeconds: Int64 = 5
  /// From so many bytes on the journal is written before its time.
  private static let flushByteCount = 64 << 10
  /// Most bytes that wait to be written; what comes then is left out, and counted.
  private static let waitingByteCountMax = 512 << 10
  /// So many refused payments are named between two flushes; of more the number is told.
  private static let refusedCountMax = 100
  /// So many marks of the log's progress become records at once.
  private static let markCountMax = 512

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private let node: NodeID
  private let writer: JournalWriter
  private var waiting = JournalBatch()
  private var progress: LogProgress?
  private var lostCount: UInt64 = 0
  private var refusedCount = 0
  private var unnamedCount: UInt64 = 0
  private var isWriting = false
  private var hasFailed = false
  private var task: RepeatedTask?
  /// Fulfilled when nothing is left to write, while the node stops.
  private var idle: EventLoopPromise<Void>?
  /// Whether nothing is to be written: the disk is short of room.
  var isHeld = false

  /// A journal over a thread pool, which must be started; nil where the settings want none.
  init?(
    _ settings: NodeSettings, loop: any EventLoop, pool: NIOThreadPool, logger: Logger
  ) {
    guard settings.keepsJournal else { return nil }
    self.loop = loop
    self.pool = pool
    self.logger = logger
    node = settings.id
    writer = JournalWriter(
      directory: settings.dataDirectory + "/journal", cluster: settings.replica.cluster,
      byteCountMax: UInt64(settings[.journalMegabytes]) << 20)
  }

  /// Begins to write, again and again: that the node has started, at once. On the loop.
  func start(_ reading: ClockReading, lastIndex: LogIndex) {
    take(.started, reading, number: lastIndex.rawValue)
    flush()
    task = loop.scheduleRepeatedTask(
      initialDelay: .seconds(Self.flushSeconds), delay: .seconds(Self.flushSeconds)
    ) { _ in self.flush() }
  }

  /// Writes what is left and that the node has stopped, and no more. On the loop; done when that is durable.
  func stop(_ reading: ClockReading) -> EventLoopFuture<Void> {
    take(.stopped, reading)
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

  /// Takes what a node tells, where it belongs here, as it is by `reading`. On the loop.
  func take(_ note: NodeNote, _ reading: @autoclosure () -> ClockReading) {
    switch note {
    case .clockMeasured(let measurement): take(.clockMeasurement(measurement))
    case .logWentOn(let mark, let position): take(mark, from: position)
    case .replica, .peerHealth, .clock, .cosigning:
      guard let occurrence = NodeOccurrence(note, Stamp(reading(), of: node)) else { return }
      take(.occurrence(occurrence))
    }
  }

  /// Takes note of a payment that this node has refused. On the loop.
  func refused(_ id: TransactionID, _ reason: String, _ reading: @autoclosure () -> ClockReading) {
    refusedCount += 1
    guard refusedCount <= Self.refusedCountMax else {
      unnamedCount += 1
      return
    }
    take(
      .occurrence(
        NodeOccurrence(
          stamp: Stamp(reading(), of: node), topic: .paymentRefused, id: id, word: reason)))
  }

  /// Takes something that this node saw. On the loop.
  private func take(
    _ topic: NodeOccurrence.Topic, _ reading: ClockReading, number: UInt64 = 0, word: String = ""
  ) {
    take(
      .occurrence(
        NodeOccurrence(
          stamp: Stamp(reading, of: node), topic: topic, number: number, word: word)))
  }

  private func take(_ event: Event) {
    guard !hasFailed else { return }
    // What the log did before comes before.
    if case .occurrence = event { endProgress() }
    guard waiting.byteCount < Self.waitingByteCountMax else {
      lostCount += 1
      return
    }
    if lostCount > 0, case .occurrence(let occurrence) = event {
      let count = lostCount
      lostCount = 0
      waiting.append(
        .occurrence(NodeOccurrence(stamp: occurrence.stamp, topic: .lost, number: count)))
    }
    waiting.append(event)
    if waiting.byteCount > Self.flushByteCount { flush() }
  }

  private func take(_ mark: ProgressMark, from position: LogPosition) {
    guard !hasFailed else { return }
    var taken = progress ?? LogProgress(node: node, start: position, marks: [])
    progress = nil
    taken.marks.append(mark)
    progress = taken
    if taken.marks.count >= Self.markCountMax { endProgress() }
  }

  /// Makes the marks gathered so far into records.
  private func endProgress() {
    guard let ended = progress else { return }
    progress = nil
    guard waiting.byteCount < Self.waitingByteCountMax else {
      lostCount += UInt64(ended.marks.count)
      return
    }
    waiting.append(.logProgress(ended))
    if waiting.byteCount > Self.flushByteCount { flush() }
  }

  /// Tells how many payments were refused beside those that are named.
  private func endRefusals() {
    refusedCount = 0
    guard unnamedCount > 0, let newest = waiting.newest else { return }
    waiting.append(
      .occurrence(
        NodeOccurrence(
          stamp: newest, topic: .paymentRefused, number: unnamedCount, word: "more, not named")))
    unnamedCount = 0
  }

  private func flush() {
    guard !isWriting, !hasFailed else { return }
    if isHeld, idle == nil { return }
    endProgress()
    endRefusals()
    guard !isWriting, !waiting.isEmpty else { return }
    isWriting = true
    let batch = waiting
    waiting = JournalBatch()
    pool.submit { [loop, writer] state in
      guard case .active = state else { return }
      let result: Result<Void, LogError>
      do throws(LogError) {
        result = .success(try writer.write(batch))
      } catch {
        result = .failure(error)
      }
      loop.execute { self.written(result) }
    }
  }

  private func written(_ result: Result<Void, LogError>) {
    isWriting = false
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

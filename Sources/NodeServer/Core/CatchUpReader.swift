import Bytes
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Reads batches for followers that are behind what memory holds: on a thread of its own, for each
/// peer one request at a time and in order, so that what is sent never has a gap.
///
/// `@unchecked Sendable`: `queues` is touched on `loop` only, which every job hops back to.
final class CatchUpReader<FileSystem: LogFileSystem>: @unchecked Sendable {
  private struct Queue {
    var isReading = false
    var waiting: [AppendRequest] = []
  }

  /// Requests that wait for one peer. More are dropped: consensus asks again when it hears from the
  /// follower.
  private static var waitingMax: Int { 4 }

  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let reader: LogReader<FileSystem>
  private let transport: PeerTransport
  private let logger: Logger
  private let met: @Sendable (LogError) -> Void
  private var queues: [NodeID: Queue] = [:]

  /// A reader over a started pool of one thread; errors go to `met`, too.
  init(
    loop: any EventLoop, pool: NIOThreadPool, reader: LogReader<FileSystem>,
    transport: PeerTransport, logger: Logger, met: @escaping @Sendable (LogError) -> Void
  ) {
    self.loop = loop
    self.pool = pool
    self.reader = reader
    self.transport = transport
    self.logger = logger
    self.met = met
  }

  /// Reads all entries that a request names and sends them. On the loop.
  func readAndSend(_ request: AppendRequest, to peer: NodeID) {
    var queue = queues[peer, default: Queue()]
    // A leader of a later term asks: what an earlier one asked for is of no use.
    queue.waiting.removeAll { $0.term != request.term || $0.previous == request.previous }
    if queue.waiting.count < Self.waitingMax { queue.waiting.append(request) }
    queues[peer] = queue
    readNext(peer)
  }

  private func readNext(_ peer: NodeID) {
    guard var queue = queues[peer], !queue.isReading, !queue.waiting.isEmpty else { return }
    let request = queue.waiting.removeFirst()
    queue.isReading = true
    queues[peer] = queue
    pool.submit { [self] state in
      if case .active = state { read(request, for: peer) }
      loop.execute {
        self.queues[peer]?.isReading = false
        self.readNext(peer)
      }
    }
  }

  /// Reads batches for a damaged node, as many as one frame may carry, and sends them. On the loop.
  func readAndSend(_ range: LogIndexRange, to peer: NodeID) {
    pool.submit { [self] state in
      guard case .active = state else { return }
      let answer = read(range)
      loop.execute {
        self.transport.send(.batches(answer), to: peer)
        self.transport.flush()
      }
    }
  }

  /// On the pool.
  private func read(_ range: LogIndexRange) -> BatchesAnswer {
    reader.answer(range) { error in
      logger.error(
        "cannot read the log for a damaged peer", metadata: ["error": "\(error.sentence)"])
      met(error)
    }
  }

  /// On the pool.
  private func read(_ request: AppendRequest, for peer: NodeID) {
    var pieces = RequestedBatches(request, reader: reader)
    do {
      while let piece = try pieces.next() { send(piece.request, piece.batches, to: peer) }
    } catch {
      logger.error(
        "cannot read the log for a peer",
        metadata: ["peer": "\(peer.rawValue)", "error": "\(error.sentence)"])
      met(error)
    }
  }

  private func send(_ request: AppendRequest, _ batches: [Batch], to peer: NodeID) {
    loop.execute {
      for part in AppendParts(request: request, batches: batches) {
        self.transport.send(.append(part.request, batches: part.batches), to: peer)
      }
      self.transport.flush()
    }
  }
}

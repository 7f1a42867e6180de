import Bytes
import ClockSync
import HybridTime
import Ledger
import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Raft
import Replica
import SegmentLog
import Synchronization

/// The node on its event loop: peers, storage reports, client payments and ticks all come here,
/// and nothing here waits.
///
/// `@unchecked Sendable`: `node` and `isPumpScheduled` are touched on `loop` only, which every
/// entry from outside hops to; the rest is immutable or under a lock.
final class NodeCore: @unchecked Sendable {
  let loop: any EventLoop
  private let environment: LoopEnvironment
  private var node: Node<LoopEnvironment>
  private var isPumpScheduled = false
  private var tickTask: RepeatedTask?
  private var pumpsSinceSnapshot = 0
  private let mailbox = Mutex<[Mail]>([])

  /// A payment on its way from a client's task to the loop.
  struct Mail {
    let draft: PaymentDraft
    let reading: ClockReading
    let continuation: CheckedContinuation<PaymentResult, Never>
  }

  init(loop: any EventLoop, environment: LoopEnvironment, node: consuming Node<LoopEnvironment>) {
    self.loop = loop
    self.environment = environment
    self.node = node
  }

  /// Begins to tick. On the loop.
  func start() {
    loop.preconditionInEventLoop()
    environment.publishSnapshot(node.snapshot())
    let tick = TimeAmount.milliseconds(Int64(NodeSettings.tickMilliseconds))
    tickTask = loop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in
      self.node.tick()
      self.pump(isTick: true)
    }
    environment.scrub.start()
    environment.disk.start()
  }

  /// Takes a payment from any thread, and answers when its outcome is known.
  func submit(_ draft: PaymentDraft) async -> PaymentResult {
    let reading = environment.readClock()
    return await withCheckedContinuation { continuation in
      let mail = Mail(draft: draft, reading: reading, continuation: continuation)
      let isFirst = mailbox.withLock { mailbox in
        mailbox.append(mail)
        return mailbox.count == 1
      }
      if isFirst { loop.execute { self.openMailbox() } }
    }
  }

  /// Waits until this node's ledger is at least as new as now, from any thread.
  func awaitLinearizable() async -> ReadResult {
    await withCheckedContinuation { continuation in
      loop.execute {
        self.node.read(token: self.environment.register(read: continuation))
        self.schedulePump()
      }
    }
  }

  /// Hands an operator's request to the cluster, from any thread, and answers when it is carried out,
  /// refused or in doubt.
  func administer(_ request: OperatorRequest) async -> OperatorResult {
    await withCheckedContinuation { continuation in
      loop.execute {
        self.node.administer(
          request, token: self.environment.register(operator: continuation))
        self.schedulePump()
      }
    }
  }

  /// A group of storage work is over. On the loop.
  func stored(_ result: Result<StorageReport, LogError>) {
    switch result {
    case .success(let report):
      node.stored(report)
      schedulePump()
    case .failure(let error):
      environment.halt("storage failed and must not be used again: \(error)")
    }
  }

  /// A time server's datagram. On the loop.
  func timeServerAnswered(_ server: UInt16, _ datagram: [UInt8], _ time: HostTime) {
    node.timeServerAnswered(server, datagram: datagram, at: time)
  }

  /// The disk is short of room, or no longer is. On the loop.
  func setDiskShort(_ isShort: Bool) {
    node.setDiskShort(isShort)
    schedulePump()
  }

  /// Takes no more payments and hands leadership over. On the loop.
  func drain() {
    node.drain()
    schedulePump()
  }

  /// Ticks no more. On the loop.
  func stop() {
    tickTask?.cancel()
    environment.scrub.stop()
    environment.disk.stop()
  }

  /// Runs `body` with the ledger on the loop.
  func withLedger<R: Sendable>(
    _ body: @escaping @Sendable (inout LedgerState) -> R
  ) async throws -> R {
    try await loop.submit { self.node.withLedger(body) }.get()
  }

  /// What the ledger says of an id, and whether a payment of that id waits for its answer here: both
  /// at one instant, or a payment applied in between would be neither.
  func lookup(_ id: TransactionID) async throws -> (known: TransactionLookup, isPending: Bool) {
    try await loop.submit {
      (
        try self.node.withLedger { ledger in
          Result { () throws(PastProblem) in try ledger.lookup(id) }
        }.get(), self.node.isPending(id)
      )
    }.get()
  }

  /// What the node knows of itself, now and not when it was last published, from any thread.
  func freshSnapshot() async throws -> NodeSnapshot {
    try await loop.submit { self.node.snapshot() }.get()
  }

  private func openMailbox() {
    let mails = mailbox.withLock { mailbox in
      let mails = mailbox
      mailbox.removeAll(keepingCapacity: true)
      return mails
    }
    let submissions = mails.map { mail in
      Submission(
        token: environment.register(mail.continuation, id: mail.draft.id), draft: mail.draft,
        reading: mail.reading)
    }
    node.submit(submissions)
    schedulePump()
  }

  /// Ends a group of events once the loop has seen all that is ready now.
  private func schedulePump() {
    guard !isPumpScheduled else { return }
    isPumpScheduled = true
    loop.execute {
      self.isPumpScheduled = false
      self.pump(isTick: false)
    }
  }

  private func pump(isTick: Bool) {
    node.flush()
    environment.transport.flush()
    if environment.takeStateChanged() || (isTick && environment.isSnapshotOld()) {
      environment.publishSnapshot(node.snapshot())
    } else {
      environment.updateSnapshot { node.updateProgress(of: &$0) }
    }
  }
}

extension NodeCore: PeerTransportDelegate {
  func admits(_ peer: NodeID, store: UInt64) -> Bool { node.admits(peer, store: store) }

  func peerConnected(_ peer: NodeID, store: UInt64) {
    environment.scrub.setConnected(peer, true)
    node.peerConnected(peer, store: store)
    schedulePump()
  }

  func peerLost(_ peer: NodeID) {
    environment.scrub.setConnected(peer, false)
    node.peerLost(peer)
    schedulePump()
  }

  func peerSaid(_ message: PeerMessage, peer: NodeID, at time: HostTime) {
    node.receive(message, from: peer, at: time)
  }

  func peersRead() { schedulePump() }
}

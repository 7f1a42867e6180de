import Bytes
import ClockSync
import Glibc
import HostFiles
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

/// The real world around a node: sockets, disk, clocks, waiting clients, the operator's log.
///
/// `@unchecked Sendable`: what other threads use (`snapshot`, `discipline`, `clock`, `reader`) is
/// under a lock or immutable; the rest is touched on the node's event loop only.
final class LoopEnvironment: NodeEnvironment, @unchecked Sendable {
  let clock: HostClock
  let transport: PeerTransport
  let storage: StorageQueue<PosixFileSystem>
  let reader: LogReader<PosixFileSystem>
  let readers: NIOThreadPool
  let scrub: ScrubService
  let disk: DiskWatch
  let evidence: EvidenceDesk
  private let catchUp: CatchUpReader<PosixFileSystem>
  private let timeServers: TimeServerClient
  private let journal: JournalService?
  private let logger: Logger
  private let names: @Sendable (NodeID) -> String
  private let haltProcess: @Sendable (String) -> Void
  private let discipline: Mutex<ClockDiscipline?> = Mutex(nil)
  private let snapshot: Mutex<NodeSnapshot?> = Mutex(nil)
  private var waiters: [UInt64: PaymentWaiter] = [:]
  private var readWaiters: [UInt64: CheckedContinuation<ReadResult, Never>] = [:]
  private var operatorWaiters: [UInt64: CheckedContinuation<OperatorResult, Never>] = [:]
  private var nextToken: UInt64 = 0
  private var hasStateChanged = false
  private var snapshotMonotonic: Int64 = 0

  /// A client that waits for its payment's outcome.
  private struct PaymentWaiter {
    let continuation: CheckedContinuation<PaymentResult, Never>
    let id: TransactionID
  }

  /// A whole snapshot is made anew after so long, nanoseconds; counts are always fresh.
  private static let snapshotAgeMax: Int64 = 100_000_000

  init(
    clock: HostClock, transport: PeerTransport,
    storage: StorageQueue<PosixFileSystem>, reader: LogReader<PosixFileSystem>,
    readers: NIOThreadPool, catchUp: CatchUpReader<PosixFileSystem>, scrub: ScrubService,
    disk: DiskWatch, evidence: EvidenceDesk,
    timeServers: TimeServerClient, journal: JournalService?, logger: Logger,
    names: @escaping @Sendable (NodeID) -> String,
    haltProcess: @escaping @Sendable (String) -> Void
  ) {
    self.clock = clock
    self.transport = transport
    self.storage = storage
    self.reader = reader
    self.readers = readers
    self.catchUp = catchUp
    self.scrub = scrub
    self.disk = disk
    self.evidence = evidence
    self.timeServers = timeServers
    self.journal = journal
    self.logger = logger
    self.names = names
    self.haltProcess = haltProcess
  }

  // What the node asks for, on the loop.

  func hostTime() -> HostTime { clock.now() }

  func send(_ message: PeerMessage, to peer: NodeID) { transport.send(message, to: peer) }

  func store(_ work: [StorageWork]) { storage.append(work) }

  func readAndSend(_ request: AppendRequest, to peer: NodeID) {
    catchUp.readAndSend(request, to: peer)
  }

  func readAndSend(_ range: LogIndexRange, to peer: NodeID) {
    catchUp.readAndSend(range, to: peer)
  }

  func receive(_ answer: BatchesAnswer, from peer: NodeID) { scrub.received(answer, from: peer) }

  func settle(_ settlements: [PaymentSettlement]) {
    for settlement in settlements {
      guard let waiter = waiters.removeValue(forKey: settlement.token) else { continue }
      if case .refused(let refusal) = settlement.result {
        journal?.refused(waiter.id, refusal.name, readClock())
      }
      waiter.continuation.resume(returning: settlement.result)
    }
  }

  func answerReads(_ answers: [ReadAnswer]) {
    for answer in answers {
      readWaiters.removeValue(forKey: answer.token)?.resume(returning: answer.result)
    }
  }

  func answerOperators(_ answers: [OperatorAnswer]) {
    for answer in answers {
      operatorWaiters.removeValue(forKey: answer.token)?.resume(returning: answer.result)
    }
  }

  func setMembers(_ members: [ClusterMember]) { transport.setMembers(members) }

  func publish(_ discipline: ClockDiscipline) { self.discipline.withLock { $0 = discipline } }

  func askTimeServer(_ server: UInt16, datagram: [UInt8]) {
    timeServers.ask(server, datagram: datagram)
  }

  func kernelClock() -> KernelClock? { clock.kernel() }

  func signed(_ checkpoint: CosignedCheckpoint) { evidence.signed(checkpoint) }

  func learned(_ keys: NodeKeys, of node: NodeID) { evidence.learned(keys, of: node) }

  func note(_ note: NodeNote) {
    journal?.take(note, readClock())
    switch note {
    case .clockMeasured, .logWentOn: return
    case .replica, .peerHealth, .clock, .cosigning: break
    }
    hasStateChanged = true
    NoteLog(logger: logger, name: names).write(note)
  }

  func suspect(_ segment: SegmentID) { scrub.suspect(segment) }

  func halt(_ reason: String) { haltProcess(reason) }

  // What the core asks for, on the loop.

  func register(
    _ continuation: CheckedContinuation<PaymentResult, Never>, id: TransactionID
  ) -> UInt64 {
    nextToken += 1
    waiters[nextToken] = PaymentWaiter(continuation: continuation, id: id)
    return nextToken
  }

  func register(read continuation: CheckedContinuation<ReadResult, Never>) -> UInt64 {
    nextToken += 1
    readWaiters[nextToken] = continuation
    return nextToken
  }

  func register(operator continuation: CheckedContinuation<OperatorResult, Never>) -> UInt64 {
    nextToken += 1
    operatorWaiters[nextToken] = continuation
    return nextToken
  }

  func takeStateChanged() -> Bool {
    defer { hasStateChanged = false }
    return hasStateChanged
  }

  func isSnapshotOld() -> Bool {
    clock.now().monotonicNanoseconds - snapshotMonotonic > Self.snapshotAgeMax
  }

  func publishSnapshot(_ snapshot: NodeSnapshot) {
    snapshotMonotonic = snapshot.time.monotonicNanoseconds
    self.snapshot.withLock { $0 = snapshot }
  }

  func updateSnapshot(_ update: (inout NodeSnapshot) -> Void) {
    snapshot.withLock { snapshot in
      guard var changed = snapshot.take() else { return }
      update(&changed)
      snapshot = changed
    }
  }

  // From any thread.

  func readClock() -> ClockReading {
    let now = clock.now()
    guard let discipline = discipline.withLock({ $0 }) else {
      preconditionFailure("the node publishes its clock before it takes payments")
    }
    return discipline.reading(
      rawNanoseconds: now.rawNanoseconds, monotonicNanoseconds: now.monotonicNanoseconds)
  }

  /// What this node tells others of the time.
  func servedTime() -> TimeServer.ServedTime {
    let now = clock.now()
    guard let discipline = discipline.withLock({ $0 }) else {
      preconditionFailure("the node publishes its clock before it answers anybody")
    }
    return TimeServer.ServedTime(
      reading: discipline.reading(
        rawNanoseconds: now.rawNanoseconds, monotonicNanoseconds: now.monotonicNanoseconds),
      stratum: discipline.stratum, estimatedNanoseconds: discipline.estimatedNanoseconds)
  }

  func hasSynchronized() -> Bool {
    discipline.withLock { $0?.hasSynchronized ?? false }
  }

  func snapshotIfPublished() -> NodeSnapshot? { snapshot.withLock { $0 } }

  func currentSnapshot() -> NodeSnapshot {
    guard let snapshot = snapshotIfPublished() else {
      preconditionFailure("the core publishes before anybody asks")
    }
    return snapshot
  }
}

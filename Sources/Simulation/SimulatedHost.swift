import Bytes
import ClockSync
import HybridTime
import Ledger
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// One machine: its disk and clocks outlive the processes on it.
final class SimulatedHost {
  /// Place among the hosts, from 0.
  let place: Int
  /// The number that its node goes by now; none is used twice.
  var id: NodeID
  /// The members that its node is told at its start, itself among them.
  var configured: [ClusterMember] = []
  /// Whether it is to be added to a cluster, rather than to begin one.
  var isJoining = false
  /// Whether nobody uses it.
  var isSpare = false
  /// Whether its disk was lost, and its node goes by its old number all the same.
  var isGhost = false
  /// Whom its node talks to.
  var listed: [NodeID] = []
  /// Which disk it has, counted from 0: each has another key.
  var diskNumber = 0
  /// The keys of other nodes that its disk holds.
  var keys: [NodeID: NodeKeys] = [:]
  /// The number of its data directory, 0: nobody knows it yet.
  var store: UInt64 = 0
  /// The members by the log of its node, committed or not.
  var membership = Membership.none
  /// Whether its node had a suspect tail when it was last looked at: it does not vote.
  var isAbstaining = false
  let disk: SimulatedDisk
  var clock: SimulatedClock
  /// What the next process is told.
  var options: NodeOptions
  /// How many processes have been started; names the one that runs.
  var life = 0
  /// The process, or nil while the machine has none.
  var process: SimulatedProcess?
  /// What mends a damaged log, in place of the process.
  var repair: SimulatedRepair?
  /// Until when the process gets no time, nanoseconds.
  var pausedUntil: Int64 = 0
  /// Storage takes so many times as long.
  var diskSlowness: Int64 = 1
  /// The next storage job takes so much longer, nanoseconds.
  var diskHang: Int64 = 0
  /// Why no process can ever start here again.
  var lostReason: String?
  /// Whether its durable bytes were changed, or may be out of order: it may be lost.
  var isSuspect = false
  /// Whether un-synced bytes were lost since the last start: of a write of several batches a later
  /// sector may be there without an earlier one, which looks like damage and is mended like it.
  var mayBeTorn = false
  /// Whether a message that is worth a crash has just left.
  var crashesSoon = false
  /// Whether a start is planned.
  var isStarting = false
  /// The log as the running process holds it, from index 1 on.
  var log: [Batch] = []
  var durability = Durability()
  /// The term that storage was last asked to keep, or found at the start.
  var storedTerm = Term.zero
  /// What the running process reads for its followers, by follower.
  var catchUps: [NodeID: CatchUpQueue] = [:]
  /// The last term that the running process told of.
  var term: Term?
  /// Snapshots whose bytes were changed on disk.
  var damagedSnapshots: Set<SnapshotID> = []
  /// What was changed of the log after that.
  var unvouchedDamage: [UnvouchedDamage] = []
  /// By copy of the hard state, in order of the file, the bytes that one was changed to.
  var rottenCopies: [Int: [UInt8]] = [:]
  /// The index up to which the hard state on disk vouches for the log.
  var vouched = LogIndex.zero

  /// Whether its node decides alone, by its log.
  var isAlone: Bool { membership.voters == [id] && !membership.isJoint }

  /// The number of its data directory as its node tells it to others.
  var helloStore: UInt64 { repair == nil ? store : 0 }

  /// Whether something runs that talks to the others.
  var isUp: Bool { process != nil || repair != nil }

  static let directory = "data"

  init(place: Int, id: NodeID, clock: SimulatedClock, options: NodeOptions, diskSeed: UInt64) {
    self.place = place
    self.id = id
    disk = SimulatedDisk(seed: diskSeed)
    self.clock = clock
    self.options = options
  }
}

/// A running node with its storage.
final class SimulatedProcess {
  var node: Node<SimulatedEnvironment>
  let environment: SimulatedEnvironment
  private var worker: StorageWorker<SimulatedDisk>
  let reader: LogReader<SimulatedDisk>
  var snapshots: SimulatedSnapshots
  let scrub: SimulatedScrub
  /// The group that storage works on.
  var current: [StorageWork] = []
  var isStoring = false
  var isPumpDue = false
  /// What the last look at the node showed.
  var progress: NodeSnapshot
  let started: Int64

  init(
    node: consuming Node<SimulatedEnvironment>, environment: SimulatedEnvironment,
    worker: consuming StorageWorker<SimulatedDisk>, reader: LogReader<SimulatedDisk>,
    snapshots: SimulatedSnapshots, scrub: SimulatedScrub, started: Int64
  ) {
    progress = node.snapshot()
    self.node = node
    self.environment = environment
    self.worker = worker
    self.reader = reader
    self.snapshots = snapshots
    self.scrub = scrub
    self.started = started
  }

  func sealedSegment(_ target: ScrubTarget) -> SealedSegment? { worker.sealedSegment(target) }

  /// Carries out the current group.
  func performCurrent() throws(LogError) -> StorageReport { try worker.perform(current) }
}

/// What a node is given of the world.
final class SimulatedEnvironment: NodeEnvironment {
  private unowned let world: World
  private let host: SimulatedHost
  /// Storage work that waits for the group under way.
  var waiting: [StorageWork] = []
  /// The clock that clients' payments are stamped by.
  private(set) var discipline: ClockDiscipline?
  /// Whether the clock has been compared with others since the start.
  var hasSynchronized: Bool { discipline?.hasSynchronized ?? false }
  /// Why the node must stop.
  private(set) var haltReason: String?

  init(world: World, host: SimulatedHost) {
    self.world = world
    self.host = host
  }

  func hostTime() -> HostTime { host.clock.time(at: world.now) }

  func send(_ message: PeerMessage, to peer: NodeID) { world.send(message, from: host, to: peer) }

  func store(_ work: [StorageWork]) {
    waiting.append(contentsOf: work.compactMap { world.canaried($0) })
    world.logged(work, at: host)
  }

  func readAndSend(_ request: AppendRequest, to peer: NodeID) {
    world.read(request, for: peer, at: host)
  }

  func readAndSend(_ range: LogIndexRange, to peer: NodeID) {
    world.read(range, for: peer, at: host)
  }

  func receive(_ answer: BatchesAnswer, from peer: NodeID) {
    world.scrubAnswered(answer, from: peer, at: host)
  }

  func settle(_ settlements: [PaymentSettlement]) {
    for settlement in settlements { world.settled(settlement) }
  }

  func answerReads(_ answers: [ReadAnswer]) {
    for answer in answers { world.readAnswered(answer, at: host) }
  }

  func answerOperators(_ answers: [OperatorAnswer]) {
    for answer in answers { world.operatorAnswered(answer) }
  }

  func setMembers(_ members: [ClusterMember]) { world.setMembers(members, at: host) }

  func publish(_ discipline: ClockDiscipline) { self.discipline = discipline }

  /// No daemon disciplines a simulated host's clock.
  func kernelClock() -> KernelClock? { nil }

  func askTimeServer(_ server: UInt16, datagram: [UInt8]) {
    world.askServer(Int(server), datagram: datagram, from: host)
  }

  func signed(_ checkpoint: CosignedCheckpoint) { world.signed(checkpoint, at: host) }

  func learned(_ keys: NodeKeys, of node: NodeID) { host.keys[node] = keys }

  func note(_ note: NodeNote) { world.noted(note, at: host) }

  func suspect(_ segment: SegmentID) { host.process?.scrub.plan.suspect(segment) }

  func halt(_ reason: String) { haltReason = haltReason ?? reason }

  /// The clock as clients' tasks read it.
  func readClock() -> ClockReading? {
    let time = hostTime()
    return discipline?.reading(
      rawNanoseconds: time.rawNanoseconds, monotonicNanoseconds: time.monotonicNanoseconds)
  }
}

package import Bytes
import ClockSync
import HostFiles
import HybridTime
import Ledger
package import Logging
import NIOCore
import NIOPosix
import NodeRuntime
import Raft
import Replica
package import SegmentLog
import ServiceLifecycle

/// Why a node did not start. The description tells the operator what to do.
package enum StartProblem: Error, CustomStringConvertible {
  /// Another process has the data directory.
  case directoryTaken(String)
  /// The log cannot be opened as it is.
  case log(LogError)
  /// No node has this batch whole.
  case everyCopyDamaged(LogIndex)
  /// The operator vouches for a log that is damaged, or that nobody doubts.
  case nothingToVouchFor
  /// A file operation failed.
  case file(FileError)
  /// A file of the node's keys is not what a node writes.
  case evidence(path: String)
  /// An address cannot be bound.
  case bind(address: String, reason: String)

  /// A sentence.
  package var description: String {
    switch self {
    case .directoryTaken(let directory):
      "another syncpayd runs on the data directory \(directory)"
    case .log(let error): "the log cannot be opened: \(error.sentence)"
    case .everyCopyDamaged(let index):
      "batch \(index.rawValue) of the log is damaged here, and no other node has it whole: all nodes "
        + "were asked. The cluster cannot go on without it; nothing has been given up. Restore a copy "
        + "of the segment from a backup or an archive into one node's data directory"
    case .nothingToVouchFor:
      "--vouch-for-log is for one start of a node that abstains because its disk lost what it had "
        + "acknowledged; this one does not, or its log is damaged and must be mended first: start it "
        + "without"
    case .file(let error): "\(error)"
    case .evidence(let path):
      "\(path) is not what a node writes. Put it back from a copy; a private key that is lost cannot be"
        + " made again: then the node must come back under a new number"
    case .bind(let address, let reason): "cannot listen on \(address): \(reason)"
    }
  }
}

/// A whole node as a service: recovers its log, joins its cluster, serves HTTP, and on graceful
/// shutdown answers or refuses what is in flight, hands leadership over and flushes.
package struct NodeService: Service {
  private let settings: NodeSettings
  private let logger: Logger

  /// A node that has not been started.
  package init(settings: NodeSettings, logger: Logger) {
    self.settings = settings
    self.logger = logger
  }

  /// Starts the node, and returns when it has been shut down.
  package func run() async throws {
    let running = try await RunningNode.start(settings, logger: logger)
    do {
      try await running.serve()
    } catch {
      await running.stop()
      throw error
    }
    await running.stop()
  }
}

/// A node's parts while it runs.
struct RunningNode: Sendable {
  private let settings: NodeSettings
  private let logger: Logger
  private let group: MultiThreadedEventLoopGroup
  private let pools: NodePools
  private let snapshots: SnapshotQueue
  private let core: NodeCore
  private let environment: LoopEnvironment
  private let timeServers: TimeServerClient
  private let timeServer: TimeServer?
  private let journal: JournalService?
  private let archive: ArchiveService
  private let lock: LockBox

  static func start(_ settings: NodeSettings, logger: Logger) async throws -> RunningNode {
    let lock = try LockBox(settings.dataDirectory)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let pools = NodePools()
    let clock = HostClock(
      rawOffsetMilliseconds: settings[.testRawOffset],
      rawDriftPartsPerMillion: settings[.testRawDrift])
    var recovered = try await recover(settings, loop: loop, clock: clock, logger: logger)
    let transport = PeerTransport(
      loop: loop,
      hello: PeerHello(
        cluster: settings.replica.cluster, node: settings.id, store: recovered.store),
      members: settings.addresses(of: recovered.members), bind: settings.peerBind,
      silenceNanosecondsMax: settings.silenceNanosecondsMax, clock: clock, logger: logger)
    let timeServers = TimeServerClient(
      loop: loop, resolvers: pools.readers, servers: settings.timeServers, clock: clock,
      logger: logger)
    let reader = LogReader(
      PosixFileSystem(), directory: recovered.logDirectory, positions: recovered.positions)
    let storage = StorageQueue(loop: loop, pool: pools.storage, worker: recovered.takeWorker())
    let scrub = ScrubService(
      settings, loop: loop, pool: pools.background, storage: storage, transport: transport,
      clock: clock, last: recovered.positions.last?.index ?? .zero, logger: logger)
    let catchUp = CatchUpReader(
      loop: loop, pool: pools.catchUp, reader: reader, transport: transport, logger: logger,
      met: { scrub.met($0) })
    let snapshots = SnapshotQueue(
      settings, loop: loop, pool: pools.background, reader: reader,
      lastSequence: recovered.snapshotSequence, logger: logger, met: { scrub.met($0) })
    let disk = DiskWatch(settings, loop: loop, pool: pools.readers, logger: logger)
    let evidence = try evidence(
      settings, reader: reader, pool: pools.evidence, logger: logger, met: { scrub.met($0) })
    let identity = settings.identity
    let journal = JournalService(
      settings, loop: loop, pool: pools.evidence, logger: logger)
    let environment = LoopEnvironment(
      clock: clock, transport: transport, storage: storage, reader: reader, readers: pools.readers,
      catchUp: catchUp, scrub: scrub, disk: disk, evidence: evidence, timeServers: timeServers,
      journal: journal, logger: logger,
      names: { identity.name(of: $0) }, haltProcess: { Halt.now($0, logger: logger) })
    let node = Node(
      replica: recovered.takeReplica(), clock: settings.clock,
      epoch: firstEpoch(clock.now()),
      thresholds: settings.thresholds, timing: settings.timing,
      generator: SystemRandomNumberGenerator(), signer: evidence.signer, keys: evidence.keys,
      environment: environment)
    let core = NodeCore(loop: loop, environment: environment, node: node)
    let running = RunningNode(
      settings: settings, logger: logger, group: group, pools: pools, snapshots: snapshots,
      core: core, environment: environment, timeServers: timeServers,
      timeServer: settings.timeBind.map {
        TimeServer(loop: loop, address: $0) { environment.servedTime() }
      },
      journal: journal,
      archive: ArchiveService(
        loop: loop, pool: pools.background, log: recovered.logDirectory,
        archive: settings.archiveDirectory, environment: environment, logger: logger),
      lock: lock)
    try await running.connect()
    try await running.serveTime()
    return running
  }
}

extension RunningNode {
  /// Lets the parts talk to each other and to the peers, and starts them.
  private func connect() async throws {
    let (transport, storage, disk) = (environment.transport, environment.storage, environment.disk)
    do {
      try await core.loop.flatSubmit { [self] () -> EventLoopFuture<Void> in
        transport.delegate = core
        storage.report = { result in
          core.stored(result)
          if case .success(let report) = result { snapshots.sealed(report.sealed) }
        }
        disk.changed = { room in
          storage.hold(room.isExhausted)
          journal?.isHeld = room.isShort
          snapshots.isHeld = room.isShort
          core.setDiskShort(room.isShort)
        }
        timeServers.answered = { core.timeServerAnswered($0, $1, $2) }
        return transport.start().map {
          core.start()
          archive.start()
          journal?.start(
            environment.readClock(), lastIndex: environment.currentSnapshot().last.index)
        }
      }.get()
    } catch {
      await stop()
      throw StartProblem.bind(address: "\(settings.peerBind)", reason: "\(error)")
    }
  }

  /// Answers NTP requests, where the settings say so.
  private func serveTime() async throws {
    guard let timeServer, let address = settings.timeBind else { return }
    do { try await core.loop.flatSubmit { timeServer.start() }.get() } catch {
      await stop()
      throw StartProblem.bind(address: "\(address) (UDP)", reason: "\(error)")
    }
  }

  /// What the node keeps and gives of evidence.
  private static func evidence(
    _ settings: NodeSettings, reader: LogReader<PosixFileSystem>, pool: NIOThreadPool,
    logger: Logger, met: @escaping @Sendable (LogError) -> Void
  ) throws -> EvidenceDesk {
    do throws(EvidenceProblem) {
      return try EvidenceDesk(
        EvidenceDirectory(
          PosixFileSystem(), dataDirectory: settings.dataDirectory,
          cluster: settings.replica.cluster, node: settings.id),
        node: settings.id, reader: reader, pool: pool, logger: logger, met: met)
    } catch .file(let error) {
      throw StartProblem.file(error)
    } catch .malformed(let path) {
      throw StartProblem.evidence(path: path)
    }
  }

  /// The node from its disk; where that is damaged, first the log is made whole.
  private static func recover(
    _ settings: NodeSettings, loop: any EventLoop, clock: HostClock, logger: Logger
  ) async throws -> NodeRecovery<PosixFileSystem> {
    do {
      let recovery = try NodeRecovery(settings, logger: logger)
      guard recovery.wasVouchedFor || !settings.isLogVouchedFor else {
        throw StartProblem.nothingToVouchFor
      }
      return recovery
    } catch let error as StartProblem {
      guard case .log(let damage) = error, damage.mayBeMended else { throw error }
      // Nobody has looked at what is missing now: the operator's word is not about that.
      guard !settings.isLogVouchedFor else { throw StartProblem.nothingToVouchFor }
      logger.error("the log is damaged", metadata: ["error": "\(damage.sentence)"])
    }
    try await RepairService.run(settings, loop: loop, clock: clock, logger: logger)
    return try NodeRecovery(settings, logger: logger)
  }

  /// Epochs of a later run are greater than those of an earlier one, unless the system clock was
  /// set back by as long: they are counted up from the seconds since 2026.
  private static func firstEpoch(_ now: HostTime) -> UInt32 {
    let start2026: Int64 = 1_767_225_600
    return UInt32(clamping: now.rawNanoseconds / 1_000_000_000 - start2026)
  }

  /// Serves clients until graceful shutdown.
  func serve() async throws {
    await waitForClock()
    let threads = settings[.httpThreads]
    let httpGroup = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let gateway = ReplicaGateway(
      identity: settings.identity, core: core, environment: environment,
      electionMilliseconds: settings[.electionMax],
      answerMilliseconds: settings[.answerMilliseconds])
    let clock = environment.clock
    let server = try makeHTTPServer(
      configuration: settings.http, gateway: gateway, eventLoopGroup: httpGroup,
      wallNanoseconds: { clock.now().rawNanoseconds }, logger: logger,
      onRunning: { port in
        logger.notice(
          "ready",
          metadata: [
            "node": "\(settings.name)", "http": "\(settings.httpHost):\(port)",
            "peers": "\(settings.peerBind)", "data": "\(settings.dataDirectory)",
          ])
      })
    do {
      try await server.run()
    } catch {
      try? await httpGroup.shutdownGracefully()
      throw StartProblem.bind(
        address: "\(settings.httpHost):\(settings[.httpPort])", reason: "\(error)")
    }
    try await httpGroup.shutdownGracefully()
  }

  /// Gives the clock a moment to be compared with the peers', so that the first payments are not
  /// stamped by a clock that nobody has looked at. A node that has nobody to compare it with does not
  /// wait.
  private func waitForClock() async {
    let others = environment.currentSnapshot().members.filter { $0.id != settings.id }
    guard !others.isEmpty || !settings.timeServers.isEmpty else { return }
    for _ in 0..<Self.clockWaitSteps where !environment.hasSynchronized() {
      try? await Task.sleep(for: .milliseconds(Self.clockWaitMilliseconds))
    }
  }

  private static let clockWaitSteps = 30
  private static let clockWaitMilliseconds = 50

  /// Ends the node: hands leadership over, makes everything durable, closes all sockets.
  func stop() async {
    logger.notice("stopping", metadata: ["node": "\(settings.name)"])
    let loop = core.loop
    try? await loop.submit { core.drain() }.get()
    for _ in 0..<Self.drainSteps {
      let snapshot = environment.snapshotIfPublished()
      guard let snapshot, snapshot.role == .leader || snapshot.pendingCount > 0,
        snapshot.membership.members.count > 1
      else { break }
      try? await Task.sleep(for: .milliseconds(Self.drainStepMilliseconds))
    }
    try? await loop.flatSubmit { environment.storage.drained() }.get()
    try? await loop.flatSubmit {
      core.stop()
      archive.stop()
      timeServers.close()
      timeServer?.close()
      return environment.transport.close()
    }.get()
    try? await loop.flatSubmit { () -> EventLoopFuture<Void> in
      journal?.stop(environment.readClock()) ?? loop.makeSucceededVoidFuture()
    }.get()
    if let last = environment.snapshotIfPublished() {
      try? await loop.flatSubmit { snapshots.stop(last) }.get()
    }
    await pools.stop()
    try? await group.shutdownGracefully()
    logger.notice("stopped", metadata: ["node": "\(settings.name)"])
  }

  private static let drainSteps = 150
  private static let drainStepMilliseconds = 20
}

/// The threads that may wait for the disk, so that the event loop never does.
private struct NodePools: Sendable {
  /// Writes the log.
  let storage = started(1)
  /// Clients' reads.
  let readers = started(2)
  /// Reads for nodes that are behind.
  let catchUp = started(1)
  /// Looks through segments, and writes snapshots.
  let background = started(1)
  /// Makes proofs, and writes what is signed.
  let evidence = started(1)

  private static func started(_ threadCount: Int) -> NIOThreadPool {
    let pool = NIOThreadPool(numberOfThreads: threadCount)
    pool.start()
    return pool
  }

  /// Ends all of them when they have done what they were given.
  func stop() async {
    for pool in [evidence, background, storage, readers, catchUp] {
      try? await pool.shutdownGracefully()
    }
  }
}

extension DiskWatch {
  /// The watch of a node with these settings.
  fileprivate convenience init(
    _ settings: NodeSettings, loop: any EventLoop, pool: NIOThreadPool, logger: Logger
  ) {
    self.init(
      loop: loop, pool: pool, directory: settings.dataDirectory,
      reserveByteCount: UInt64(settings[.storageReserve]), logger: logger)
  }
}

extension ScrubService {
  /// The scrub of a node with these settings, whose log ends with `last`: its first pass begins
  /// anywhere.
  fileprivate convenience init(
    _ settings: NodeSettings, loop: any EventLoop, pool: NIOThreadPool,
    storage: StorageQueue<PosixFileSystem>, transport: PeerTransport, clock: HostClock,
    last: LogIndex, logger: Logger
  ) {
    self.init(
      loop: loop, pool: pool, storage: storage, transport: transport, clock: clock,
      logDirectory: settings.dataDirectory + "/log",
      plan: ScrubPlan(
        bytesPerSecond: UInt64(settings[.scrubBytes]),
        pauseNanoseconds: Int64(settings[.scrubPause]) * 1_000_000_000,
        position: LogIndex(UInt64.random(in: 0...last.rawValue)),
        at: clock.now().monotonicNanoseconds),
      logger: logger)
  }
}

extension NodeSettings {
  /// Where members are: as this node's configuration says, which an operator can change, or else as
  /// the log does.
  func addresses(of members: [ClusterMember]) -> [(id: NodeID, address: HostPort)] {
    members.compactMap { member in
      let configured = self.members.first { $0.id == member.id }?.address
      return (configured ?? HostPort(member.peerAddress)).map { (member.id, $0) }
    }
  }

  var identity: NodeIdentity {
    guard let rules = PaymentRules(amountUnitsMax: Int64(self[.paymentUnitsMax])) else {
      preconditionFailure("the setting's range is the rules'")
    }
    var names = Dictionary(
      uniqueKeysWithValues: members.map { ($0.id, "node\($0.id.rawValue)") })
    names[id] = name
    return NodeIdentity(
      id: id, name: name, clusterName: clusterName, rules: rules, nodeNames: names)
  }

  var http: HTTPServerConfiguration {
    var http = HTTPServerConfiguration()
    http.host = httpHost
    http.port = self[.httpPort]
    http.connectionsMax = self[.httpConnectionsMax]
    http.bodyByteCountMax = self[.httpBodyBytesMax]
    http.idleNanosecondsMax = Int64(self[.httpIdleSeconds]) * 1_000_000_000
    return http
  }
}

extension SnapshotQueue {
  /// The queue of a node with these settings, whose newest snapshot ends with `lastSequence`.
  fileprivate convenience init(
    _ settings: NodeSettings, loop: any EventLoop, pool: NIOThreadPool,
    reader: LogReader<PosixFileSystem>, lastSequence: EventSequence, logger: Logger,
    met: @escaping @Sendable (LogError) -> Void
  ) {
    let directory = SnapshotDirectory(
      PosixFileSystem(), dataDirectory: settings.dataDirectory,
      clusterID: settings.replica.cluster)
    self.init(
      loop: loop, pool: pool,
      builder: SnapshotBuilder(
        directory, reader: reader, configuration: settings.replica, met: met),
      schedule: SnapshotSchedule(
        eventsMin: UInt64(settings[.snapshotEvents]), lastSequence: lastSequence),
      logger: logger, halt: { Halt.now($0, logger: logger) })
  }
}

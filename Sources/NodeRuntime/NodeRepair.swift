package import Bytes
package import Ledger
import Raft
package import Replica
package import SegmentLog

/// Makes a node's damaged log whole with the other nodes' batches, before the node takes part in
/// anything (Alagappan et al., "Protocol-aware recovery for consensus-based storage", FAST '18).
///
/// Until then it neither votes nor acknowledges: it cannot know what it had promised. It gives its
/// own whole batches to others in the same state, so that different damage on every node heals.
///
/// One thread drives it: ``tick()`` every tick, ``receive(_:from:)`` for every message. When
/// ``state`` is ``State/whole``, the node is started as always.
package struct NodeRepair<FileSystem: LogFileSystem>: ~Copyable {
  /// What has become of it.
  package enum State: Hashable, Sendable {
    /// It asks.
    case underway
    /// The log can be opened.
    case whole
    /// No node has the batch whole, and all have been asked: some payments are lost for good, or
    /// only a copy elsewhere has them. An operator must decide; nothing is given up silently.
    case hopeless(LogIndex)
  }

  /// What a peer has said about the batch that is missing next.
  private enum Word: Equatable {
    case nothing
    case cannot(BatchesProblem)
  }

  private struct Source {
    let peer: NodeID
    /// Whether it is a member by the last configuration that is known to be committed, or by a later
    /// one: nothing is given up before it has answered.
    let isDecisive: Bool
    var isConnected = false
    var word = Word.nothing
    /// Ticks since it was asked, nil while it need not answer.
    var askedTicks: Int?
    /// Whether it was asked for committed batches only.
    var mustBeCommitted = false
  }

  /// A peer that does not answer for so long is asked again.
  private static var patienceTicks: Int { 100 }
  /// A batch that no node has whole is asked for again for so long: nodes that run mend their logs,
  /// too, and may have it soon.
  private static var hopeTicks: Int { 500 }

  private let files: FileSystem
  private let directory: String
  private let logDirectory: String
  private let options: RecoveryOptions
  private let clusterID: ClusterID
  private var log: LogRepair<FileSystem>
  private var sources: [Source]
  private var distrusting: Set<LogIndex> = []
  /// Missing batches for which somebody has given others than fit: only committed ones will do.
  private var disputed: Set<LogIndex> = []
  /// Who was asked last: the next one comes after it.
  private var lastAsked: Int?
  private var tickCount = 0
  /// When all had said that they do not have the batch whole.
  private var lostSince: Int?
  /// The batch that the words of the sources are about.
  private var askedIndex: LogIndex?
  /// What has become of it.
  package private(set) var state = State.underway
  /// What was found damaged, in the order of the log.
  package let stretches: [DamagedStretch]
  /// Everybody who may have what is missing: the members by the configuration, by the newest
  /// snapshot, and by every change of members that is whole in the log.
  package let members: [ClusterMember]

  /// Inspects the log in `directory`, notes in the hard state if its tail may have been lost, and
  /// mends what needs nobody's help.
  ///
  /// Errors: files, and logs that no peer can help: another cluster's, a newer version's, or one
  /// without its hard state.
  package static func begin(
    _ files: FileSystem, directory: String, configuration: ReplicaConfiguration
  ) throws(LogError) -> NodeRepair {
    let logDirectory = directory + "/log"
    let hardState = try HardStateFile(
      files, directory: directory, clusterID: configuration.cluster, logIsEmpty: false)
    var durable = hardState.state.knownDurable
    var members = configuration.members
    var decisive = Set(members.map(\.id))
    let snapshots = SnapshotDirectory(
      files, dataDirectory: directory, clusterID: configuration.cluster)
    if let snapshot = snapshots.newest({ _ in }) {
      // What it holds was durable here, too.
      durable = max(durable, snapshot.point.applied.index)
      let recovery = snapshot.recovery(configuration, knownCommitted: durable)
      decisive = Set(recovery.members.map(\.id))
      Self.add(recovery.members, to: &members)
    }
    let first = try LogRepair.inspect(
      files, directory: logDirectory, clusterID: configuration.cluster,
      recovery: RecoveryOptions(knownDurable: durable))
    for index in first.memberChanges {
      guard let change = try first.batch(at: index)?.membershipChange else { continue }
      // Who left before what is committed for sure may have been gone for years.
      if index <= max(durable, first.vouchedCommit) { decisive.removeAll() }
      decisive.formUnion(change.members.map(\.id))
      Self.add(change.members, to: &members)
    }
    // And what the batches that are whole say to be committed.
    let options = RecoveryOptions(knownDurable: max(durable, first.vouchedCommit))
    var repair = NodeRepair(
      files, directory, configuration, options, members: members, decisive: decisive,
      log: try LogRepair.inspect(
        files, directory: logDirectory, clusterID: configuration.cluster, recovery: options))
    try repair.noteSuspicion()
    try repair.mend([])
    if let missing = repair.log.nextMissing { try repair.giveUpIfAllCannot(at: missing) }
    return repair
  }

  private static func add(_ more: [ClusterMember], to members: inout [ClusterMember]) {
    for member in more {
      if let place = members.firstIndex(where: { $0.id == member.id }) {
        members[place] = member
      } else {
        members.append(member)
      }
    }
  }

  private init(
    _ files: FileSystem, _ directory: String, _ configuration: ReplicaConfiguration,
    _ options: RecoveryOptions, members: [ClusterMember], decisive: Set<NodeID>,
    log: consuming LogRepair<FileSystem>
  ) {
    self.files = files
    self.directory = directory
    logDirectory = directory + "/log"
    clusterID = configuration.cluster
    self.options = options
    self.members = members
    stretches = log.stretches
    sources = members.map(\.id).filter { $0 != configuration.raft.id }.sorted()
      .map { Source(peer: $0, isDecisive: decisive.contains($0)) }
    self.log = log
  }

  /// Writes down that the log's tail may be lost, before anything of it is changed.
  private func noteSuspicion() throws(LogError) {
    guard log.isTailSuspect else { return }
    var hardState = try HardStateFile(
      files, directory: directory, clusterID: clusterID, logIsEmpty: false)
    var remembered = hardState.state
    guard !remembered.isTailSuspect else { return }
    remembered.isTailSuspect = true
    try hardState.write(remembered)
  }

  /// One tick has passed: what is to be asked, and of whom.
  package mutating func tick() -> [(message: PeerMessage, to: NodeID)] {
    tickCount += 1
    guard state == .underway, let missing = log.nextMissing else { return [] }
    if askedIndex != missing {
      askedIndex = missing
      lostSince = nil
      for place in sources.indices {
        sources[place].word = .nothing
        sources[place].askedTicks = nil
      }
    }
    for place in sources.indices {
      sources[place].askedTicks = sources[place].askedTicks.map { $0 + 1 }
      guard let ticks = sources[place].askedTicks, ticks > Self.patienceTicks else { continue }
      // Who could not help may be able to by now.
      sources[place].askedTicks = nil
      sources[place].word = .nothing
    }
    guard !sources.contains(where: { $0.askedTicks != nil && $0.word == .nothing }),
      let place = nextSource()
    else { return [] }
    let isDisputed = disputed.contains(missing)
    let next = log.nextRequest { stretch in stretch?.lastHash == nil || isDisputed }
    guard let request = next else { return [] }
    lastAsked = place
    sources[place].askedTicks = 0
    sources[place].mustBeCommitted = request.mustBeCommitted
    return [(.batchesRequest(request), sources[place].peer)]
  }

  /// Who is to be asked: all in turn, so that one who never answers holds up nobody.
  private func nextSource() -> Int? {
    let start = lastAsked.map { $0 + 1 } ?? 0
    return sources.indices.map { ($0 + start) % sources.count }
      .first { sources[$0].isConnected && sources[$0].askedTicks == nil }
  }

  /// A connection to the peer is up, or broke.
  package mutating func setConnected(_ peer: NodeID, _ isConnected: Bool) {
    guard let place = sources.firstIndex(where: { $0.peer == peer }) else { return }
    sources[place].isConnected = isConnected
    if sources[place].word == .nothing { sources[place].askedTicks = nil }
  }

  /// Takes batches, and gives what other damaged nodes ask for; all else is for a node that takes
  /// part, and dropped.
  package mutating func receive(
    _ message: PeerMessage, from peer: NodeID
  ) throws(LogError) -> [(message: PeerMessage, to: NodeID)] {
    switch message {
    case .batchesRequest(let request):
      return try answer(request).map { [(.batches($0), peer)] } ?? []
    case .batches(let answer):
      try take(answer, from: peer)
      return []
    case .raft, .append, .forward, .forwardRefused, .clockRequest, .clockResponse,
      .operatorRequest, .operatorResponse, .digest, .storeRefused, .checkpoint:
      return []
    }
  }

  /// What is whole here, for another damaged node; nil where this one cannot say yet.
  private func answer(_ request: BatchesRequest) throws(LogError) -> BatchesAnswer? {
    let isCommitted = request.first <= options.knownDurable
    if let batch = try log.batch(at: request.first) {
      // Only a node that runs knows more of the end than the hard state does.
      return request.mustBeCommitted && !isCommitted
        ? nil : BatchesAnswer(first: request.first, batches: [batch])
    }
    // What has been mended is served again once the log is open.
    guard log.nextMissing.map({ request.first >= $0 }) ?? false else { return nil }
    let isDamaged = log.stretches.contains { $0.missing?.contains(request.first) == true }
    return BatchesAnswer(
      first: request.first, problem: isCommitted ? .lost : isDamaged ? .damaged : .absent)
  }

  private mutating func take(_ answer: BatchesAnswer, from peer: NodeID) throws(LogError) {
    guard state == .underway, answer.first == log.nextMissing,
      let place = sources.firstIndex(where: { $0.peer == peer })
    else { return }
    if let problem = answer.problem {
      sources[place].word = .cannot(problem)
      sources[place].askedTicks = 0
      try giveUpIfAllCannot(at: answer.first)
      return
    }
    sources[place].askedTicks = nil
    if try !mend(answer.batches, areCommitted: sources[place].mustBeCommitted) {
      disputed.insert(answer.first)
      askedIndex = log.nextMissing
      sources[place].word = .nothing
    }
  }

  /// All other nodes have answered, and none has the batch: none of them can ever commit it, and
  /// if none knows it to be committed it was never acknowledged, and goes; or else it is lost.
  ///
  /// It goes without a doubt cast on this node's votes: two nodes that a power failure left with the
  /// same torn write would otherwise never elect anybody again.
  private mutating func giveUpIfAllCannot(at index: LogIndex) throws(LogError) {
    let isOpen = sources.contains { $0.word == .nothing && ($0.isDecisive || $0.isConnected) }
    guard !isOpen else { return }
    let isKnownNowhere = sources.allSatisfy { $0.word != .cannot(.lost) }
    guard isKnownNowhere else {
      let since = lostSince ?? tickCount
      lostSince = since
      if sources.isEmpty || tickCount - since >= Self.hopeTicks { state = .hopeless(index) }
      return
    }
    do throws(LogError) {
      try log.endBeforeMissing()
      state = .whole
    } catch {
      guard case .notCuttable = error else { throw error }
      state = .hopeless(index)
    }
  }

  /// Writes what fits. False where the batches do not fit what is whole here: only committed ones
  /// can say that this is wrong, others may themselves be of a history that was given up.
  @discardableResult
  private mutating func mend(
    _ batches: [Batch], areCommitted: Bool = true
  ) throws(LogError) -> Bool {
    var fits = true
    do throws(LogError) {
      try log.mend(batches)
    } catch {
      switch error {
      case .outOfOrder, .brokenChain: fits = false
      case .contradicted(let index):
        if areCommitted { distrusting.insert(index) } else { fits = false }
      default: throw error
      }
      try inspect()
    }
    if log.isWhole { state = .whole }
    return fits
  }

  private mutating func inspect() throws(LogError) {
    log = try LogRepair.inspect(
      files, directory: logDirectory, clusterID: clusterID, recovery: options,
      distrusting: distrusting)
    askedIndex = nil
    try noteSuspicion()
    // What needs no batches is done at once.
    try log.mend([])
    if log.isWhole { state = .whole }
  }
}

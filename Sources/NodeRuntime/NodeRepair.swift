package import Bytes
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
    var isConnected = false
    var word = Word.nothing
    /// Ticks since it was asked, nil while it need not answer.
    var askedTicks: Int?
  }

  /// A peer that does not answer for so long is asked again.
  private static var patienceTicks: Int { 100 }
  /// Most batches in one request.
  private static var requestCountMax: UInt64 { 512 }

  private let files: FileSystem
  private let logDirectory: String
  private let options: RecoveryOptions
  private let clusterID: ClusterID
  private var log: LogRepair<FileSystem>
  private var sources: [Source]
  private var distrusting: Set<LogIndex> = []
  /// The batch that the words of the sources are about.
  private var askedIndex: LogIndex?
  /// What has become of it.
  package private(set) var state = State.underway
  /// What was found damaged, in the order of the log.
  package let stretches: [DamagedStretch]

  /// Inspects the log in `directory`, notes in the hard state if its tail may have been lost, and
  /// mends what needs nobody's help.
  ///
  /// `peers` are the other members. Errors: files, and logs that no peer can help: another
  /// cluster's, a newer version's, or one without its hard state.
  package static func begin(
    _ files: FileSystem, directory: String, configuration: ReplicaConfiguration, peers: [NodeID]
  ) throws(LogError) -> NodeRepair {
    let logDirectory = directory + "/log"
    var hardState = try HardStateFile(
      files, directory: directory, clusterID: configuration.cluster, logIsEmpty: false)
    var remembered = hardState.state
    // What a snapshot holds was durable here, too.
    let snapshot = SnapshotDirectory(
      files, dataDirectory: directory, clusterID: configuration.cluster
    ).newest { _ in }?.point.applied.index
    let options = RecoveryOptions(
      knownDurable: max(remembered.knownDurable, snapshot ?? .zero))
    let log = try LogRepair.inspect(
      files, directory: logDirectory, clusterID: configuration.cluster, recovery: options)
    if log.isTailSuspect && !remembered.isTailSuspect {
      remembered.isTailSuspect = true
      try hardState.write(remembered)
    }
    var repair = NodeRepair(
      files, logDirectory, configuration.cluster, options, log: log,
      peers: peers.filter { $0 != configuration.raft.id })
    try repair.mend([])
    if let missing = repair.log.nextMissing { try repair.giveUpIfAllCannot(at: missing) }
    return repair
  }

  private init(
    _ files: FileSystem, _ logDirectory: String, _ clusterID: ClusterID,
    _ options: RecoveryOptions, log: consuming LogRepair<FileSystem>, peers: [NodeID]
  ) {
    self.files = files
    self.logDirectory = logDirectory
    self.clusterID = clusterID
    self.options = options
    stretches = log.stretches
    sources = peers.sorted().map { Source(peer: $0) }
    self.log = log
  }

  /// One tick has passed: what is to be asked, and of whom.
  package mutating func tick() -> [(message: PeerMessage, to: NodeID)] {
    guard state == .underway, let missing = log.nextMissing else { return [] }
    if askedIndex != missing {
      askedIndex = missing
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
      let place = sources.firstIndex(where: { $0.isConnected && $0.askedTicks == nil })
    else { return [] }
    sources[place].askedTicks = 0
    let stretch = stretch(of: missing)
    let end = stretch?.missing?.upperBound ?? missing
    let last = LogIndex(min(end.rawValue, missing.rawValue + Self.requestCountMax - 1))
    let request = BatchesRequest(
      first: missing, last: max(last, missing), mustBeCommitted: stretch?.lastHash == nil)
    return [(.batchesRequest(request), sources[place].peer)]
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
      .operatorRequest, .operatorResponse, .digest, .storeRefused:
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
    try mend(answer.batches)
  }

  /// All other nodes have answered, and none has the batch: none of them can ever commit it, and
  /// if none knows it to be committed it was never acknowledged, and goes; or else it is lost.
  ///
  /// HAZARD: "all" are the members by the configuration file. One that is missing there, and holds
  /// the only whole copy of a batch that was committed within the last second before all stopped,
  /// is not asked.
  private mutating func giveUpIfAllCannot(at index: LogIndex) throws(LogError) {
    guard sources.allSatisfy({ $0.word != .nothing }) else { return }
    let isKnownNowhere = sources.allSatisfy { $0.word != .cannot(.lost) }
    guard isKnownNowhere, index > options.knownDurable,
      stretch(of: index)?.missing?.lowerBound == index
    else {
      state = .hopeless(index)
      return
    }
    let damaged = try LogRepair.inspect(
      files, directory: logDirectory, clusterID: clusterID, recovery: options,
      distrusting: distrusting)
    do throws(LogError) {
      try damaged.cut(from: index)
    } catch {
      guard case .notCuttable = error else { throw error }
      state = .hopeless(index)
      return
    }
    try inspect()
  }

  private mutating func mend(_ batches: [Batch]) throws(LogError) {
    do throws(LogError) {
      try log.mend(batches)
    } catch {
      switch error {
      case .outOfOrder, .brokenChain: break
      case .contradicted(let index): distrusting.insert(index)
      default: throw error
      }
      try inspect()
    }
    if log.isWhole { state = .whole }
  }

  private mutating func inspect() throws(LogError) {
    log = try LogRepair.inspect(
      files, directory: logDirectory, clusterID: clusterID, recovery: options,
      distrusting: distrusting)
    askedIndex = nil
    // What needs no batches is done at once.
    try log.mend([])
    if log.isWhole { state = .whole }
  }

  private func stretch(of index: LogIndex) -> DamagedStretch? {
    log.stretches.first { $0.missing?.contains(index) == true }
  }
}

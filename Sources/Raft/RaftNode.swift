package import Bytes

/// One node's part in consensus, as a value: inputs in, effects out (Ongaro & Ousterhout, "In search
/// of an understandable consensus algorithm", extended version; Ongaro's thesis).
///
/// The core knows only the index and term of entries; the caller holds their payloads, the disk, the
/// network and the clock. It keeps these promises whatever the network does and whenever the node
/// stops, as long as the caller carries out the effects as ``RaftEffect`` says:
/// at most one leader per term, logs that agree wherever they hold the same entry, and committed
/// entries that every later leader holds (Raft figure 3).
///
/// Beyond figure 2 it has pre-votes (thesis §9.6), refuses votes while it hears a leader (§4.2.3),
/// steps down as a leader that does not hear a majority (§6.2), hands leadership over (§3.10), and
/// writes its own log in parallel with its followers (§10.2.1), changes its members through joint
/// configurations (Raft §6), and answers for linearizable reads (§6.4).
package struct RaftNode: Sendable {
  /// Highest term taken from a peer, so that counting on from it cannot overflow.
  package static let termMax = Term(1 << 62)

  /// What the node was told at its start.
  package let configuration: RaftConfiguration
  /// The configurations of the log.
  package internal(set) var memberships: MembershipLog
  /// The one in use, as this node counts in it.
  package internal(set) var roster: Roster
  /// Term and vote. Every change leaves as ``RaftEffect/persistHardState(_:)`` in the same step.
  package internal(set) var hardState: HardState
  /// The terms of the log, what is not yet durable included.
  package internal(set) var log: RaftLogTerms
  /// Highest place known to be committed. Never falls. Invariant: `commit <= last.index`.
  package internal(set) var commit: LogIndex
  /// Highest place reported durable here. Invariant: `durable <= last.index`.
  package internal(set) var durable: LogIndex
  /// Lowest place from which entries were dropped since the start.
  var droppedFrom = LogIndex(.max)
  /// Highest term of an entry dropped since the start. Lower than the term of the leader that made
  /// this node drop it.
  var droppedTerm = Term.zero
  /// A term up to which this node may have acknowledged entries that its disk lost: until it holds
  /// a durable entry of a later term, it neither votes nor campaigns (``init``). Nil: no such loss.
  package internal(set) var distrusted: Term?
  /// Ticks since the start, or since a leader was last followed, whichever is later; counted up to
  /// `electionTicksMin`.
  var ticksSinceLeader = 0
  /// Messages no correct peer sends, by kind.
  package internal(set) var faults = RaftFaults()

  /// What the node is.
  var state: RaftState
  /// When it campaigns. Rests while it leads.
  var timer: ElectionTimer
  /// The last role, term and leader reported by an effect.
  private var reported: Report
  /// What became of the hard state in this step.
  private var hardStateChange = HardStateChange.none

  private struct Report: Equatable {
    var role: RaftRole
    var term: Term
    var leader: NodeID?
  }

  private enum HardStateChange {
    case none
    case pending
    case emitted
  }

  /// A node as its storage remembers it, a follower that knows no leader. All of `log` is durable;
  /// `commit` may be lower than it once was; a caller that remembers it across restarts remembers
  /// the lower of ``commit`` and ``durable``.
  ///
  /// `memberships` are the configurations that the log holds, nil where it holds none.
  ///
  /// `distrusted` is the highest term in which the node may have acknowledged entries that its disk
  /// has lost. Every leader of a later term is elected without its vote, so that leader's majority
  /// meets every majority that this node was part of in another node, which knows the entries; once
  /// this node holds an entry of such a leader, it holds again whatever was committed (Raft §5.4.3
  /// holds with the lost acknowledgements left out).
  ///
  /// Preconditions, the caller's to ensure: `commit` is within `log`, `hardState.term` is not
  /// before the log's last term, and, where there is a `distrusted` term, after that.
  package init(
    configuration: RaftConfiguration, hardState: HardState, log: RaftLogTerms, commit: LogIndex,
    memberships: MembershipLog? = nil, distrusted: Term? = nil, random seed: UInt64
  ) {
    precondition(commit <= log.last.index, "commit is within the log")
    precondition(hardState.term >= log.last.term, "the term was durable before its entries")
    precondition(hardState.term > distrusted ?? .zero || distrusted == nil, "a term of its own")
    self.configuration = configuration
    let memberships = memberships ?? MembershipLog(initial: configuration.initial)
    precondition(memberships.current.index <= log.last.index, "configurations are of the log")
    self.memberships = memberships
    roster = Roster(memberships.current.membership, own: configuration.id)
    // Where the cluster began with this node alone and still is, nobody else ever led.
    if roster.isAlone && memberships.current.index == .zero {
      ticksSinceLeader = configuration.electionTicksMin
    }
    self.distrusted = distrusted.flatMap { $0 < log.last.term ? nil : $0 }
    self.hardState = hardState
    self.log = log
    self.commit = commit
    durable = log.last.index
    state = .follower(FollowerState())
    timer = ElectionTimer(
      limits: configuration.electionTicksMin...configuration.electionTicksMax, seed: seed)
    reported = Report(role: .follower, term: hardState.term, leader: nil)
  }

  /// This node's number.
  package var id: NodeID { configuration.id }
  /// What the node is.
  package var role: RaftRole { state.role }
  /// Who takes part, by the latest configuration in the log.
  package var membership: Membership { memberships.current.membership }
  /// The latest term the node has seen.
  package var term: Term { hardState.term }
  /// The last entry of the log, durable or not; ``EntryID/zero`` when there is none.
  package var last: EntryID { log.last }

  /// The leader of this term as far as this node knows.
  package var leader: NodeID? {
    switch state {
    case .follower(let follower): follower.leader
    case .preCandidate, .candidate: nil
    case .leader: id
    }
  }

  /// Whether the node leads and is handing over: proposals are dropped.
  package var isTransferring: Bool {
    if case .leader(let leader) = state { leader.transfer != nil } else { false }
  }

  /// What a leader knows of all members, itself included, by number; empty on other nodes. For
  /// status: allocates.
  package var progress: [PeerProgress] {
    guard case .leader(let leader) = state else { return [] }
    return zip(roster.ids, leader.progress).map { id, progress in
      PeerProgress(
        id: id, match: progress.match, next: progress.next, flow: progress.flow,
        inFlightMessages: progress.window.count, ticksSilent: progress.ticksSilent)
    }
  }

  /// The term of the entry at `index`: ``Term/zero`` at 0, nil beyond the end of the log.
  package func term(at index: LogIndex) -> Term? { log.term(at: index) }

  /// Takes one input and adds what the caller must do to `effects`, in order.
  package mutating func step(_ input: RaftInput, into effects: inout [RaftEffect]) {
    hardStateChange = .none
    switch input {
    case .tick: tick(into: &effects)
    case .receive(let message, let sender): receive(message, from: sender, into: &effects)
    case .propose(let count): propose(count: count, into: &effects)
    case .proposeMembership(let membership): propose(membership, into: &effects)
    case .read(let context, let overdue):
      read(context: context, ticksOverdue: overdue, into: &effects)
    case .persisted(let entry): persisted(entry, into: &effects)
    case .transferLeadership(let target): transferLeadership(to: target, into: &effects)
    case .unreachable(let peer): unreachable(peer)
    }
    emitHardState(into: &effects)
    assertInvariants()
  }

  // MARK: What all roles share

  /// Remembers a term and vote; the effect leaves before anything that depends on it.
  mutating func setHardState(_ new: HardState) {
    precondition(new.term >= hardState.term, "terms never fall")
    guard new != hardState else { return }
    hardState = new
    hardStateChange = .pending
  }

  /// Emits the hard state if it changed in this step and was not emitted yet.
  mutating func emitHardState(into effects: inout [RaftEffect]) {
    guard hardStateChange == .pending else { return }
    effects.append(.persistHardState(hardState))
    hardStateChange = .emitted
  }

  /// Sends an answer that promises nothing, at once unless this step changed the hard state.
  ///
  /// A change of an earlier step may still be on its way to the disk. That is safe: such an answer
  /// tells of a term without binding this node in it.
  mutating func answer(_ message: RaftMessage, to peer: NodeID, into effects: inout [RaftEffect]) {
    if hardStateChange == .none {
      effects.append(.send(message, to: peer))
    } else {
      promise(message, to: peer, into: &effects)
    }
  }

  /// Sends what must be true even if this node stops right after: after all writes so far.
  mutating func promise(_ message: RaftMessage, to peer: NodeID, into effects: inout [RaftEffect]) {
    emitHardState(into: &effects)
    effects.append(.sendAfterPersist(message, to: peer))
  }

  /// Tells the caller if role, term or leader changed.
  mutating func reportRole(into effects: inout [RaftEffect]) {
    let now = Report(role: role, term: term, leader: leader)
    guard now != reported else { return }
    reported = now
    effects.append(.roleChanged(now.role, term: now.term, leader: now.leader))
  }

  private func assertInvariants() {
    assert(commit <= last.index, "commit is within the log")
    assert(durable <= last.index, "what is durable is within the log")
    assert(term >= last.term, "no entry of a future term")
    assert(hardStateChange != .pending, "a changed hard state was emitted")
    assert(
      reported == Report(role: role, term: term, leader: leader), "a changed role was reported")
  }
}

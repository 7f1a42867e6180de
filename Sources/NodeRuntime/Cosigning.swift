package import Bytes
package import Evidence
import Raft
import Replica
package import SegmentLog

/// A checkpoint that a majority has signed.
package struct CosignedCheckpoint: Hashable, Sendable {
  /// What was signed.
  package let checkpoint: LogCheckpoint
  /// The note with all signatures so far.
  package let note: SignedNote
  /// Whose, ascending.
  package let signers: [NodeID]
  /// Whether it is of a segment's end.
  package let endsSegment: Bool
}

/// Something that an operator should look into.
package enum CosigningNote: Hashable, Sendable {
  /// A node signs with another key than before: its signatures are not counted.
  case keyChanged(NodeID)
  /// What a node sent is no checkpoint of this cluster's log with its signatures.
  case refused(NodeID)
  /// A node has signed another log than this node's: the note proves it.
  case contradicted(NodeID, LogCheckpoint, SignedNote)
}

/// What follows from a checkpoint.
enum CosigningEffect: Sendable {
  /// Tell all other members.
  case send(SignedCheckpoint)
  /// A majority has signed.
  case signed(CosignedCheckpoint)
  /// A node's key is known now.
  case keyLearned(NodeID, NodeKeys)
  case note(CosigningNote)
}

/// One node's part in signing checkpoints: signs each place that its log comes to, tells the others,
/// and gathers their signatures under the same text.
///
/// Only what is committed and durable here is signed, so a node never signs two histories. A node's key is
/// the first that it was heard with, for good: a node that lost its disk, and its key with it, comes
/// back under another number.
struct Cosigning: Sendable {
  /// Most checkpoints that wait for signatures; older ones are given up.
  static let openCountMax = 64
  /// Most notes of a node that wait until this node's log has come as far.
  static let heardCountMax = 8

  private struct Open {
    let checkpoint: LogCheckpoint
    var note: SignedNote
    var signers: [NodeID]
    var endsSegment: Bool
  }

  private struct Heard {
    let peer: NodeID
    let checkpoint: LogCheckpoint
    let note: SignedNote
  }

  private let node: NodeID
  private let cluster: ClusterID
  private let signer: NodeSigner
  /// Every node's keys, by number.
  private(set) var keys: [NodeID: NodeKeys]
  /// Nodes of which something was told and nothing right has come since: it is told once.
  private var suspects: Set<NodeID> = []
  /// Ascending.
  private var open: [Open] = []
  private var heard: [Heard] = []

  /// A node that has signed nothing yet; `keys` are those that it knows.
  init(node: NodeID, cluster: ClusterID, signer: NodeSigner, keys: [NodeID: NodeKeys]) {
    self.node = node
    self.cluster = cluster
    self.signer = signer
    self.keys = keys
    self.keys[node] = signer.keys
  }

  /// This node's log has come to a checkpoint; `unixSeconds` is the time now, since 1970.
  mutating func reached(
    _ checkpoint: LogCheckpoint, endsSegment: Bool, membership: Membership, unixSeconds: UInt64,
    into effects: inout [CosigningEffect]
  ) {
    if let last = open.indices.last, open[last].checkpoint == checkpoint {
      open[last].endsSegment = open[last].endsSegment || endsSegment
      tell(open[last], membership, into: &effects)
      return
    }
    guard let note = try? signer.sign(checkpoint, unixSeconds: unixSeconds) else { return }
    var entry = Open(
      checkpoint: checkpoint, note: note, signers: [node], endsSegment: endsSegment)
    effects.append(
      .send(SignedCheckpoint(publicKey: signer.keys.publicKey, note: note.description)))
    for other in heard where other.checkpoint.index == checkpoint.index {
      merge(other, into: &entry, &effects)
    }
    heard.removeAll { $0.checkpoint.index <= checkpoint.index }
    open.append(entry)
    if open.count > Self.openCountMax { open.removeFirst() }
    tell(entry, membership, into: &effects)
  }

  /// A node says that it has signed.
  mutating func hear(
    _ message: SignedCheckpoint, from peer: NodeID, membership: Membership,
    into effects: inout [CosigningEffect]
  ) {
    guard let theirs = NodeKeys(publicKey: message.publicKey, node: peer, cluster: cluster),
      let note = try? SignedNote(parsing: message.note),
      let checkpoint = try? LogCheckpoint(note), checkpoint.cluster == cluster,
      theirs.haveSigned(note)
    else { return suspect(peer, .refused(peer), &effects) }
    if let known = keys[peer] {
      guard known == theirs else { return suspect(peer, .keyChanged(peer), &effects) }
    } else {
      keys[peer] = theirs
      effects.append(.keyLearned(peer, theirs))
    }
    let other = Heard(peer: peer, checkpoint: checkpoint, note: note)
    if let place = open.firstIndex(where: { $0.checkpoint.index == checkpoint.index }) {
      var entry = open[place]
      merge(other, into: &entry, &effects)
      guard entry.signers.count > open[place].signers.count else { return }
      open[place] = entry
      tell(entry, membership, into: &effects)
    } else if checkpoint.index > open.last?.checkpoint.index ?? .zero {
      heard.append(other)
      let count = heard.count { $0.peer == peer }
      if count > Self.heardCountMax, let first = heard.firstIndex(where: { $0.peer == peer }) {
        heard.remove(at: first)
      }
    }
  }

  private mutating func suspect(
    _ peer: NodeID, _ note: CosigningNote, _ effects: inout [CosigningEffect]
  ) {
    if suspects.insert(peer).inserted { effects.append(.note(note)) }
  }

  /// Adds a node's signatures, if they are under the same text.
  private mutating func merge(
    _ other: Heard, into entry: inout Open, _ effects: inout [CosigningEffect]
  ) {
    guard other.checkpoint == entry.checkpoint else {
      let note = CosigningNote.contradicted(other.peer, other.checkpoint, other.note)
      return suspect(other.peer, note, &effects)
    }
    suspects.remove(other.peer)
    guard let keys = keys[other.peer], !entry.signers.contains(other.peer) else { return }
    for signature in keys.signatures(under: other.note) { entry.note.add(signature) }
    entry.signers = (entry.signers + [other.peer]).sorted()
  }

  /// Tells of a checkpoint that a majority has signed; again for each more that signs it.
  private func tell(
    _ entry: Open, _ membership: Membership, into effects: inout [CosigningEffect]
  ) {
    guard membership.hasMajority(among: entry.signers) else { return }
    effects.append(
      .signed(
        CosignedCheckpoint(
          checkpoint: entry.checkpoint, note: entry.note, signers: entry.signers,
          endsSegment: entry.endsSegment)))
  }
}

extension Membership {
  /// Whether these nodes could decide: a majority of the voters, and while they change of those before.
  fileprivate func hasMajority(among nodes: [NodeID]) -> Bool {
    [voters, outgoing].allSatisfy { list in
      list.isEmpty || list.count { nodes.contains($0) } > list.count / 2
    } && !voters.isEmpty
  }
}

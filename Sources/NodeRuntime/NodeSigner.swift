package import Bytes
package import Evidence
import Raft
package import SegmentLog

/// A node's key, and the two names under which it signs checkpoints.
package struct NodeSigner: Sendable {
  private let log: NoteSigner
  private let witness: NoteSigner

  /// The key of a seed of ``Evidence/NoteSigner/seedByteCount`` bytes; nil for another length.
  package init?(seed: [UInt8], node: NodeID, cluster: ClusterID) {
    guard
      let log = NoteSigner(name: LogCheckpoint.origin(of: cluster), kind: .note, seed: seed),
      let witness = NoteSigner(
        name: LogCheckpoint.witnessName(of: node.rawValue, in: cluster), kind: .cosignature,
        seed: seed)
    else { return nil }
    self.log = log
    self.witness = witness
  }

  /// The public keys.
  package var keys: NodeKeys { NodeKeys(log: log.key, witness: witness.key) }

  /// Signs a checkpoint as the log, and as a witness who saw it at a time, seconds since 1970.
  func sign(_ checkpoint: LogCheckpoint, unixSeconds: UInt64) throws(EvidenceError) -> SignedNote {
    let text = checkpoint.text
    return SignedNote(
      text: text,
      signatures: [try log.sign(text), try witness.sign(text, time: unixSeconds)])
  }
}

/// What a node's signatures are checked with.
package struct NodeKeys: Hashable, Sendable {
  /// Its key as the log.
  package let log: NoteKey
  /// Its key as a witness.
  package let witness: NoteKey

  fileprivate init(log: NoteKey, witness: NoteKey) {
    self.log = log
    self.witness = witness
  }

  /// The keys of a node with this Ed25519 public key; nil where it has another length.
  package init?(publicKey: [UInt8], node: NodeID, cluster: ClusterID) {
    guard
      let log = NoteKey(
        name: LogCheckpoint.origin(of: cluster), kind: .note, publicKey: publicKey),
      let witness = NoteKey(
        name: LogCheckpoint.witnessName(of: node.rawValue, in: cluster), kind: .cosignature,
        publicKey: publicKey)
    else { return nil }
    self.init(log: log, witness: witness)
  }

  /// The Ed25519 public key, 32 bytes.
  package var publicKey: [UInt8] { log.publicKey }

  /// Whether both signatures are under a note, and right.
  func haveSigned(_ note: SignedNote) -> Bool {
    do throws(EvidenceError) {
      let first = try log.time(ofSignatureUnder: note)
      let second = try witness.time(ofSignatureUnder: note)
      return first != nil && second != nil
    } catch {
      return false
    }
  }

  /// Their signatures under a note.
  func signatures(under note: SignedNote) -> [SignedNote.Signature] {
    note.signatures.filter {
      ($0.name == log.name && $0.keyID == log.id)
        || ($0.name == witness.name && $0.keyID == witness.id)
    }
  }
}

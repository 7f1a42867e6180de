package import Bytes
package import Evidence

/// A log as it is after one of its batches: what the nodes of a cluster sign.
///
/// It is a function of the log alone, so all nodes sign the same text.
package struct LogCheckpoint: Hashable, Sendable {
  private static let originPrefix = "syncpay/"
  private static let batchWord = "batch"
  private static let ledgerWord = "ledger"

  /// Whose log.
  package let cluster: ClusterID
  /// The batch after which it is.
  package let index: LogIndex
  /// The chain hash of that batch.
  package let hash: Digest256
  /// The last event.
  package let lastSequence: EventSequence
  /// The root of the Merkle tree over all events.
  package let root: Digest256
  /// The ledger's running digest.
  package let ledgerDigest: Digest256

  /// A checkpoint from its parts.
  package init(
    cluster: ClusterID, index: LogIndex, hash: Digest256, lastSequence: EventSequence,
    root: Digest256, ledgerDigest: Digest256
  ) {
    self.cluster = cluster
    self.index = index
    self.hash = hash
    self.lastSequence = lastSequence
    self.root = root
    self.ledgerDigest = ledgerDigest
  }

  /// The name under which a cluster's log is signed: `syncpay/` and its id, 32 hexadecimal digits.
  package static func origin(of cluster: ClusterID) -> String {
    originPrefix + cluster.description
  }

  /// The name under which a node signs as a witness: the log's, `/node` and its number.
  package static func witnessName(of node: UInt16, in cluster: ClusterID) -> String {
    "\(origin(of: cluster))/node\(node)"
  }

  /// The name of the file that holds a signed checkpoint: its batch in twenty digits.
  package static func fileName(at index: LogIndex) -> String {
    IndexFileName.text(index, suffix: fileSuffix)
  }

  /// What the names of files with signed checkpoints end with.
  package static let fileSuffix = ".checkpoint"

  /// Reads the checkpoint out of a signed one's text.
  package init(_ checkpoint: Checkpoint) throws(EvidenceError) {
    let lines = checkpoint.extensions.map {
      $0.split(separator: " ", omittingEmptySubsequences: false)
    }
    guard checkpoint.origin.hasPrefix(Self.originPrefix),
      let bytes = [UInt8](
        hexadecimal: String(checkpoint.origin.dropFirst(Self.originPrefix.count))),
      let cluster = ClusterID(bytes: bytes), lines.count == 2,
      lines[0].count == 3, lines[0][0] == Self.batchWord,
      let index = DecimalLine.number(lines[0][1]), let hash = Digest256(base64: lines[0][2]),
      lines[1].count == 2, lines[1][0] == Self.ledgerWord,
      let ledgerDigest = Digest256(base64: lines[1][1])
    else { throw .malformedCheckpoint }
    self.init(
      cluster: cluster, index: LogIndex(index), hash: hash,
      lastSequence: EventSequence(checkpoint.size), root: checkpoint.root,
      ledgerDigest: ledgerDigest)
    // Another spelling of the same would be another text.
    guard self.checkpoint == checkpoint else { throw .malformedCheckpoint }
  }

  /// The checkpoint out of a note.
  package init(_ note: SignedNote) throws(EvidenceError) {
    try self.init(Checkpoint(parsing: note.text))
  }

  /// As C2SP tlog-checkpoint has it: batch and ledger are extension lines.
  package var checkpoint: Checkpoint {
    Checkpoint(
      origin: Self.origin(of: cluster), size: lastSequence.rawValue, root: root,
      extensions: [
        "\(Self.batchWord) \(index.rawValue) \(hash.bytes.base64)",
        "\(Self.ledgerWord) \(ledgerDigest.bytes.base64)",
      ])
  }

  /// What is signed.
  package var text: String { checkpoint.text }
}

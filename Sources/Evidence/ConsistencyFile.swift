package import Bytes

/// A file that proves, to those who trust some keys, that a log only grew since a checkpoint of theirs: an
/// `add-checkpoint` request of C2SP tlog-witness, so it can be handed to a witness as it is.
package struct ConsistencyFile: Hashable, Sendable {
  private static let oldHead = "old "

  /// Leaves of the older tree.
  package let oldSize: UInt64
  /// The proof, `PROOF` of RFC 6962 §2.1.2.
  package let path: [Digest256]
  /// The newer checkpoint, signed.
  package let checkpoint: SignedNote

  /// A file from its parts.
  package init(oldSize: UInt64, path: [Digest256], checkpoint: SignedNote) {
    self.oldSize = oldSize
    self.path = path
    self.checkpoint = checkpoint
  }

  /// Reads a file.
  package init(parsing text: String) throws(EvidenceError) {
    guard text.utf8.count <= ProofFile.byteCountMax, let blank = text.firstRange(of: "\n\n") else {
      throw .malformedProof
    }
    checkpoint = try SignedNote(parsing: String(text[blank.upperBound...]))
    let lines = text[..<blank.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.first, first.hasPrefix(Self.oldHead),
      let oldSize = DecimalLine.number(first.dropFirst(Self.oldHead.count)),
      lines.count - 1 <= MerkleProofs.hashCountMax
    else { throw .malformedProof }
    self.oldSize = oldSize
    path = lines.dropFirst().compactMap { Digest256(base64: $0) }
    guard path.count == lines.count - 1 else { throw .malformedProof }
  }

  /// The file's text.
  package var description: String {
    let lines = ["\(Self.oldHead)\(oldSize)"] + path.map(\.bytes.base64)
    return lines.map { $0 + "\n" }.joined() + "\n" + checkpoint.description
  }

  /// Verifies that the log of `old`, a note that the keys of the policy have signed, is the beginning of
  /// that of ``checkpoint``; returns both.
  package func verify(
    since old: SignedNote, under policy: TrustPolicy
  ) throws(EvidenceError) -> (old: TrustedCheckpoint, new: TrustedCheckpoint) {
    let (before, after) = (try policy.verify(old), try policy.verify(checkpoint))
    guard before.checkpoint.origin == after.checkpoint.origin,
      before.checkpoint.size == oldSize,
      MerkleProofs.isConsistent(
        from: oldSize, before.checkpoint.root, to: after.checkpoint.size, after.checkpoint.root,
        path: path)
    else { throw .notConsistent }
    return (before, after)
  }
}

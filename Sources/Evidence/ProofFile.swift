package import Bytes

/// A file that proves, to those who trust some keys, that an event is in the log (C2SP tlog-proof).
package struct ProofFile: Hashable, Sendable {
  /// Most bytes of a file: extra data, path and checkpoint.
  package static let byteCountMax = 128 << 10
  private static let head = "c2sp.org/tlog-proof@v1"
  private static let extraHead = "extra "
  private static let indexHead = "index "

  /// What the proof itself does not vouch for; here the event's record.
  package let extra: [UInt8]
  /// The leaf's place, from 0.
  package let index: UInt64
  /// The audit path, from the leaf's sibling upwards.
  package let path: [Digest256]
  /// The signed checkpoint.
  package let checkpoint: SignedNote

  /// A file from its parts.
  package init(extra: [UInt8], index: UInt64, path: [Digest256], checkpoint: SignedNote) {
    self.extra = extra
    self.index = index
    self.path = path
    self.checkpoint = checkpoint
  }

  /// Reads a file.
  package init(parsing text: String) throws(EvidenceError) {
    guard text.utf8.count <= Self.byteCountMax, text.hasPrefix(Self.head + "\n"),
      let blank = text.firstRange(of: "\n\n")
    else { throw .malformedProof }
    checkpoint = try SignedNote(parsing: String(text[blank.upperBound...]))
    var lines = text[..<blank.lowerBound].split(
      separator: "\n", omittingEmptySubsequences: false)[...]
    lines.removeFirst()
    if let line = lines.first, line.hasPrefix(Self.extraHead) {
      guard let bytes = [UInt8](base64: String(line.dropFirst(Self.extraHead.count))),
        !bytes.isEmpty
      else { throw .malformedProof }
      extra = bytes
      lines.removeFirst()
    } else {
      extra = []
    }
    guard let line = lines.popFirst(), line.hasPrefix(Self.indexHead),
      let index = DecimalLine.number(line.dropFirst(Self.indexHead.count)),
      lines.count <= MerkleProofs.hashCountMax
    else { throw .malformedProof }
    self.index = index
    let path = lines.compactMap { Digest256(base64: $0) }
    guard path.count == lines.count else { throw .malformedProof }
    self.path = path
  }

  /// The file's text.
  package var description: String {
    var lines = [Self.head]
    if !extra.isEmpty { lines.append(Self.extraHead + extra.base64) }
    lines.append("\(Self.indexHead)\(index)")
    lines += path.map(\.bytes.base64)
    return lines.map { $0 + "\n" }.joined() + "\n" + checkpoint.description
  }

  /// Verifies that a trusted log has `leaf`, an event's bytes, at ``index``, and tells what signed
  /// checkpoint says so.
  package func verify(
    leaf: borrowing RawSpan, under policy: TrustPolicy
  ) throws(EvidenceError) -> TrustedCheckpoint {
    let trusted = try policy.verify(checkpoint)
    guard
      MerkleProofs.isIncluded(
        MerkleHash.leaf(leaf), at: index, size: trusted.checkpoint.size,
        root: trusted.checkpoint.root, path: path)
    else { throw .notIncluded }
    return trusted
  }
}

import Bytes
import Evidence
import SegmentLog

/// The texts of evidence: notes, checkpoints, proof files, policies and keys.
///
/// An input may be two texts with a zero byte between them: a policy, and what it is asked about.
enum EvidenceFuzzing {
  private static let seed = [UInt8](repeating: 7, count: NoteSigner.seedByteCount)
  private static let witnessName = "example.com/w"

  /// Reads the texts as they are, and with key ids and signatures that are right.
  static func run(_ bytes: [UInt8]) {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let texts = parts.map { String(decoding: $0, as: UTF8.self) }
    for text in texts { check(text) }
    if texts.count == 2 { verify(texts[1], under: texts[0]) }
    let repaired = texts.map(withRightKeys)
    guard repaired != texts else { return }
    for text in repaired { check(text) }
    if repaired.count == 2 { verify(repaired[1], under: repaired[0]) }
  }

  private static func check(_ text: String) {
    if let note = try? SignedNote(parsing: text) {
      precondition(isSame(note.description, text), "a note comes back as it was")
      checkSigned(note)
    }
    if let checkpoint = try? Checkpoint(parsing: text) {
      precondition(isSame(checkpoint.text, text), "a checkpoint comes back as it was")
      if let log = try? LogCheckpoint(checkpoint) {
        precondition(isSame(log.text, text), "what is said of a log is said in one way")
      }
    }
    if let proof = try? ProofFile(parsing: text) {
      precondition(isSame(proof.description, text), "a proof comes back as it was")
      checkSigned(proof)
    }
    if let file = try? ConsistencyFile(parsing: text) {
      precondition(isSame(file.description, text), "a proof of growth comes back as it was")
      checkSigned(file)
    }
    if let policy = try? TrustPolicy(parsing: text) { checkPolicy(policy) }
    if let key = try? NoteKey(parsing: text) {
      precondition(isSame(key.description, text), "a key comes back as it was")
    }
  }

  private static func checkPolicy(_ policy: TrustPolicy) {
    guard let again = try? TrustPolicy(parsing: policy.description) else {
      preconditionFailure("a policy that was read can be written")
    }
    precondition(again == policy, "a policy comes back as it was")
    precondition(isSame(again.description, policy.description), "a policy is written one way")
  }

  /// Equality of Swift strings lets different bytes pass: texts that are signed are their bytes.
  private static func isSame(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }

  private static func verify(_ text: String, under policyText: String) {
    guard let policy = try? TrustPolicy(parsing: policyText) else { return }
    if let note = try? SignedNote(parsing: text), let trusted = try? policy.verify(note) {
      precondition(isSame(trusted.checkpoint.text, note.text), "what is trusted is what was signed")
    }
    if let proof = try? ProofFile(parsing: text) {
      _ = try? proof.verify(leaf: proof.extra.span.bytes, under: policy)
    }
  }

  // MARK: With signatures

  private struct Trust {
    let policy: TrustPolicy
    let log: NoteSigner
    let witness: NoteSigner
  }

  /// A log of this name and a witness; nil where a key cannot have the name.
  private static func trust(_ origin: String) -> Trust? {
    guard let log = NoteSigner(name: origin, kind: .note, seed: seed),
      let witness = NoteSigner(name: witnessName, kind: .cosignature, seed: seed)
    else { return nil }
    let policy = TrustPolicy(
      logs: [log.key], witnesses: [(name: "w", key: witness.key)], threshold: 1)
    return Trust(policy: policy, log: log, witness: witness)
  }

  private static func signed(_ text: String, _ trust: Trust) -> SignedNote {
    var note = SignedNote(text: text)
    guard let first = try? trust.log.sign(text), let second = try? trust.witness.sign(text, time: 9)
    else { preconditionFailure("a key signs every text") }
    note.add(first)
    note.add(second)
    return note
  }

  /// A checkpoint with right signatures is trusted, whatever else it says; and with one byte of it
  /// changed, it is not.
  private static func checkSigned(_ note: SignedNote) {
    guard let checkpoint = try? Checkpoint(parsing: note.text),
      let trust = trust(checkpoint.origin)
    else { return }
    let whole = signed(note.text, trust)
    guard let read = try? SignedNote(parsing: whole.description) else {
      preconditionFailure("a note that was signed can be read")
    }
    precondition(read == whole, "a note comes back with its signatures")
    guard let trusted = try? trust.policy.verify(read) else {
      preconditionFailure("a checkpoint that all have signed is trusted")
    }
    precondition(trusted.checkpoint == checkpoint, "what is trusted is what was signed")
    precondition(trusted.witnesses.map(\.time) == [9], "a witness tells when it signed")
    let other = SignedNote(text: note.text + "x\n", signatures: whole.signatures)
    precondition((try? trust.policy.verify(other)) == nil, "nothing is added to what was signed")
  }

  /// A proof under a trusted checkpoint holds exactly where the path leads to the root.
  private static func checkSigned(_ proof: ProofFile) {
    guard let checkpoint = try? Checkpoint(parsing: proof.checkpoint.text),
      let trust = trust(checkpoint.origin)
    else { return }
    let leaf = MerkleHash.leaf(proof.extra.span.bytes)
    for root in [checkpoint.root, root(of: leaf, proof)] {
      let text = Checkpoint(
        origin: checkpoint.origin, size: checkpoint.size, root: root,
        extensions: checkpoint.extensions
      ).text
      let whole = ProofFile(
        extra: proof.extra, index: proof.index, path: proof.path, checkpoint: signed(text, trust))
      let holds = (try? whole.verify(leaf: proof.extra.span.bytes, under: trust.policy)) != nil
      let isIncluded = MerkleProofs.isIncluded(
        leaf, at: proof.index, size: checkpoint.size, root: root, path: proof.path)
      precondition(holds == isIncluded, "a proof holds where the path leads to the root")
      if holds {
        let wrong = MerkleProofs.isIncluded(
          MerkleHash.leaf(leaf.bytes.span.bytes), at: proof.index, size: checkpoint.size,
          root: root, path: proof.path)
        precondition(!wrong, "a proof is of one leaf")
      }
    }
  }

  /// A proof of growth under trusted checkpoints holds exactly where the path joins their roots.
  private static func checkSigned(_ file: ConsistencyFile) {
    guard let new = try? Checkpoint(parsing: file.checkpoint.text), let trust = trust(new.origin)
    else { return }
    for root in [new.root, MerkleHash.empty] + file.path.prefix(1) {
      let old = Checkpoint(origin: new.origin, size: file.oldSize, root: root)
      let whole = ConsistencyFile(
        oldSize: file.oldSize, path: file.path, checkpoint: signed(new.text, trust))
      let holds = (try? whole.verify(since: signed(old.text, trust), under: trust.policy)) != nil
      let isConsistent = MerkleProofs.isConsistent(
        from: file.oldSize, root, to: new.size, new.root, path: file.path)
      precondition(holds == isConsistent, "a log grew exactly where the path says so")
    }
  }

  /// Where a path leads, as RFC 9162 §2.1.3.1 makes it: level by level from the leaf.
  private static func root(of leaf: Digest256, _ proof: ProofFile) -> Digest256 {
    guard let size = try? Checkpoint(parsing: proof.checkpoint.text).size, size > proof.index else {
      return leaf
    }
    var (index, count, hash) = (proof.index, size, leaf)
    var path = proof.path[...]
    while count > 1 {
      if index & 1 == 1 || index + 1 < count {
        guard let sibling = path.popFirst() else { return hash }
        hash = index & 1 == 1 ? MerkleHash.node(sibling, hash) : MerkleHash.node(hash, sibling)
      }
      index >>= 1
      count = count / 2 + count % 2
    }
    return hash
  }

  /// The text with the ids of its keys made anew: `name+id+key`.
  private static func withRightKeys(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.split(separator: " ", omittingEmptySubsequences: false).map { word in
        let parts = word.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = [UInt8](base64: String(parts[2])),
          let kind = bytes.first.flatMap(NoteKey.Kind.init(rawValue:)),
          let key = NoteKey(
            name: String(parts[0]), kind: kind, publicKey: Array(bytes.dropFirst()))
        else { return String(word) }
        return key.description
      }.joined(separator: " ")
    }.joined(separator: "\n")
  }
}

import Bytes
import Evidence
import Ledger
import SegmentLog

/// Texts that keys of the fuzzer's own have signed.
enum EvidenceSeeds {
  private static let origin = "example.com/payments"

  static var all: [[UInt8]] {
    let records = Samples.events.map { Samples.records([$0]) }
    let leaves = records.map { MerkleHash.leaf($0.span.bytes) }
    let prover = MerkleProver<Never>(MerkleForest()) { range in
      Array(leaves[Int(range.lowerBound)..<Int(range.upperBound)])
    }
    let size = UInt64(leaves.count)
    let checkpoint = Checkpoint(
      origin: origin, size: size, root: prover.root(size: size), extensions: ["time 1790000000"])
    let signers = (1...3).flatMap { number in
      [signer(origin, .note, number), signer("\(origin)/node\(number)", .cosignature, number)]
    }
    var note = SignedNote(text: checkpoint.text)
    for signer in signers {
      guard let signature = try? signer.sign(note.text, time: 1_790_000_000) else { continue }
      note.add(signature)
    }
    let proofs = [0, 3, size - 1].map { index in
      ProofFile(
        extra: records[Int(index)], index: index, path: prover.inclusion(of: index, size: size),
        checkpoint: note
      ).description
    }
    let policy = policy(signers.map(\.key))
    let log = LogCheckpoint(
      cluster: Samples.cluster, index: LogIndex(9), hash: leaves[0], lastSequence: EventSequence(7),
      root: leaves[1], ledgerDigest: leaves[2])
    let texts = [
      policy, note.description, checkpoint.text, log.text, signers[0].key.description,
      "quorum none\n", policy + "\0" + note.description, policy + "\0" + proofs[1],
    ]
    let growths = ([4, 7, size] as [UInt64]).map { old in
      ConsistencyFile(
        oldSize: old, path: prover.consistency(from: old, to: size), checkpoint: note
      ).description
    }
    return (texts + proofs + growths).map { Array($0.utf8) }
  }

  private static func signer(_ name: String, _ kind: NoteKey.Kind, _ number: Int) -> NoteSigner {
    let seed = [UInt8](repeating: UInt8(number), count: NoteSigner.seedByteCount)
    guard let signer = NoteSigner(name: name, kind: kind, seed: seed) else {
      preconditionFailure("a sample has a key")
    }
    return signer
  }

  private static func policy(_ keys: [NoteKey]) -> String {
    var lines = ["# who may speak for the log", ""]
    lines += keys.filter { $0.kind == .note }.map { "log \($0.description) https://example.com/" }
    let witnesses = keys.filter { $0.kind == .cosignature }
    lines += witnesses.enumerated().map { "witness\tn\($0.offset)  \($0.element.description)" }
    lines += ["group two 1 n0 n1", "group all all two n2", "quorum all"]
    return lines.map { $0 + "\n" }.joined()
  }
}

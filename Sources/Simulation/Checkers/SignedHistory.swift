import Bytes
import Evidence
package import NodeRuntime
import SegmentLog

/// Signed checkpoints: all of one index are one text, and tell of the committed batch there.
package struct SignedHistory {
  private var known: [LogIndex: LogCheckpoint] = [:]

  /// Nothing is signed.
  package init() {}

  /// A node holds a checkpoint that a majority has signed.
  package mutating func holds(_ signed: CosignedCheckpoint) throws(Violation) {
    let checkpoint = signed.checkpoint
    let index = checkpoint.index.rawValue
    guard signed.note.text == checkpoint.text,
      signed.note.signatures.count == 2 * signed.signers.count
    else {
      throw Violation(
        "signed checkpoints are committed", "the note at index \(index) is not its checkpoint's")
    }
    guard let other = known[checkpoint.index] else {
      known[checkpoint.index] = checkpoint
      return
    }
    guard other == checkpoint else {
      throw Violation("checkpoints agree", "two texts are signed at index \(index)")
    }
  }

  /// All that is signed is committed.
  package func check(_ committed: CommittedLog) throws(Violation) {
    for (index, checkpoint) in known.sorted(by: { $0.key < $1.key }) {
      guard let batch = committed[index]?.header, batch.hash == checkpoint.hash,
        batch.lastSequence == checkpoint.lastSequence
      else {
        throw Violation(
          "signed checkpoints are committed",
          "the checkpoint at index \(index.rawValue) is of no such batch")
      }
    }
  }
}

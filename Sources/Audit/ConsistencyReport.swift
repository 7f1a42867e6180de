import Bytes
import Evidence
package import SegmentLog

/// That a log only grew between two signed checkpoints.
package struct ConsistencyReport: Sendable {
  /// The older checkpoint.
  package let old: LogCheckpoint
  /// The newer one.
  package let new: LogCheckpoint

  /// Verifies, without any log, that the one of the checkpoint in `oldPath` is the beginning of that of the
  /// checkpoint in the proof.
  package init(
    from oldPath: String, proofPath: String, policyPath: String, in files: some LogFileSystem
  ) throws(AuditError) {
    let policy = try SignedCheckpoints.policy(policyPath, in: files)
    let before = try SignedCheckpoints.read(oldPath, under: policy, in: files)
    do throws(EvidenceError) {
      let file = try ConsistencyFile(parsing: try SignedCheckpoints.text(proofPath, in: files))
      let both = try file.verify(since: before.note, under: policy)
      old = try LogCheckpoint(both.old.checkpoint)
      new = try LogCheckpoint(both.new.checkpoint)
    } catch {
      throw .evidence(proofPath, error)
    }
  }

  /// What is proven.
  package var sentence: String {
    "Proven: the \(ReportText.grouped(old.lastSequence.rawValue)) events up to batch \(old.index.rawValue) "
      + "are the beginning of the \(ReportText.grouped(new.lastSequence.rawValue)) up to batch "
      + "\(new.index.rawValue) of \(new.checkpoint.origin)."
  }
}

extension AuditError {
  /// Whether the evidence was read and does not prove what it should.
  package var isDisproof: Bool {
    guard case .evidence(_, let error) = self else { return false }
    switch error {
    case .falseSignature, .untrustedLog, .tooFewSignatures, .notIncluded, .notConsistent,
      .malformedProof, .malformedNote, .malformedCheckpoint:
      return true
    case .malformedKey, .malformedPolicy, .unreadable: return false
    }
  }
}

package import Bytes

/// What is wrong with the bytes at one place of a segment.
package enum Damage: Error, Hashable, Sendable {
  /// The file ends before the frame that begins here does.
  case truncated
  /// No frame of ours begins here.
  case unknownFrame
  /// A batch begins here, but is not what was written.
  case batch(BatchError)
  /// The file header is not what was written.
  case fileHeader
  /// The file header names another first index than the file does.
  case misnamed(found: LogIndex)
  /// A version of the format that this build does not read.
  case unsupportedVersion(UInt16)
  /// A whole batch stands here, but another index is due.
  case outOfOrder(expected: LogIndex, found: LogIndex)
  /// A whole batch stands here, but another sequence is due.
  case sequenceGap(expected: EventSequence, found: EventSequence)
  /// A whole batch stands here that follows another history.
  case brokenChain
  /// A whole batch stands here whose term is below the one before it.
  case termBelow(Term)
  /// A batch that begins a segment stands inside one, or a segment begins with one that does not.
  case misplacedBoundary
  /// The footer is not what was written.
  case footer
  /// A whole footer stands here that tells of other batches than those before it.
  case footerMismatch
  /// Bytes follow the footer.
  case afterFooter
  /// The file is not there.
  case missingFile

  /// What an error of a batch at a place means for the place.
  init(_ error: BatchError) {
    self =
      switch error {
      case .truncated: .truncated
      case .notABatch: .unknownFrame
      case .unsupportedVersion(let version): .unsupportedVersion(version)
      case .recordsTooLarge, .trailingBytes, .invalidField, .checkMismatch, .invalidFrame,
        .hashMismatch:
        .batch(error)
      }
  }

  /// Whether a torn write can leave this: what a whole, checked frame says, it cannot.
  var canBeTorn: Bool {
    switch self {
    case .truncated, .unknownFrame, .batch, .fileHeader, .footer: true
    case .misnamed, .unsupportedVersion, .outOfOrder, .sequenceGap, .brokenChain, .termBelow,
      .misplacedBoundary, .footerMismatch, .afterFooter, .missingFile:
      false
    }
  }
}

/// Why bytes are called damaged, not torn: what shows that they had been whole.
///
/// A commit index that a batch carries is no case of its own: it is below the batch's index, so only
/// a batch after the fault could vouch for what is lost there, and such a batch is proof by itself.
package enum DamageProof: Hashable, Sendable {
  /// The index is not above what was known to be durable here.
  case knownDurable(LogIndex)
  /// A whole batch stands further on in the file.
  case laterBatch(offset: UInt64, index: LogIndex)
  /// A later segment exists; this one was synced before it was created.
  case laterSegment
  /// The segment is sealed.
  case sealed
  /// The disk cannot give the bytes back.
  case unreadable
  /// The frame is whole, and says what it must not.
  case wholeFrame
}

/// Why a log could not be opened, read or written. All but ``outOfOrder(expected:found:)``,
/// ``brokenChain(at:)``, ``beforeStart(_:first:)`` and the refusals end the store.
package enum LogError: Error, Sendable {
  /// A file operation failed.
  case file(FileError)
  /// Bytes that had been whole are not: they may have been acknowledged, and must not be cut.
  case damaged(
    segment: SegmentID, offset: UInt64, index: LogIndex, reason: Damage, proof: DamageProof)
  /// The segment belongs to another cluster.
  case wrongCluster(segment: SegmentID)
  /// The batches before `found` are in no file.
  case missingSegment(expected: LogIndex, found: SegmentID)
  /// The segment's header does not continue the segment before it.
  case brokenSegmentChain(SegmentID)
  /// The log ends before what was known to be durable.
  case lost(last: LogIndex, knownDurable: LogIndex)
  /// The batch at the snapshot's index is not the one that the snapshot was made after.
  case otherHistory(at: LogIndex)
  /// The whole batch here at this index is of another history than the batches to mend with. If
  /// those are committed, inspect again and distrust it.
  case contradicted(LogIndex)
  /// What would be cut may have been committed.
  case notCuttable(from: LogIndex)
  /// The visitor of a replay stopped it.
  case stopped(at: LogIndex, any Error)
  /// The batch to append is not the next one.
  case outOfOrder(expected: LogIndex, found: LogIndex)
  /// The batch to append does not follow this log's last one: its hash, sequence or term.
  case brokenChain(at: LogIndex)
  /// The index lies before the log's first.
  case beforeStart(LogIndex, first: LogIndex)
  /// The log ends before an event that was asked for.
  case ended(before: EventSequence)
  /// The segment is sealed: nothing is cut from it or added to it.
  case sealed(SegmentID)
  /// There is no such segment, or it is the last one.
  case notSealable(SegmentID)
  /// The segment is sealed with other evidence.
  case sealMismatch(SegmentID)
  /// An earlier error has left the files in doubt; open the log again.
  case failed
  /// Both slots of the hard state are unreadable although the log is not empty.
  case hardStateDamaged(path: String)
  /// There is no hard state although the log is not empty.
  case hardStateMissing(path: String)
  /// The hard state belongs to another cluster.
  case hardStateOfOtherCluster(path: String)

  /// Whether the files are in doubt after this error.
  var isFatal: Bool {
    switch self {
    case .outOfOrder, .brokenChain, .beforeStart, .ended, .sealed, .notSealable, .sealMismatch,
      .notCuttable:
      false
    case .file, .damaged, .wrongCluster, .missingSegment, .brokenSegmentChain, .lost,
      .otherHistory, .contradicted, .stopped, .failed, .hardStateDamaged, .hardStateMissing,
      .hardStateOfOtherCluster:
      true
    }
  }
}

extension LogError {
  /// The segment that the error says to be damaged, if it does: wrong bytes, bytes that the disk does
  /// not give back, or a file that is gone.
  package var damagedSegment: SegmentID? {
    switch self {
    case .damaged(let segment, _, _, _, _): segment
    case .file(let error) where error.isUnreadable || error.isMissing:
      SegmentID(
        fileName: String(
          error.path[
            (error.path.lastIndex(of: "/").map {
              error.path.index(after: $0)
            } ?? error.path.startIndex)...]))
    default: nil
    }
  }

  /// Whether a log that could not be opened may be made whole with ``LogRepair``.
  package var mayBeMended: Bool {
    switch self {
    case .damaged, .missingSegment, .brokenSegmentChain, .lost: true
    case .file, .wrongCluster, .otherHistory, .contradicted, .notCuttable, .stopped, .outOfOrder,
      .brokenChain, .beforeStart, .ended, .sealed, .notSealable, .sealMismatch, .failed,
      .hardStateDamaged, .hardStateMissing, .hardStateOfOtherCluster:
      false
    }
  }
}

/// Runs a file operation, and wraps its error.
func files<T: ~Copyable>(_ body: () throws(FileError) -> T) throws(LogError) -> T {
  do {
    return try body()
  } catch {
    throw .file(error)
  }
}

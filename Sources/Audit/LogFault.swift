package import Bytes
package import SegmentLog

/// A place in a node's files where something is not as it should be.
package struct LogFault: Hashable, Sendable {
  /// The file.
  package let path: String
  /// Where in the file, bytes.
  package let offset: UInt64
  /// The index that is due there.
  package let index: LogIndex
  /// What is wrong, in words.
  package let reason: String

  /// File, offset, index and reason.
  package var sentence: String {
    "\(path) at offset \(offset), index \(index.rawValue): \(reason)"
  }

  init(path: String, offset: UInt64, index: LogIndex, reason: String) {
    self.path = path
    self.offset = offset
    self.index = index
    self.reason = reason
  }

  /// The fault that an error of the log in `directory` tells of, or nil where it is another kind.
  init?(_ error: LogError, directory: String) {
    guard case .damaged(let segment, let offset, let index, let reason, _) = error else {
      return nil
    }
    self.init(
      path: "\(directory)/\(segment.fileName)", offset: offset, index: index,
      reason: reason.sentence)
  }
}

extension Damage {
  /// What is wrong, in words.
  package var sentence: String {
    switch self {
    case .truncated: "the file ends before what begins here does"
    case .unknownFrame: "no frame of a segment begins here"
    case .batch(let error): "the batch is damaged: \(error.sentence)"
    case .fileHeader: "this is not a segment: its file header is not what a node writes"
    case .misnamed(let found): "the file header says that it begins at index \(found.rawValue)"
    case .unsupportedVersion(let version): "format version \(version) is not known here"
    case .outOfOrder(let expected, let found):
      "index \(expected.rawValue) is due, \(found.rawValue) stands here"
    case .sequenceGap(let expected, let found):
      "event \(expected.rawValue) is due, \(found.rawValue) stands here"
    case .brokenChain: "the batch continues another history (its previous hash differs)"
    case .termBelow(let term): "its term \(term.rawValue) is below the one before it"
    case .misplacedBoundary: "the segment's boundary is not where its batches say"
    case .footer: "the footer is damaged"
    case .footerMismatch: "the footer tells of other batches than those before it"
    case .afterFooter: "bytes follow the footer"
    case .missingFile: "the file is not there"
    }
  }
}

extension AuditError {
  /// What an error of a log that is only read means for an audit.
  init(_ error: LogError, directory: String) {
    if case .file(let error) = error {
      self = .file(error)
    } else if let fault = LogFault(error, directory: directory) {
      self = .unreadable(index: fault.index, places: [fault.sentence])
    } else {
      // A scanner gives no other errors.
      self = .unreadable(index: .zero, places: ["\(directory): \(error)"])
    }
  }
}

import Bytes

extension LogError {
  /// What happened and what the operator can do about it.
  package var sentence: String {
    switch self {
    case .file(let error): "\(error)"
    case .damaged(let segment, let offset, let index, let reason, _):
      "segment \(segment) is damaged at byte \(offset), batch \(index.rawValue) (\(reason)); these bytes"
        + " may have been acknowledged, so nothing was cut. A node that starts fetches them from the"
        + " other nodes; syncpay-audit verify says more"
    case .wrongCluster(let segment):
      "segment \(segment) belongs to another cluster; check cluster.name and node.data_directory"
    case .missingSegment(let expected, let found):
      "the batches from \(expected.rawValue) up to segment \(found) are in no file; put the missing"
        + " segment back from a copy or from another node"
    case .brokenSegmentChain(let segment):
      "segment \(segment) does not continue the one before it; the directory mixes two logs"
    case .lost(let last, let durable):
      "the log ends at batch \(last.rawValue), but up to \(durable.rawValue) was durable here and"
        + " committed: the disk lost it. Move this data directory away and start the node with an"
        + " empty one while the others have a majority"
    case .otherHistory(let index):
      "batch \(index.rawValue) is not the one that the ledger snapshot was made after; the snapshot"
        + " belongs to another log"
    case .contradicted(let index):
      "batch \(index.rawValue) here is whole, but of another history than the batches of the others"
    case .notCuttable(let index):
      "the batches from \(index.rawValue) on may be committed, and are not cut"
    case .stopped(let index, let error):
      "batch \(index.rawValue) cannot be applied by this version: \(error)"
    case .outOfOrder(let expected, let found):
      "batch \(found.rawValue) was to be written where \(expected.rawValue) belongs"
    case .brokenChain(let index): "batch \(index.rawValue) does not chain to the one before it"
    case .beforeStart(let index, let first):
      "batch \(index.rawValue) lies before the first one here, \(first.rawValue)"
    case .ended(let sequence): "the log ends before event \(sequence.rawValue)"
    case .sealed(let segment): "segment \(segment) is sealed"
    case .notSealable(let segment): "segment \(segment) is not here or is the last one"
    case .sealMismatch(let segment): "segment \(segment) is sealed with another ledger or tree"
    case .failed: "an earlier error has left the files in doubt; start the node again"
    case .hardStateDamaged(let path):
      "\(path) cannot be read, and the log is not empty: the node has forgotten its votes. Move the"
        + " data directory away and start the node with an empty one while the others have a majority"
    case .hardStateMissing(let path):
      "\(path) is missing, and the log is not empty: the node has forgotten its votes. Put it back, or"
        + " start the node with an empty data directory while the others have a majority"
    case .hardStateOfOtherCluster(let path):
      "\(path) belongs to another cluster; check cluster.name and node.data_directory"
    }
  }
}

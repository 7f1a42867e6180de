package import Bytes
package import Evidence

/// What a sealed segment's footer vouches for beside its batches.
package struct SegmentEvidence: Hashable, Sendable {
  /// The ledger's digest before the segment's first batch.
  package let ledgerBefore: Digest256
  /// The ledger's digest after the segment's last batch.
  package let ledgerAfter: Digest256
  /// What the segment adds to the tree over all events.
  package let tree: SegmentTree

  /// The evidence from its parts.
  package init(ledgerBefore: Digest256, ledgerAfter: Digest256, tree: SegmentTree) {
    self.ledgerBefore = ledgerBefore
    self.ledgerAfter = ledgerAfter
    self.tree = tree
  }

  /// Whether it is of as many events, at their place.
  func isOf(_ summary: SegmentSummary) -> Bool {
    tree.before.size == summary.header.firstSequence.rawValue - 1
      && tree.after.size == summary.lastSequence.rawValue
  }
}

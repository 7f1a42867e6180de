import Bytes

/// Tells torn from damaged (Alagappan et al., "Protocol-aware recovery for consensus-based
/// storage", FAST '18, §3.3): torn is what a crash left of a write that was never acknowledged.
///
/// In doubt, it is damaged: to cut what was acknowledged could lose it, to keep a node out until a
/// peer has repaired it cannot.
struct FaultJudge {
  let segment: SegmentID
  /// The next segment, if there is one.
  let successor: SegmentID?
  /// Up to this index nothing is torn.
  let knownDurable: LogIndex
  /// Whether the file ends with a whole footer.
  let isSealed: Bool
  /// What the disk could not give back, and stands as zeros in the bytes: no crash leaves that.
  var unreadable: [Range<Int>] = []

  /// Whether all batches of the segment are there, so that what follows can only be a footer.
  func isSucceeded(_ summary: SegmentSummary) -> Bool {
    successor?.firstIndex == summary.lastIndex.next
  }

  /// Throws ``LogError/damaged(segment:offset:index:reason:proof:)`` unless the fault is torn.
  func requireTorn(
    _ fault: SegmentFault, after summary: SegmentSummary?, in bytes: borrowing RawSpan
  ) throws(LogError) {
    guard let proof = proof(of: fault, after: summary, in: bytes) else { return }
    throw .damaged(
      segment: segment, offset: UInt64(fault.offset), index: fault.index, reason: fault.reason,
      proof: proof)
  }

  /// What shows that the bytes had been whole, or nil where nothing does.
  func proof(
    of fault: SegmentFault, after summary: SegmentSummary?, in bytes: borrowing RawSpan
  ) -> DamageProof? {
    if !fault.reason.canBeTorn { return .wholeFrame }
    if isSealed { return .sealed }
    if let summary, isSucceeded(summary) { return nil }
    if successor != nil { return .laterSegment }
    if fault.index <= knownDurable { return .knownDurable(knownDurable) }
    if unreadable.contains(where: { $0.upperBound > fault.offset }) { return .unreadable }
    // A footer is written when all batches are durable: whatever is left of it vouches for them.
    if fault.reason != .footer,
      SegmentFooter.announcedByteCount(bytes, fileByteCount: UInt64(bytes.byteCount)) != nil
    {
      return .sealed
    }
    if let later = laterBatch(after: fault.offset, in: bytes) {
      return .laterBatch(offset: UInt64(later.offset), index: later.header.index)
    }
    return nil
  }
}

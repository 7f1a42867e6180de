package import Bytes
import Synchronization

/// Where the indexes of sealed segments are, as far as somebody has looked: those looked into last.
struct LookupCache: Sendable {
  /// Most segments that are remembered, a few hundred bytes each.
  static let countMax = 1024

  private var indexes: [UInt64: IndexInFile] = [:]
  /// First come first.
  private var order: [UInt64] = []

  subscript(serial: UInt64) -> IndexInFile? { indexes[serial] }

  mutating func insert(_ index: IndexInFile, serial: UInt64) {
    guard indexes.updateValue(index, forKey: serial) == nil else { return }
    order.append(serial)
    if order.count > Self.countMax { indexes[order.removeFirst()] = nil }
  }
}

extension LogReader {
  /// The segments that there are now, in order.
  package var segments: [SegmentEvents] { positions.ranges }

  /// The last event before the first segment that is not sealed.
  package var sealedThrough: EventSequence { positions.sealedThrough }

  /// The stretches of events in which a segment may hold what is asked for, ascending; nil where it is
  /// not sealed, and so has no index.
  ///
  /// Reads a few kilobytes, every byte of which is checked. Errors: damage, files.
  package func stretches(
    of subject: LookupSubject, in segment: SegmentID
  ) throws(LogError) -> [ClosedRange<EventSequence>]? {
    try reading { () throws(LogError) in
      guard let place = positions.sealedPlace(segment) else { return nil }
      let file = try file(of: place)
      let known = lookups.withLock { $0[place.serial] }
      if let known { return try known.stretches(of: subject, in: file) }
      let index = try IndexInFile(segment, file)
      lookups.withLock { $0.insert(index, serial: place.serial) }
      return try index.stretches(of: subject, in: file)
    }
  }

  /// Calls `visit` with the batches that hold the events of `range`, in order, verified, until it says
  /// that it has seen enough.
  package func visit(
    _ range: ClosedRange<EventSequence>, _ visit: (Batch) throws(LogError) -> Bool
  ) throws(LogError) {
    guard var next = try index(containing: range.lowerBound) else { return }
    while true {
      let batches = try batches(from: next, byteLimit: Self.visitByteCount)
      guard let last = batches.last else { return }
      for batch in batches {
        guard batch.header.firstSequence <= range.upperBound, try visit(batch) else { return }
      }
      guard last.header.lastSequence < range.upperBound else { return }
      next = last.index.next
    }
  }

  /// Bytes of batches that a visit reads at once.
  private static var visitByteCount: Int { 64 << 10 }
}

package import Bytes
package import Replica
package import SegmentLog

/// What a look at one sealed segment has found.
package struct ScrubFinding: Sendable {
  /// The segment.
  package let segment: SegmentID
  /// Its last batch.
  package let last: LogIndex
  /// How long it is, bytes.
  package let byteCount: UInt64
  /// What of it was damaged, also where it is mended by now.
  package let stretches: [DamagedStretch]
  /// What is to be had from another node next; nil: the segment is whole.
  package let missing: BatchesRequest?
  /// Whether the batches that were given last fit those that are here.
  package let fits: Bool
}

/// Checks sealed segments of an open log against what their writer knows of them, one at a time, and
/// writes damaged ones anew with the other nodes' batches. It reads and writes files: its thread is
/// not the node's.
package struct SegmentScrubber<FileSystem: LogFileSystem>: ~Copyable, Sendable {
  /// A segment is written again only where so many more would find room: the log's own writes come
  /// first, and end the node where there is none.
  private static var roomFactor: UInt64 { 4 }

  private let files: FileSystem
  private let logDirectory: String
  private var segment: SealedSegment?
  private var repair: LogRepair<FileSystem>?
  private var distrusting: Set<LogIndex> = []
  /// Segments that were damaged when they were checked last.
  private var damaged: Set<SegmentID> = []

  /// A scrubber of the log in `logDirectory`.
  package init(_ files: FileSystem, logDirectory: String) {
    self.files = files
    self.logDirectory = logDirectory
  }

  /// Reads all of a segment from the disk, and mends what needs nobody's help. Errors: files, and too
  /// little room.
  package mutating func check(_ segment: SealedSegment) throws(LogError) -> ScrubFinding {
    self.segment = segment
    distrusting.removeAll()
    if repair.take() != nil { try? files.removeUnfinished(logDirectory) }
    return try inspect(segment, fits: true)
  }

  /// Takes batches for the segment that was checked last, from ``ScrubFinding/missing`` on. Errors:
  /// files; then the segment must be checked again.
  package mutating func mend(_ batches: [Batch]) throws(LogError) -> ScrubFinding {
    guard let segment, var current = repair.take() else {
      preconditionFailure("a segment is checked first")
    }
    do throws(LogError) {
      try current.mend(batches)
      return keep(current, of: segment, fits: true)
    } catch {
      switch error {
      // What was whole a moment ago has rotted since.
      case .damaged: return try inspect(segment, fits: true)
      case .outOfOrder, .brokenChain: break
      // One of them is of another history: with both gone, what is committed fills the gap.
      case .contradicted(let index): distrusting.insert(index)
      default: throw error
      }
    }
    return try inspect(segment, fits: false)
  }

  private mutating func inspect(
    _ segment: SealedSegment, fits: Bool
  ) throws(LogError) -> ScrubFinding {
    var found = try LogRepair.inspect(
      files, directory: logDirectory, sealed: segment, distrusting: distrusting)
    if !found.isWhole {
      let room = files.freeByteCount(logDirectory) ?? .max
      guard room / Self.roomFactor >= segment.byteCount else {
        throw .file(.noRoom(logDirectory))
      }
      // What lacks batches is not begun before they are here.
      if found.nextMissing == nil { try found.mend([]) }
    }
    return keep(found, of: segment, fits: fits)
  }

  private mutating func keep(
    _ found: consuming LogRepair<FileSystem>, of segment: SealedSegment, fits: Bool
  ) -> ScrubFinding {
    let stretches = found.stretches
    let missing = found.nextRequest { _ in true }
    if missing != nil {
      damaged.insert(segment.id)
    } else if damaged.remove(segment.id) != nil, stretches.isEmpty {
      // An operator has brought the file back.
      segment.fileWasReplaced()
    }
    if missing != nil { repair = consume found }
    return ScrubFinding(
      segment: segment.id, last: segment.lastIndex, byteCount: segment.byteCount,
      stretches: stretches, missing: missing, fits: fits)
  }
}

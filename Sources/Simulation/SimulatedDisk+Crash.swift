package import Bytes
import SegmentLog

extension SimulatedDisk {
  /// Lets `count` more operations succeed, and none after them, until ``powerOn()``.
  package func cutPower(afterOperations count: Int) { faults.operationsLeft = count }

  /// Operations succeed again.
  package func powerOn() { faults.operationsLeft = nil }

  /// The power fails: each change that was not synced is lost, kept, kept in part, or torn in
  /// sectors; of the names since the last sync of their directory, a prefix of the changes is kept.
  ///
  /// `isOrdered`: changes of one file reach the disk in their order. Otherwise a later one may be
  /// there without an earlier one, which a log cannot tell from damage.
  package func losePower(isOrdered: Bool) {
    powerOn()
    for directory in nameChanges {
      let lostCount = random.number(0...directory.undone.count)
      for change in directory.undone.suffix(lostCount).reversed() {
        for entry in change.entries { names[entry.path] = entry.inode }
      }
    }
    nameChanges = []
    for inode in inodes.indices where !inodes[inode].unsynced.isEmpty {
      settle(inode, isOrdered: isOrdered)
    }
  }

  /// Decides by chance what becomes of a file's un-synced changes.
  func settle(_ inode: Int, isOrdered: Bool) {
    let changes = inodes[inode].unsynced
    guard !changes.isEmpty else { return }
    var image = inodes[inode].durable
    if isOrdered {
      let kept = random.number(0...changes.count)
      for change in changes[..<kept] { change.apply(to: &image) }
      if kept < changes.count { applyPart(of: changes[kept], to: &image) }
    } else {
      for change in changes {
        switch random.number(0...2) {
        case 0: break
        case 1: change.apply(to: &image)
        default: applyPart(of: change, to: &image)
        }
      }
    }
    inodes[inode] = Inode(live: image, durable: image)
  }

  /// A part of a write: its first bytes, or any of its sectors with zeros for the others.
  private func applyPart(of change: FileChange, to image: inout [UInt8]) {
    guard case .write(let offset, let bytes) = change, !bytes.isEmpty else { return }
    if faults.tearsInOrder || random.chance(500) {
      let count = random.number(0...bytes.count)
      if count > 0 {
        FileChange.write(offset: offset, bytes: Array(bytes[..<count])).apply(to: &image)
      }
      return
    }
    var start = 0
    while start < bytes.count {
      // Sectors lie where the file's bytes lie, not where the write begins.
      let sectorEnd =
        (offset + start) / Self.sectorByteCount * Self.sectorByteCount + Self.sectorByteCount
      let end = min(bytes.count, sectorEnd - offset)
      if random.chance(500) {
        FileChange.write(offset: offset + start, bytes: Array(bytes[start..<end]))
          .apply(to: &image)
      }
      start = end
    }
  }

  /// Changes durable bytes of a file behind everybody's back. `damage` gets what lies there.
  /// Without `isTold` the log counts as undamaged.
  package func corrupt(
    _ path: String, _ range: Range<Int>, isTold: Bool = true,
    _ damage: (inout [UInt8], inout SeededGenerator) -> Void
  ) {
    guard let inode = names[path] else { return }
    let limit = min(range.upperBound, inodes[inode].durable.count, inodes[inode].live.count)
    guard range.lowerBound < limit else { return }
    let place = range.lowerBound..<limit
    var bytes = Array(inodes[inode].durable[place])
    damage(&bytes, &random)
    precondition(bytes.count == place.count, "damage does not move bytes")
    if isTold {
      noteDamage(
        path, at: place.lowerBound, whole: Array(inodes[inode].durable[place]))
    }
    inodes[inode].durable.replaceSubrange(place, with: bytes)
    inodes[inode].live.replaceSubrange(place, with: bytes)
  }

  /// Cuts a file where the canary takes damage for absence, durably.
  func cut(_ path: String, at byteCount: Int) {
    guard let inode = names[path] else { return }
    FileChange.truncate(byteCount).apply(to: &inodes[inode].durable)
    FileChange.truncate(byteCount).apply(to: &inodes[inode].live)
  }

  /// The file that holds a batch, and the batch's bytes in it.
  func place(of index: LogIndex) -> (path: String, range: Range<Int>)? {
    let directory = SimulatedHost.directory + "/log"
    let names = (try? list(directory)) ?? []
    guard
      let id = names.compactMap({ SegmentID(fileName: $0) }).last(where: { $0.firstIndex <= index }
      ),
      let bytes = bytes(directory + "/" + id.fileName)
    else { return nil }
    var offset = SegmentHeader.byteCount
    while offset < bytes.count,
      let header = try? BatchHeader.decode(at: offset, in: bytes.span.bytes)
    {
      if header.index == index {
        return (directory + "/" + id.fileName, offset..<offset + header.batchByteCount)
      }
      offset += header.batchByteCount
    }
    return nil
  }
}

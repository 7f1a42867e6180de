import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

/// Bytes of a batch that changed although nothing but what follows it vouches for it.
struct UnvouchedDamage {
  let index: LogIndex
  let path: String
  let offset: Int
  /// What stood there.
  let bytes: [UInt8]
}

extension World {
  /// Changes bytes of the log: mostly of a batch that the hard state on disk vouches for, or of one
  /// that a later batch vouches for, or of the header or footer of a segment that has a successor.
  func damage(_ host: SimulatedHost) -> Bool {
    guard host.process != nil else { return false }
    switch faultRandom.number(0...9) {
    case 0: return damageFrame(host)
    case 1...4 where host.durability.storedCount > Int(host.vouched.rawValue) + 1:
      return damageUnvouched(host)
    default: break
    }
    guard host.vouched > .zero, reserveSuspect(host) else { return false }
    let index = LogIndex(UInt64(faultRandom.number(1...Int(host.vouched.rawValue))))
    guard let place = host.disk.place(of: index) else { return false }
    // A batch in another one's place is whole in itself.
    corrupt(
      host, place.path, faultRandom.chance(300) ? place.range : somewhere(in: place.range))
    return true
  }

  /// Damages a batch after all that the hard state vouches for, and before the last one on disk:
  /// that one shows that it is no torn write.
  private func damageUnvouched(_ host: SimulatedHost) -> Bool {
    let last = host.durability.storedCount
    let index = LogIndex(UInt64(faultRandom.number(Int(host.vouched.rawValue) + 1...last - 1)))
    guard let place = host.disk.place(of: index),
      host.disk.place(of: LogIndex(UInt64(last))) != nil, reserveSuspect(host),
      let bytes = host.disk.bytes(place.path)
    else { return false }
    let range = somewhere(in: place.range)
    statistics.unvouchedDamageCount += 1
    host.unvouchedDamage.append(
      UnvouchedDamage(
        index: index, path: place.path, offset: range.lowerBound, bytes: Array(bytes[range])))
    corrupt(host, place.path, range)
    return true
  }

  /// Batches go from the end of a log: what alone showed that one before them is damaged may go with
  /// them, so that is whole again.
  func mendBeforeCut(_ host: SimulatedHost, _ group: [StorageWork]) {
    guard !host.unvouchedDamage.isEmpty else { return }
    for case .command(.truncate(let index)) in group {
      for damage in host.unvouchedDamage.reversed() where damage.index < index {
        host.disk.corrupt(
          damage.path, damage.offset..<damage.offset + damage.bytes.count, isTold: false
        ) {
          bytes, _ in bytes = Array(damage.bytes.prefix(bytes.count))
        }
      }
      // What stood further on goes with its batches.
      host.unvouchedDamage.removeAll()
    }
  }

  /// Damages the header or the footer of a segment that has a successor.
  private func damageFrame(_ host: SimulatedHost) -> Bool {
    let paths = host.disk.paths.filter { $0.hasPrefix(SimulatedHost.directory + "/log/") }
      .filter { $0.hasSuffix(".lz4") }.dropLast()
    guard !paths.isEmpty else { return false }
    let path = faultRandom.pick(Array(paths))
    guard let count = host.disk.bytes(path)?.count, count > SegmentHeader.byteCount,
      reserveSuspect(host)
    else { return false }
    let isHeader = faultRandom.chance(500)
    corrupt(
      host, path, somewhere(in: isHeader ? 0..<SegmentHeader.byteCount : count - 64..<count))
    return true
  }

  private func somewhere(in range: Range<Int>) -> Range<Int> {
    let length = faultRandom.pick([1, 16, 512])
    let start = faultRandom.number(range.lowerBound...range.upperBound - 1)
    return start..<min(start + length, range.upperBound)
  }

  /// Changes one copy of the hard state, on any node: the other copy of that slot is whole.
  func damageHardState(_ host: SimulatedHost) -> Bool {
    let path = SimulatedHost.directory + "/" + HardStateFile<SimulatedDisk>.fileName
    guard let bytes = host.disk.bytes(path) else { return false }
    let copy = faultRandom.number(0...3)
    let (place, other) = (Self.copyRange(copy), copy ^ 1)
    let isOtherRotten = host.rottenCopies[other].map { rotten in
      bytes.count >= Self.copyRange(other).upperBound
        && bytes[Self.copyRange(other)].elementsEqual(rotten)
    }
    guard bytes.count >= place.upperBound, isOtherRotten != true else { return false }
    host.disk.corrupt(path, somewhere(in: place), isTold: false) { bytes, random in
      for place in bytes.indices { bytes[place] ^= UInt8(random.number(1...255)) }
    }
    host.rottenCopies[copy] = host.disk.bytes(path).map { Array($0[place]) }
    return true
  }

  /// Where a copy lies: two slots of two, each at the beginning of a block.
  private static func copyRange(_ copy: Int) -> Range<Int> { copy * 4096..<copy * 4096 + 512 }

  /// A flipped bit, inverted bytes, noise, a write that the disk never carried out (phantom), or one
  /// that was meant for another place (misdirected).
  private func corrupt(_ host: SimulatedHost, _ path: String, _ range: Range<Int>) {
    let kind = faultRandom.number(0...4)
    let stranger = kind == 4 ? anyBatch(of: host) : []
    host.disk.corrupt(path, range) { bytes, random in
      let whole = bytes
      switch kind {
      case 0: bytes[random.number(0...bytes.count - 1)] ^= 1 << UInt8(random.number(0...7))
      case 1: for place in bytes.indices { bytes[place] = 0xa5 ^ bytes[place] }
      case 2: for place in bytes.indices { bytes[place] = UInt8(random.number(0...255)) }
      case 3: for place in bytes.indices { bytes[place] = 0 }
      default: for (place, byte) in zip(bytes.indices, stranger) { bytes[place] = byte }
      }
      if bytes == whole { bytes[0] ^= 1 }
    }
  }

  /// A batch's bytes as they are on a disk.
  private func anyBatch(of host: SimulatedHost) -> [UInt8] {
    let index = LogIndex(UInt64(faultRandom.number(1...max(1, host.durability.storedCount))))
    guard let place = host.disk.place(of: index) else { return [] }
    return host.disk.bytes(place.path).map { Array($0[place.range]) } ?? []
  }

  /// The canary: cuts the log at the damage and lets the hard state vouch for nothing. False where
  /// that is not possible.
  func takeDamageForAbsence(_ host: SimulatedHost, _ error: LogError) -> Bool {
    guard case .damaged(let segment, let offset, _, _, _) = error else { return false }
    let directory = SimulatedHost.directory + "/log/"
    for path in host.disk.paths
    where path.hasPrefix(directory) && path > directory + segment.fileName {
      try? host.disk.remove(path)
    }
    try? host.disk.syncDirectory(directory)
    removeSnapshots(host)
    host.disk.cut(directory + segment.fileName, at: Int(offset))
    guard
      var hardState = try? HardStateFile(
        host.disk, directory: SimulatedHost.directory, clusterID: Self.cluster, logIsEmpty: false)
    else { return false }
    var state = hardState.state
    state.knownDurable = .zero
    return (try? hardState.write(state)) != nil
  }
}

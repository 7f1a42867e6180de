import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

extension World {
  /// Changes bytes of a batch that the hard state on disk vouches for: a flipped bit, zeros of a
  /// write that never came, or another file's bytes.
  func damage(_ host: SimulatedHost) -> Bool {
    guard host.vouched > .zero, host.process != nil, reserveSuspect(host) else { return false }
    let index = LogIndex(UInt64(faultRandom.number(1...Int(host.vouched.rawValue))))
    guard let place = host.disk.place(of: index) else { return false }
    let length = faultRandom.pick([1, 16, 512])
    let start = faultRandom.number(place.range.lowerBound...place.range.upperBound - 1)
    let range = start..<min(start + length, place.range.upperBound)
    let kind = faultRandom.number(0...2)
    host.disk.corrupt(place.path, range) { bytes, random in
      switch kind {
      case 0: bytes[random.number(0...bytes.count - 1)] ^= 1 << UInt8(random.number(0...7))
      case 1: for place in bytes.indices { bytes[place] = 0xa5 ^ bytes[place] }
      default: for place in bytes.indices { bytes[place] = UInt8(random.number(0...255)) }
      }
    }
    return true
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

import Bytes
import NodeRuntime
import Raft
import Replica
import SegmentLog

// MARK: - The operator's

extension World {
  func ask(_ request: OperatorRequest, at host: SimulatedHost) {
    operatorRequestCount += 1
    let token = operatorRequestCount
    trace.note(now, "operator \(token) at node \(host.id.rawValue): \(request)")
    act(host, host.life) { node, _ in node.administer(request, token: token) }
  }

  /// Makes a voter a learner or a learner a voter. Not where nodes may be lost for good: fewer voters
  /// survive fewer losses.
  func changeMembers(askedAt host: SimulatedHost) -> Bool {
    guard hosts.count > 1, host.process != nil, options.faults.damageMean == 0,
      !options.faults.reordersWrites
    else { return false }
    let target = hosts[faultRandom.number(0...hosts.count - 1)].id
    ask(faultRandom.chance(400) ? .demote(target) : .promote(target), at: host)
    return true
  }
}

// MARK: - Damage

extension World {
  /// How many hosts may be lost for good: fewer than would take the majority.
  private var suspectsMax: Int { (hosts.count - 1) / 2 }

  /// Reserves a place among those that may be lost. False where too many are.
  func reserveSuspect(_ host: SimulatedHost) -> Bool {
    if host.isSuspect { return true }
    guard hosts.count(where: \.isSuspect) < suspectsMax else { return false }
    host.isSuspect = true
    return true
  }

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

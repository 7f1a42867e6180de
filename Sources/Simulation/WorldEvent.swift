import Bytes
import Raft

/// What can happen in a world. A host is named by its place, a process by its host and life.
enum WorldEvent {
  case tick(Int, life: Int)
  case pump(Int, life: Int)
  case stored(Int, life: Int)
  case readDone(Int, life: Int, AppendRequest, peer: NodeID)
  case rangeRead(Int, life: Int, LogIndexRange, peer: NodeID)
  case repairTick(Int, life: Int)
  case snapshotDue(Int, life: Int)
  case scrubTick(Int, life: Int)
  case scrubDue(Int, life: Int)
  case frame(Frame, life: Int)
  case dial(Int, Int)
  case connected(Int, Int, connection: Int, lives: (Int, Int))
  case closed(owner: Int, peer: Int, connection: Int)
  case peerNotice(owner: Int, life: Int, PeerNotice)
  case silenceCheck
  case serverAsked(Int, datagram: [UInt8], host: Int, life: Int)
  case serverAnswered(Int, datagram: [UInt8], host: Int, life: Int)
  case start(Int)
  case fault(FaultKind)
  case faultEnds(FaultEnd)
  case strikeLeader(Int, life: Int)
  case flap([(Int, Int)], Int64)
  case begin(client: Int)
  case call(Int)
  case lookup(host: Int, operation: Int)
  case answer(call: Int)
  case read(Int)
  case readResult(Int)
  case outOfPatience(operation: Int, attempt: Int)
  case activeEnds
  case settleCheck

  /// The host whose process gets it, if one does: while that is paused, it waits.
  var addressee: Int? {
    switch self {
    case .tick(let host, _), .pump(let host, _), .stored(let host, _),
      .readDone(let host, _, _, _), .rangeRead(let host, _, _, _), .repairTick(let host, _),
      .snapshotDue(let host, _), .scrubTick(let host, _), .scrubDue(let host, _),
      .peerNotice(let host, _, _),
      .serverAnswered(_, _, let host, _), .lookup(let host, _):
      host
    case .frame(let frame, _): frame.to
    case .dial, .connected, .closed, .silenceCheck, .serverAsked, .start, .fault, .faultEnds, .flap,
      .strikeLeader,
      .begin, .call, .answer, .read, .readResult, .outOfPatience, .activeEnds, .settleCheck:
      nil
    }
  }

  /// A number for the trace's hash.
  var kind: UInt64 {
    switch self {
    case .tick: 1
    case .pump: 2
    case .stored: 3
    case .readDone: 4
    case .frame: 5
    case .dial: 6
    case .connected: 7
    case .closed: 8
    case .peerNotice: 9
    case .silenceCheck: 10
    case .serverAsked: 11
    case .serverAnswered: 12
    case .start: 13
    case .fault: 14
    case .faultEnds: 15
    case .begin: 16
    case .call: 17
    case .lookup: 18
    case .answer: 19
    case .outOfPatience: 20
    case .activeEnds: 21
    case .settleCheck: 22
    case .flap: 23
    case .rangeRead: 27
    case .repairTick: 28
    case .snapshotDue: 29
    case .scrubTick: 30
    case .scrubDue: 31
    case .strikeLeader: 26
    case .read: 24
    case .readResult: 25
    }
  }
}

/// A kind of fault.
package enum FaultKind: String, Sendable, CaseIterable {
  /// See ``FaultRates`` for each.
  case kill, crash, blackout, rollingRestart, pause, partition, clog, disconnect
  case diskError, diskFull, slowDisk, damage, hardStateDamage, snapshotDamage
  case clockFault, transfer, members, wipe, policy

  /// The mean time between two of them, nanoseconds; 0 is never.
  func mean(_ rates: FaultRates) -> Int64 {
    switch self {
    case .kill: rates.killMean
    case .crash: rates.crashMean
    case .blackout: rates.blackoutMean
    case .rollingRestart: rates.rollingRestartMean
    case .pause: rates.pauseMean
    case .partition: rates.partitionMean
    case .clog: rates.clogMean
    case .disconnect: rates.disconnectMean
    case .diskError: rates.diskErrorMean
    case .diskFull: rates.diskFullMean
    case .slowDisk: rates.slowDiskMean
    case .damage: rates.damageMean
    case .hardStateDamage: rates.hardStateDamageMean
    case .snapshotDamage: rates.snapshotDamageMean
    case .clockFault: rates.clockFaultMean
    case .transfer: rates.transferMean
    case .members: rates.membersMean
    case .wipe: rates.wipeMean
    case .policy: rates.policyMean
    }
  }
}

/// What a node hears of a connection.
struct PeerNotice {
  let peer: NodeID
  /// The number of the peer's data directory.
  let store: UInt64
  let isUp: Bool
}

/// The end of a fault that lasts.
enum FaultEnd {
  /// Links, by both ends, that a partition cut.
  case mend([(Int, Int)])
  case diskFull(Int)
  case slowDisk(Int)
  case clockFrozen(Int)
  case drained(Int, life: Int)
}

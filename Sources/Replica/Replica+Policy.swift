import HybridTime
import Ledger
import SegmentLog

/// Where the rules of the cluster (``ClusterPolicy``) decide.
extension Replica {
  private var policy: ClusterPolicy { state.ledger.cluster.policy }

  /// A segment is closed before the batch that would make it longer than this, bytes. Until the
  /// cluster has agreed on it, each leader's own setting.
  var segmentByteCountMax: Int {
    policy.isSet(.segmentBytes)
      ? Int(policy[.segmentBytes]) : configuration.segmentByteCountMax
  }

  /// Whether the clock that took this reading may stamp a payment.
  func isClockFit(_ reading: ClockReading) -> Bool {
    guard policy[.clockPolicy] == 1 else { return true }
    switch reading.status {
    case .synchronized, .holdover: break
    case .unsynchronized, .disrupted: return false
    }
    let tolerance = policy[.clockToleranceMicroseconds]
    return tolerance == 0 || reading.boundNanoseconds / 1000 <= tolerance
  }

  /// After applying: new batches are compressed, and places remembered, as the cluster has agreed.
  mutating func followPolicy(into effects: inout [ReplicaEffect]) {
    if policy.isSet(.indexBytes), indexByteCount != Int(policy[.indexBytes]) {
      indexByteCount = Int(policy[.indexBytes])
      effects.append(.store(.indexInterval(byteCount: indexByteCount)))
    }
    guard policy.isSet(.compressionLevel), compressionLevel != Int(policy[.compressionLevel])
    else { return }
    compressionLevel = Int(policy[.compressionLevel])
    builder = BatchBuilder(compressionLevel: compressionLevel)
  }
}

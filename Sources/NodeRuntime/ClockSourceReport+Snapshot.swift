import Bytes
import ClockSync
import HybridTime
import Ledger

extension ClockSourceReport {
  /// A source as it goes into the log, or nil for one that has not been heard.
  init?(_ snapshot: ClockSourceSnapshot) {
    guard let offset = snapshot.offsetNanoseconds else { return nil }
    let verdict: ClockSourceVerdict
    switch snapshot.verdict {
    case .selected, .notCombined: verdict = .selected
    case .falseticker, .outlier: verdict = .falseticker
    case .stale, .unheard: verdict = .stale
    case .noMajority, .superseded, .noQuorum, .refused, .settling: verdict = .unused
    }
    guard let (kind, id) = snapshot.source.logged else { return nil }
    self.init(
      kind: kind, id: id, offsetNanoseconds: offset,
      errorNanoseconds: snapshot.errorNanoseconds, delayNanoseconds: snapshot.delayNanoseconds,
      verdict: verdict)
  }
}

extension ClockSource {
  /// How the log names it; nil for the host's own clock, which nobody asks.
  fileprivate var logged: (kind: ClockSourceKind, id: UInt32)? {
    switch self {
    case .host: nil
    case .peer(let node): (.peer, UInt32(node.rawValue))
    case .server(let number): (.server, UInt32(number))
    case .kernel: (.kernel, 0)
    }
  }
}

extension ClockMeasurement {
  /// A sample as it goes into the journal, stamped with the node's reading when it came in.
  /// `rateMax`: the most that rates may differ, parts per billion.
  init?(
    _ sample: ClockSample, from source: ClockSource, _ reading: ClockReading, node: NodeID,
    rateMax: Int64
  ) {
    guard let (kind, id) = source.logged else { return nil }
    let error = sample.errorNanoseconds(
      atMonotonic: sample.monotonicNanoseconds, remoteError: sample.remoteErrorNanoseconds,
      rate: rateMax)
    self.init(
      stamp: Stamp(reading, of: node),
      monotonicNanoseconds: sample.monotonicNanoseconds, kind: kind, id: id,
      offsetNanoseconds: sample.rawOffsetNanoseconds,
      delayNanoseconds: sample.delayNanoseconds,
      errorNanoseconds: error - (sample.delayNanoseconds + 1) / 2, stratum: sample.stratum)
  }
}

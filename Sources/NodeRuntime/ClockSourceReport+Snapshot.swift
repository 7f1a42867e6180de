import Bytes
import ClockSync
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
    let (kind, id): (ClockSourceKind, UInt32)
    switch snapshot.source {
    case .host: return nil
    case .peer(let node): (kind, id) = (.peer, UInt32(node.rawValue))
    case .server(let number): (kind, id) = (.server, UInt32(number))
    case .kernel: (kind, id) = (.kernel, 0)
    }
    self.init(
      kind: kind, id: id, offsetNanoseconds: offset,
      errorNanoseconds: snapshot.errorNanoseconds, delayNanoseconds: snapshot.delayNanoseconds,
      verdict: verdict)
  }
}

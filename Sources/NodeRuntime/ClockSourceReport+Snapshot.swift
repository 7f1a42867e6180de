import Bytes
import ClockSync
import Ledger

extension ClockSourceReport {
  /// A source as it goes into the log, or nil for one that has not been heard.
  init?(_ snapshot: ClockSourceSnapshot) {
    guard let offset = snapshot.offsetNanoseconds else { return nil }
    let verdict: ClockSourceVerdict
    switch snapshot.verdict {
    case .selected: verdict = .selected
    case .falseticker, .outlier: verdict = .falseticker
    case .stale, .unheard: verdict = .stale
    case .noMajority, .superseded, .noQuorum, .refused, .settling: verdict = .unused
    }
    switch snapshot.source {
    case .host: return nil
    case .peer(let node):
      self.init(
        kind: .peer, id: UInt32(node.rawValue), offsetNanoseconds: offset,
        errorNanoseconds: snapshot.errorNanoseconds, delayNanoseconds: snapshot.delayNanoseconds,
        verdict: verdict)
    case .server(let number):
      self.init(
        kind: .server, id: UInt32(number), offsetNanoseconds: offset,
        errorNanoseconds: snapshot.errorNanoseconds, delayNanoseconds: snapshot.delayNanoseconds,
        verdict: verdict)
    }
  }
}

/// What happened, as a hash always and as text on demand. Two runs of one seed have the same hash, on
/// any machine and in any build.
struct Trace {
  private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  private(set) var lines: [String] = []
  private let isKept: Bool
  /// Most lines that are kept: of a long trace the newest ones.
  private static let lineCountMax = 400_000

  init(isKept: Bool) { self.isKept = isKept }

  /// Mixes what happened into the hash (FNV-1a over words).
  mutating func mix(_ value: UInt64) {
    hash = (hash ^ value) &* 0x0000_0100_0000_01b3
    hash ^= hash >> 29
  }

  /// Keeps a line.
  mutating func note(_ now: Int64, _ line: @autoclosure () -> String) {
    guard isKept else { return }
    if lines.count >= Self.lineCountMax { lines.removeFirst(Self.lineCountMax / 2) }
    lines.append(Self.seconds(now) + " " + line())
  }

  /// Virtual time as seconds with microseconds.
  private static func seconds(_ now: Int64) -> String {
    let microseconds = String(1_000_000 + now / 1000 % 1_000_000).dropFirst()
    return "\(now / Span.second).\(microseconds)"
  }
}

package import Bytes

/// The names of files that stand for a place in the log: twenty digits, so that names sort as
/// numbers, and a suffix.
package enum IndexFileName {
  private static let digitCount = 20

  /// The name for `index`.
  package static func text(_ index: LogIndex, suffix: String) -> String {
    let digits = String(index.rawValue)
    return String(repeating: "0", count: digitCount - digits.utf8.count) + digits + suffix
  }

  /// The index that a name stands for, or nil where it is none with that suffix.
  package static func index(of name: String, suffix: String) -> LogIndex? {
    guard name.utf8.count == digitCount + suffix.utf8.count, name.hasSuffix(suffix),
      name.utf8.prefix(digitCount).allSatisfy({ (0x30...0x39).contains($0) }),
      let index = UInt64(name.prefix(digitCount)), index > 0
    else { return nil }
    return LogIndex(index)
  }
}

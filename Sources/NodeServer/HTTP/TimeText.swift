import HybridTime

/// Times as requests and HTTP write them.
enum TimeText {
  /// What a query may hold beside RFC 3339 and seconds since 1970.
  private static let grammar: TimeGrammar = [.spaceForPlus, .negativeSeconds]

  /// Nanoseconds since 1970 from seconds with up to nine decimals, or from RFC 3339 §5.6; nil for
  /// any other text and for what 64 bits do not hold.
  static func nanoseconds(_ bytes: [UInt8]) -> Int64? { grammar.nanoseconds(bytes) }

  /// The IMF-fixdate of a time (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
  ///
  /// Precondition: not before 1970.
  static func httpDate(unixSeconds: Int64) -> String {
    let time = CivilTime(secondsSince1970: Int(unixSeconds))
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][time.date.daysSince1970 % 7]
    let month = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ][time.date.month - 1]
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(weekday), \(two(time.date.day)) \(month) \(time.date.year) "
      + "\(two(time.hour)):\(two(time.minute)):\(two(time.second)) GMT"
  }
}
